"""Commands for a running service: what they ask of it, what they print, and what they do where none runs."""

from __future__ import annotations

import getpass
import json
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.cli.main import run
from reconciler.errors import FAILED, REFUSED, USAGE
from reconciler.forecast import VirtualExecutor, new_engine
from reconciler.lock import unlocked
from reconciler.model.report import Activity, Answer, History, ProjectReport, Report
from reconciler.model.revision import Revision
from reconciler.service.control import Control
from reconciler.session import Session
from tests.support.operations import SmallService
from tests.unit.cli.reports import ENGINE, SHOP
from tests.unit.cli.reports import service as row
from tests.unit.cli.rollouts import QUARANTINED, WELL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.store import Store

REVISION = Revision("shop", "1a2b3c4d5e" * 4, "Ada <ada@example.com>", "Serve 1.4", 1795230000.0, "main")
CALM = ProjectReport(
    "shop",
    ENGINE,
    services=(row("web", (2, 2, 2, 2)),),
    in_sync=True,
    converges=True,
    succeeded=True,
    revision=REVISION,
)
WAITING = Activity("shop", "web", "progress", "waiting for healthy 1/2", 1.0)


@pytest.fixture
def service() -> SmallService:
    return SmallService(
        Report("status", (CALM,)), History((("shop", (WELL,)),)), Answer(QUARANTINED), activities=(WAITING,)
    )


@pytest.fixture
def running(service: SmallService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallService]:
    """The service at the socket that the environment names, and a folder without any specs."""
    monkeypatch.setenv("RECONCILER_SOCKET", str(tmp_path / "control.sock"))
    monkeypatch.chdir(tmp_path)
    with Control(str(tmp_path / "control.sock"), service):
        yield service


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_status_is_the_services(running: SmallService, capsys: pytest.CaptureFixture[str]) -> None:
    """No spec is read and no engine asked; each project says which commit it is of, and stderr who said it."""
    assert run(["status", "-p", "shop", "--service", "web", "--deep"]) == 0
    assert running.asked == [("status", ("shop",), ("web",), True)]
    said = capsys.readouterr()
    assert 'shop at 1a2b3c4d5e main "Serve 1.4" (Ada <ada@example.com>)' in said.out.splitlines()
    assert said.err.startswith("as the running service at ")


def test_status_as_a_document_has_the_revision(running: SmallService, capsys: pytest.CaptureFixture[str]) -> None:
    """The commit at the top where all projects share it, all of it at each project."""
    assert run(["status", "-o", "json"]) == 0
    found = document(capsys)
    assert found["revision"] == REVISION.commit
    assert found["projects"][0]["revision"] == {
        "source": "shop",
        "commit": REVISION.commit,
        "author": "Ada <ada@example.com>",
        "subject": "Serve 1.4",
        "ref": "main",
        "at": "2026-11-21T03:00:00.000Z",
    }
    running.report = Report("status", (CALM, replace(CALM, name="edge", revision=None)))
    assert run(["status", "-o", "json"]) == 0
    found = document(capsys)
    assert (found["revision"], found["projects"][1]["revision"]) == (None, None)


def test_history_and_why_are_the_services(running: SmallService, capsys: pytest.CaptureFixture[str]) -> None:
    """With the commit of every rollout."""
    assert run(["history", "--limit", "3"]) == 0
    assert 'commit a1b2c3d4e5 main "Serve 1.4" (Ada <ada@example.com>)' in capsys.readouterr().out
    assert run(["why", "web", "-p", "shop"]) == 0
    assert "commit b2c3d4e5f6" in capsys.readouterr().out
    assert running.asked == [("history", (), (), 3), ("why", "web", "shop")]


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (("sync",), ("sync", ())),
        (("sync", "shop", "edge"), ("sync", ("shop", "edge"))),
        (("retry", "web", "-p", "shop"), ("retry", "web", "shop")),
        (("rollback", "web", "--to", "3"), ("rollback", "web", None, 3)),
    ],
)
def test_what_is_done_is_followed_to_its_end(
    running: SmallService, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], asked: tuple[Any, ...]
) -> None:
    """Progress on stderr, how it ended on stdout, as of a converge."""
    assert run([*arguments]) == 0
    said = capsys.readouterr()
    assert said.err == "web: waiting for healthy 1/2\n"
    assert said.out.splitlines() == [
        'shop at 1a2b3c4d5e main "Serve 1.4" (Ada <ada@example.com>)',
        "shop: in sync, nothing to do (1 service, 2 replicas).",
    ]
    assert running.asked == [(*asked, getpass.getuser())]


