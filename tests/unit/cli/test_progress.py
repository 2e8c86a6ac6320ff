from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from inline_snapshot import snapshot

from reconciler import logs
from reconciler.cli.progress import LoggedProgress, PlainProgress, following, open_progress
from reconciler.cli.progress_live import LiveProgress
from reconciler.model.memory import Failure
from reconciler.model.report import Activity, Report
from tests.unit.cli.reports import HELLO, LEVEL, SHOP, operation

if TYPE_CHECKING:
    from reconciler.model.operation import Operation

PULL = operation("image.pull", "shop/web:1.4", "web")
CREATE = operation("container.create", "shop-web-1-bbbbbbbb", "web", 1, LEVEL)
NETWORK = operation("network.create", "shop_backend")


def _activity(state: Any, text: str, seconds: float, what: Operation | str, project: str = "shop") -> Activity:
    if isinstance(what, str):
        return Activity(project, what, state, text, seconds)
    return Activity(project, what.service, state, text, seconds, what)


def _lines(*activities: Activity) -> list[str]:
    lines: list[str] = []
    progress = PlainProgress(lines.append)
    for activity in activities:
        progress.activity(activity)
    return lines


def test_plain_lines_say_what_was_done_and_how_long_it_took() -> None:
    """Only a pull or build is announced: everything else is said when it is done."""
    assert _lines(
        _activity("started", "network.create", 0.0, NETWORK),
        _activity("finished", "", 0.1, NETWORK),
        _activity("started", "image.pull", 0.1, PULL),
        _activity("finished", "", 3.3, PULL),
        _activity("started", "container.create", 3.3, CREATE),
        _activity("finished", "", 3.4, CREATE),
    ) == snapshot(
        [
            "network shop_backend: created (0.1 s)",
            "web: pulling shop/web:1.4",
            "web: pulled shop/web:1.4 (3.2 s)",
            "web/1: created shop-web-1-bbbbbbbb (0.1 s)",
        ]
    )


def test_a_drain_says_how_the_replica_was_told() -> None:
    """By a signal, a command or a request; never with what was sent."""
    old = operation("container.exec", "shop-web-1-aaaaaaaa", "web", 1)
    assert _lines(_activity("finished", "", 0.2, old), _activity("failed", "exit code 1", 0.2, old)) == [
        "web/1: drained shop-web-1-aaaaaaaa (exec) (0.0 s)",
        "web/1: draining shop-web-1-aaaaaaaa (exec) failed: exit code 1 (0.0 s)",
    ]


def test_a_failed_operation_says_why() -> None:
    """The engine's words follow the operation."""
    assert _lines(_activity("failed", "no such image", 0.1, CREATE)) == [
        "web/1: creating shop-web-1-bbbbbbbb failed: no such image (0.0 s)"
    ]


def test_repeated_states_and_moving_counters_are_said_once() -> None:
    """A log file is not filled by a download's counter or by a service that still waits."""
    assert _lines(
        _activity("progress", "a1b2: Downloading 1.2MB/9MB", 0.1, PULL),
        _activity("progress", "a1b2: Downloading 2.4MB/9MB", 0.2, PULL),
        _activity("progress", "a1b2: Pull complete", 0.3, PULL),
        _activity("progress", "waiting for healthy 0/3", 0.4, "web"),
        _activity("progress", "waiting for healthy 0/3", 0.5, "web"),
        _activity("progress", "waiting for healthy 1/3", 0.6, "web"),
    ) == snapshot(
        [
            "web: a1b2: Downloading 1.2MB/9MB",
            "web: a1b2: Pull complete",
            "web: waiting for healthy 0/3",
            "web: waiting for healthy 1/3",
        ]
    )


def test_lines_name_their_project_once_there_are_several() -> None:
    """Two projects may have a service of the same name."""
    lines: list[str] = []
    progress = PlainProgress(lines.append)
    progress.plan(HELLO)
    progress.activity(_activity("finished", "", 0.0, NETWORK))
    assert lines == ["shop network shop_backend: created (0.0 s)"]


