"""The live view of a converge: one line per service, drawn with rich. Imported on terminals only."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from reconciler.cli.changes import PAST, changes, tally
from reconciler.cli.phrases import seconds
from reconciler.cli.progress import doing, outcome, subject
from reconciler.cli.values import clean, name_of
from reconciler.model.operation import Operation
from reconciler.model.report import Activity, ProjectReport, Report

_SPARE_LINES = 4
_NAME = 36
_TIME = 10


@dataclass
class _Row:
    """One service, or one network, volume or image that belongs to none."""

    name: str
    total: int
    summary: str = ""
    done: int = 0
    text: str = "waiting for its turn"
    began: float | None = None
    last: float | None = None
    ended: float | None = None
    failed: bool = False


class LiveProgress:
    """Redraws ten times a second from a thread of rich's; the last picture stays on the screen."""

    def __init__(self, *, color: bool) -> None:
        self._console = Console(stderr=True, no_color=not color, highlight=False)
        self._lock = threading.RLock()
        self._rows: dict[tuple[str, str], _Row] = {}
        self._origins: dict[str, float] = {}
        self._spinner = Spinner("dots")
        self._live: Live | None = None
        self._closed = False

    def plan(self, project: ProjectReport) -> None:
        """Put up a line for everything that the forecast says will be worked on; the project before is through."""
        with self._lock:
            for (name, _), row in self._rows.items():
                if name != project.name and row.done >= row.total:
                    _settle(row, "", succeeded=True)
            for operation in project.operations:
                self._row(project.name, _owner(operation)).total += 1
            for name, text in _summaries(project).items():
                self._row(project.name, name).summary = text
        self._start()

    def activity(self, activity: Activity) -> None:
        """Bring one line up to date."""
        with self._lock:
            origin = self._origins.setdefault(activity.project, time.monotonic() - activity.seconds)
            operation = activity.operation
            name = _owner(operation) if operation else activity.service or activity.project
            _advance(self._row(activity.project, name), activity, origin + activity.seconds)
        self._start()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the lines off the screen meanwhile."""
        live, self._live = self._live, None
        if live:
            live.transient = True
            live.stop()
        yield
        if live:
            self._start()

    def finish(self, report: Report) -> None:
        """Mark what came up and what did not; nothing else tells when a service's last replica became healthy."""
        with self._lock:
            for project in report.projects:
                failed = {failure.service: failure.reason for failure in project.failures}
                for (name, owner), row in self._rows.items():
                    if name == project.name:
                        _settle(row, failed.get(owner, ""), succeeded=project.succeeded)

    def close(self) -> None:
        """Leave the last picture."""
        self._closed = True
        if self._live:
            self._live.stop()
            self._live = None
            self._console.print()

    def _start(self) -> None:
        if self._live is None and self._rows:
            self._live = Live(
                console=self._console, get_renderable=self._picture, refresh_per_second=10, redirect_stdout=False
            )
            self._live.start()

    def _row(self, project: str, name: str) -> _Row:
        many = any(other != project for other, _ in self._rows)
        return self._rows.setdefault((project, name), _Row(f"{project} {name}" if many else name, 0))

    def _picture(self) -> RenderableType:
        with self._lock:
            now = time.monotonic()
            visible, hidden = _fitting(list(self._rows.values()), self._console.height - _SPARE_LINES)
            table = _grid(max((len(row.name) for row in visible), default=0))
            for row in visible:
                table.add_row(self._symbol(row), Text(row.name), Text(row.text), Text(_elapsed(row, now), style="dim"))
            if hidden:
                table.add_row(Text("✓", style="green"), Text("…"), Text(f"{hidden} more are done"), Text(""))
            return table

    def _symbol(self, row: _Row) -> RenderableType:
        if row.failed:
            return Text("✗", style="red")
        if row.ended is not None:
            return Text("✓", style="green")
        idle = row.began is None or self._closed
        return Text("·", style="dim") if idle else self._spinner


def _owner(operation: Operation) -> str:
    return operation.service or subject(operation)


def _summaries(project: ProjectReport) -> dict[str, str]:
    by_owner: dict[str, list[str]] = {}
    for change in changes(project):
        owner = change.service or f"{change.resource} {name_of(change.targets[0])}"
        by_owner.setdefault(owner, []).extend(f"{number} {PAST[verb]}" for verb, number in tally([change]).items())
    return {owner: ", ".join(texts) for owner, texts in by_owner.items()}


def _advance(row: _Row, activity: Activity, now: float) -> None:
    row.began = now if row.began is None else row.began
    row.last = now
    operation = activity.operation
    if activity.state in {"finished", "failed"} and operation:
        row.done += 1
        row.text = _sentence(operation, outcome(operation, activity))
        row.failed = row.failed or activity.state == "failed"
    elif activity.state == "started" and operation:
        row.text = _sentence(operation, doing(operation))
    else:
        row.text = clean(activity.text).replace("\n", " ")
    finished = activity.state == "finished" and row.done >= row.total
    row.ended = now if finished or row.failed else None
    if finished and row.summary and not row.failed:
        row.text = row.summary


def _settle(row: _Row, failure: str, *, succeeded: bool) -> None:
    if failure:
        row.failed, row.text = True, failure
    elif succeeded and not row.failed:
        row.text = row.summary or row.text
    if (failure or succeeded) and row.ended is None:
        row.ended = row.last


def _sentence(operation: Operation, text: str) -> str:
    return f"{operation.service}/{operation.slot}: {text}" if operation.slot is not None else text


def _elapsed(row: _Row, now: float) -> str:
    if row.began is None:
        return ""
    return seconds(max((now if row.ended is None else row.ended) - row.began, 0.0))


def _grid(name_width: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(width=1)
    table.add_column(width=min(name_width, _NAME), no_wrap=True, overflow="ellipsis")
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(width=_TIME, justify="right", no_wrap=True)
    return table


def _fitting(rows: list[_Row], height: int) -> tuple[list[_Row], int]:
    """The lines that fit on the screen and the number of those left out; finished ones give way first."""
    if len(rows) <= height:
        return rows, 0
    active = [row for row in rows if row.failed or row.ended is None]
    return active[: max(height, 1)], len(rows) - len(active)