def test_what_failed_fails(running: SmallService, capsys: pytest.CaptureFixture[str]) -> None:
    """Reports keep their exit codes on the way."""
    running.report = Report("converge", (SHOP,), failed=True)
    assert run(["sync", "-o", "json"]) == FAILED
    assert document(capsys)["command"] == "converge"


def test_what_only_a_run_heeds_is_refused(running: SmallService, capsys: pytest.CaptureFixture[str]) -> None:
    """The service has settings of its own; nothing is dropped silently."""
    assert run(["retry", "web", "--timeout", "5m"]) == USAGE
    assert "its own settings in place of --timeout" in capsys.readouterr().err
    assert running.asked == []


@pytest.mark.parametrize("here", [("-H", "simulated://"), ("-f", "specs"), ("--profile", "x"), ("--instance", "mine")])
def test_what_is_said_of_specs_or_engine_asks_no_service(
    running: SmallService, here: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Here there is nothing to look at, which is what is said then."""
    assert run(["status", *here]) != 0
    assert running.asked == []


def test_an_error_of_the_service_is_told_as_our_own(running: SmallService, capsys: pytest.CaptureFixture[str]) -> None:
    """With its hint and exit code; a document has it too, unless the command line is wrong."""
    running.answer = None
    assert run(["why", "wep"]) == USAGE
    assert capsys.readouterr().err == "error: there is no service wep\nhint: the services are none\n"


def test_services_are_suspended_and_resumed(running: SmallService, capsys: pytest.CaptureFixture[str]) -> None:
    """By name, or all of the one project, or everything."""
    assert run(["suspend", "web", "-p", "shop", "--reason", "moving the disk"]) == 0
    assert capsys.readouterr().out == "suspended shop/web\n"
    assert run(["suspend", "--reason", "at night"]) == 0
    assert run(["suspend", "--all", "--reason", "at night"]) == 0
    capsys.readouterr()
    assert run(["resume", "-o", "json"]) == 0
    assert document(capsys) == {
        "schema_version": 1,
        "command": "resume",
        "names": ["shop/web", "shop", "everything"],
        "warnings": [],
        "errors": [],
    }
    assert run(["resume", "--all"]) == 0
    assert capsys.readouterr().out == "nothing is suspended by that name\n"
    said = [asked[:-1] for asked in running.asked if asked[0] in {"suspend", "resume"}]
    assert said == [
        ("suspend", "shop", "web", "moving the disk"),
        ("suspend", "shop", None, "at night"),
        ("suspend", None, None, "at night"),
        ("resume", "shop", None),
        ("resume", None, None),
    ]


def test_which_of_several_projects_has_to_be_said(running: SmallService, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is guessed."""
    running.report = Report("status", (CALM, replace(CALM, name="edge")))
    assert run(["suspend", "--reason", "x"]) == USAGE
    assert "the projects are shop, edge" in capsys.readouterr().err
    running.report = Report("status")
    assert run(["resume"]) == USAGE
    assert "there is no project" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("sync",), ("suspend", "web", "--reason", "x"), ("resume", "web"), ("status",)])