def test_a_second_project_does_not_inherit_start_times() -> None:
    """Operations of two projects may have the same id."""
    lines = _lines(
        _activity("started", "container.create", 5.0, CREATE),
        _activity("finished", "", 1.0, CREATE, project="other"),
    )
    assert lines == ["other web/1: created shop-web-1-bbbbbbbb (0.0 s)"]


def test_log_lines_carry_operation_and_cause(capsys: pytest.CaptureFixture[str]) -> None:
    """`--log-format json`: one JSON object per line on stderr, with the cause a plan would print."""
    logs.configure("json", "info")
    LoggedProgress().activity(_activity("finished", "", 1.5, CREATE))
    LoggedProgress().activity(_activity("started", "", 1.5, CREATE))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert '"cause": ["environment.LOG_LEVEL: info -> debug at specs/shop/compose.yaml:17"]' in captured.err
    assert '"event": "container.create"' in captured.err


def test_the_live_picture_shows_a_line_per_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last picture stays: what came up, what failed and why."""
    stream = io.StringIO()
    monkeypatch.setenv("COLUMNS", "80")
    progress = LiveProgress(color=False)
    progress._console.file = stream
    progress.plan(SHOP)
    progress.activity(_activity("started", "image.pull", 0.0, PULL))
    with progress.paused():
        stream.write("-- something else --\n")
    progress.activity(_activity("finished", "", 1.0, CREATE))
    failed = Failure("api", "hash", "Unhealthy", "no answer", "c")
    report = Report("converge", (replace(SHOP, succeeded=False, failures=(failed,)),))
    progress.finish(report)
    progress.close()
    last = stream.getvalue().split("-- something else --")[1]
    assert "✗  api" in last
    assert "Unhealthy" in last
    assert "created shop-web-1-bbbbbbbb" in last


def test_what_shows_progress_is_chosen_by_the_command_line() -> None:
    """Logs before quiet, quiet before live, live before plain."""
    choice: dict[str, Any] = {"color": False, "write": print}
    assert isinstance(open_progress(logged=True, quiet=True, live=True, **choice), LoggedProgress)
    assert isinstance(open_progress(logged=False, quiet=True, live=True, **choice), PlainProgress)
    assert isinstance(open_progress(logged=False, quiet=False, live=True, **choice), LiveProgress)
    assert isinstance(open_progress(logged=False, quiet=False, live=False, **choice), PlainProgress)


def test_quiet_writes_nothing() -> None:
    """`--log-level warning` keeps progress off stderr."""
    lines: list[str] = []
    progress = open_progress(logged=False, quiet=True, live=False, color=False, write=lines.append)
    progress.activity(_activity("finished", "", 0.1, NETWORK))
    assert lines == []


def test_progress_is_closed_whatever_happens() -> None:
    """A failing converge does not leave the terminal to a spinner."""
    closed: list[bool] = []

    class Watched(PlainProgress):
        def close(self) -> None:
            closed.append(True)

    with pytest.raises(KeyError), following(Watched(print)):
        raise KeyError
    assert closed == [True]


def test_a_failed_operation_is_logged_as_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever filters logs by level finds it, with the engine's words."""
    logs.configure("json", "error")
    progress = LoggedProgress()
    progress.plan(SHOP)
    progress.activity(_activity("progress", "waiting", 0.1, "web"))
    progress.activity(_activity("failed", "port taken", 0.2, CREATE))
    progress.finish(Report("converge", (SHOP,)))
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["error"] == "port taken"


def test_more_services_than_lines_hide_the_finished_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """What still works or failed stays in sight."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "10")
    stream = io.StringIO()
    progress = LiveProgress(color=False)
    progress._console.file = stream
    creations = [operation("container.create", f"shop-s{number}-1-b", f"s{number}", 1) for number in range(12)]
    progress.plan(replace(SHOP, operations=tuple(creations)))
    for number, creation in enumerate(creations[:9]):
        progress.activity(_activity("failed" if number == 4 else "finished", "port taken", 0.1, creation))
    progress.close()
    text = stream.getvalue()
    assert "8 more are done" in text
    assert "✗  s4" in text
    assert "s11" in text
