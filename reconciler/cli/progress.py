"""Progress of a converge on stderr: live lines on a terminal, plain lines elsewhere. Fed by `app.converge`.

Callbacks may come from any thread.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from reconciler.cli.cause_text import cause_sentence
from reconciler.cli.changes import PAST, Verb, drain_method, redacted, replica, verb_of
from reconciler.cli.phrases import seconds
from reconciler.cli.values import clean, name_of
from reconciler.logs import get_logger
from reconciler.model.operation import Operation
from reconciler.model.report import Activity, ProjectReport, Report

_GERUNDS: dict[Verb, str] = {
    "create": "creating",
    "copy": "copying files into",
    "start": "starting",
    "stop": "stopping",
    "remove": "removing",
    "connect": "connecting",
    "disconnect": "disconnecting",
    "drain": "draining",
    "pull": "pulling",
    "build": "building",
    "tag": "tagging",
}
_SLOW = {"image.pull", "image.build"}
_DIGITS = re.compile(r"\d[\d.]*")


class Progress(Protocol):
    """What a converge reports to while it runs."""

    def plan(self, project: ProjectReport) -> None:
        """A project is about to be converged."""
        ...

    def activity(self, activity: Activity) -> None:
        """Something happened."""
        ...

    def paused(self) -> AbstractContextManager[None]:
        """Keep the terminal free for other output meanwhile."""
        ...

    def finish(self, report: Report) -> None:
        """The converge ended like this."""
        ...

    def close(self) -> None:
        """Nothing more will come, whether it ended or broke off."""
        ...


class PlainProgress:
    """One line for every new fact, for logs and pipes; repetitions and moving counters say nothing new."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._projects: set[str] = set()
        self._started: dict[tuple[str, str], float] = {}
        self._said: dict[tuple[str, str], set[str]] = {}

    def plan(self, project: ProjectReport) -> None:
        """From the second project on, lines say which one they are about."""
        self._projects.add(project.name)

    def activity(self, activity: Activity) -> None:
        """Write the activity's line, if it has one that was not written just before."""
        with self._lock:
            self._projects.add(activity.project)
            text = self._text(activity)
            if text:
                self._write(f"{activity.project} {text}" if len(self._projects) > 1 else text)

    def paused(self) -> AbstractContextManager[None]:
        """Plain lines are in nobody's way."""
        return nullcontext()

    def finish(self, report: Report) -> None:
        """The report itself says how it ended."""

    def close(self) -> None:
        """Everything is written already."""

    def _text(self, activity: Activity) -> str | None:
        if activity.state == "progress":
            return self._news(activity)
        operation = activity.operation
        if operation is None:
            return f"{activity.service or activity.project}: {clean(activity.text)}"
        if activity.state == "started":
            self._started[activity.project, operation.id] = activity.seconds
            return f"{subject(operation)}: {doing(operation)}" if operation.kind in _SLOW else None
        took = activity.seconds - self._started.get((activity.project, operation.id), activity.seconds)
        return f"{subject(operation)}: {outcome(operation, activity)} ({seconds(took)})"

    def _news(self, activity: Activity) -> str | None:
        """A waiting service's line unless it repeats the last; of a pull's counters only the first of each kind."""
        operation = activity.operation
        text = clean(activity.text).rstrip()
        key = (activity.project, operation.id if operation else activity.service or "")
        pulling = operation is not None and operation.kind == "image.pull"
        mark = _DIGITS.sub("#", text) if pulling else text
        said = self._said.setdefault(key, set())
        if not text or mark in said:
            return None
        self._said[key] = said | {mark} if pulling else {mark}
        return f"{subject(operation) if operation else activity.service or activity.project}: {text}"


class LoggedProgress:
    """Every activity as a log line with its operation and causes as fields."""

    def plan(self, project: ProjectReport) -> None:
        """Log how much there is to do."""
        kinds = {"operations": len(project.operations), "in_sync": project.in_sync, "converges": project.converges}
        get_logger(project=project.name).info("planned", **kinds)

    def activity(self, activity: Activity) -> None:
        """Log one activity: starts at level debug, failures at level error."""
        operation = activity.operation
        log = get_logger(project=activity.project, service=activity.service, seconds=round(activity.seconds, 3))
        if operation is None or activity.state == "progress":
            about = {"resource": operation.resource} if operation else {}
            log.info("progress", text=clean(activity.text), **about)
            return
        log = log.bind(state=activity.state, resource=operation.resource, slot=operation.slot)
        log = log.bind(cause=[cause_sentence(redacted(cause)) for cause in operation.cause])
        if activity.state == "failed":
            log.error(operation.kind, error=clean(activity.text))
        else:
            (log.debug if activity.state == "started" else log.info)(operation.kind)

    def paused(self) -> AbstractContextManager[None]:
        """Log lines are in nobody's way."""
        return nullcontext()

    def finish(self, report: Report) -> None:
        """Log each project's verdict."""
        for project in report.projects:
            get_logger(project=project.name).info("finished", succeeded=project.succeeded)

    def close(self) -> None:
        """Everything is written already."""


def subject(operation: Operation) -> str:
    """Whose line it is: `web/1`, `web` for its image, `network shop_default`."""
    if operation.service:
        return replica(operation) if operation.slot is not None else operation.service
    return f"{operation.kind.partition('.')[0]} {name_of(operation.resource)}"


def doing(operation: Operation) -> str:
    """`creating shop-web-1-ab12cd34`; the object's name only where the line does not begin with it."""
    return _with_object(_GERUNDS[verb_of(operation)], operation)


def outcome(operation: Operation, activity: Activity) -> str:
    """`created shop-web-1-ab12cd34`, or what failed and why."""
    if activity.state == "failed":
        return f"{_with_object(_GERUNDS[verb_of(operation)], operation)} failed: {clean(activity.text)}"
    return _with_object(PAST[verb_of(operation)], operation)


def open_progress(*, logged: bool, quiet: bool, live: bool, color: bool, write: Callable[[str], None]) -> Progress:
    """Log lines if `logged`, else nothing if `quiet`, else lines that change if `live`, else lines through `write`."""
    if logged:
        return LoggedProgress()
    if quiet:
        return PlainProgress(lambda _: None)
    if not live:
        return PlainProgress(write)
    from reconciler.cli.progress_live import LiveProgress

    return LiveProgress(color=color)


@contextmanager
def following(progress: Progress) -> Iterator[Progress]:
    """The progress, closed at the end whatever happens."""
    try:
        yield progress
    finally:
        progress.close()


def _with_object(word: str, operation: Operation) -> str:
    method = drain_method(operation)
    how = f" ({method})" if method else ""
    return f"{word} {name_of(operation.resource)}{how}" if operation.service else word