def test_without_a_service_that_is_said(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what to do without; a document has it too."""
    path = str(tmp_path / "none.sock")
    assert run([*command, "--socket", path]) == FAILED
    assert capsys.readouterr().err.startswith(f"error: {path}: no service is running: nobody listens here\nhint: ")
    assert run([*command, "--socket", path, "-o", "json"]) == FAILED
    assert document(capsys)["errors"][0]["code"] == "NotRunning"


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two projects in this folder, of which both have `web`, on an engine that answers."""
    monkeypatch.chdir(tmp_path)
    for name, services in (("shop", "{web: {image: a}, db: {image: b}}"), ("edge", "{web: {image: a}}")):
        (tmp_path / "specs" / name).mkdir(parents=True)
        (tmp_path / "specs" / name / "compose.yaml").write_text(f"services: {services}\n")
    engine = new_engine((), 1795230000.0)

    @contextmanager
    def opened(host: object, context: object, instance: str, projects: object, store: Store, *_: object) -> Any:
        yield Session(engine, VirtualExecutor(engine), unlocked, instance, store)

    monkeypatch.setattr("reconciler.opening.open_session", opened)
    monkeypatch.setenv("RECONCILER_STATE_DIR", str(tmp_path / "state"))


def test_without_a_service_it_is_noted_for_the_next_run(specs: None, capsys: pytest.CaptureFixture[str]) -> None:
    """By the name of who asks; the store keeps it."""
    assert run(["suspend", "db", "--reason", "moving the disk"]) == 0
    assert run(["suspend", "-p", "edge", "--reason", "at night"]) == 0
    assert capsys.readouterr().out == "suspended shop/db\nsuspended edge\n"
    assert run(["status"]) == 0
    assert f"suspended by {getpass.getuser()}" in " ".join(capsys.readouterr().out.split())
    assert run(["resume", "db"]) == 0
    assert run(["resume", "db"]) == 0
    assert run(["resume", "--all"]) == 0
    assert capsys.readouterr().out == "resumed shop/db\nnothing is suspended by that name\nresumed edge\n"


def test_here_too_it_has_to_be_said_what_is_meant(specs: None, capsys: pytest.CaptureFixture[str]) -> None:
    """A service of several projects, or none of several projects."""
    assert run(["suspend", "web", "--reason", "x"]) == USAGE
    assert "service web is in several projects: edge, shop" in capsys.readouterr().err
    assert run(["suspend", "--reason", "x"]) == USAGE
    assert "the projects are edge, shop" in capsys.readouterr().err
    assert run(["suspend", "--all", "--reason", "x", "-o", "json"]) == 0
    assert document(capsys)["names"] == ["edge", "shop"]


def test_settings_that_are_wrong_are_part_of_the_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One row for each mistake, at its line; refused."""
    (tmp_path / "config.yaml").write_text("resync: 5\nhistorie: 5\n")
    for command in (["--dry-run"], [], ["sync"], ["images"], ["validate"]):
        assert run([*command, "--config", str(tmp_path / "config.yaml"), "-o", "json"]) == REFUSED
        errors = document(capsys)["errors"]
        assert [error["source"].rpartition(":")[2] for error in errors] == ["1", "2"]
        assert {error["code"] for error in errors} == {"SettingsInvalid"}


def test_a_schema_needs_no_settings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An editor gets it whatever else is wrong."""
    monkeypatch.setenv("RECONCILER_CONFIG", "/nonexistent")
    assert run(["schema"]) == 0


def test_one_shot_commands_take_the_engine_from_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A flag counts before the file, as everywhere."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yaml").write_text("name: shop\nservices: {web: {image: a}}\n")
    (tmp_path / "config.yaml").write_text("host: simulated://\nlog: {level: error}\n")
    assert run(["--config", "config.yaml"]) == 0
    said = capsys.readouterr()
    assert "shop: converged" in said.out
    assert said.err == ""
    assert run(["--config", "config.yaml", "-H", "unix:///nonexistent.sock"]) == FAILED
