"""What the service knows of one project between its passes. Only the dispatcher changes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from reconciler.model.operation import Operation
from reconciler.model.project import Notice, Project
from reconciler.model.report import Activity, ProjectReport
from reconciler.model.step import ServiceStatus

if TYPE_CHECKING:
    from reconciler.session import Session

State = Literal["new", "idle", "looking", "rolling", "held", "refused"]
OnActivity = Callable[[Activity], None]
Act = Callable[["Session", Project], object]
REPEATS = 3


@dataclass
class Waiter:
    """Somebody who waits for what comes of a project: the report of the pass that begins next, and what it does."""

    on_activity: OnActivity
    done: threading.Event = field(default_factory=threading.Event)
    report: ProjectReport | None = None
    error: Exception | None = None

    def tell(self, report: ProjectReport | None, error: Exception | None) -> None:
        """End the waiting."""
        self.report, self.error = report, error
        self.done.set()


@dataclass
class Keeper:
    """One project: what its last pass found, how often it failed in a row, and who waits for it.

    `error` says why the last pass came to nothing, and `errors` each reason by itself, with its place.
    `actions` are what a person wants done first in the next pass. `work` says what the last rollout did and `repeats`
    how often that was the same in a row; `stop` ends a rollout that a newer wish takes over from, and `live` is how the
    services are while one is under way. `leaving` says that no source has it any more, and `source` where it was.
    `full`: look at every container. `counts_until` is the engine's time from which a look that is under way is in
    nobody's way any more.
    """

    name: str
    state: State = "new"
    report: ProjectReport | None = None
    error: str = ""
    errors: tuple[Notice, ...] = ()
    failures: int = 0
    work: frozenset[tuple[str, ...]] = frozenset()
    repeats: int = 0
    pass_id: str = ""
    said: str = ""
    live: tuple[ServiceStatus, ...] = ()
    full: bool = True
    counts_until: float = 0.0
    leaving: bool = False
    source: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    actions: list[Act] = field(default_factory=list)
    waiting: list[Waiter] = field(default_factory=list)
    served: list[Waiter] = field(default_factory=list)

    def begin(self, pass_id: str, counts_until: float) -> None:
        """A pass begins: who waits by now is served by it."""
        self.pass_id, self.state, self.counts_until = pass_id, "looking", counts_until
        self.served += self.waiting
        self.waiting = []
        self.stop, self.live = threading.Event(), ()

    def ask_again(self) -> None:
        """Who was to be served by the pass that is under way waits for the next one."""
        self.waiting, self.served = self.served + self.waiting, []

    def take_actions(self) -> list[Act]:
        """What a person wants done first in this pass, each once."""
        actions, self.actions = self.actions, []
        return actions

    def tell(self, report: ProjectReport | None, error: Exception | None) -> None:
        """What was waited for has come."""
        for waiter in self.served:
            waiter.tell(report, error)
        self.served = []

    def activity(self, activity: Activity) -> None:
        """Pass on what happens; from any thread."""
        for waiter in tuple(self.served):
            waiter.on_activity(activity)

    def note_work(self, report: ProjectReport) -> bool:
        """Keep what is about to be done; whether it has been done again and again for the same cause, in vain."""
        work = frozenset(_what(operation) for operation in report.operations)
        self.repeats = self.repeats + 1 if work == self.work else 1
        self.work = work
        return self.repeats > REPEATS

    def forget_work(self) -> None:
        """What happens from now on is no repetition."""
        self.work, self.repeats = frozenset(), 0


def is_removed(report: ProjectReport) -> bool:
    """Whether a project that left its source is gone, whole: nothing is suspended, stuck, or in use by others."""
    in_use = any(notice.code == "NetworkInUse" for notice in report.notices)
    return report.in_sync and not report.conditions and not in_use


def _what(operation: Operation) -> tuple[str, ...]:
    """What is done, whatever the container is called this time."""
    fields = tuple(sorted(f"{item.field}={item.after}" for item in operation.cause))
    return (operation.kind, operation.service or operation.resource, str(operation.slot), *fields)
