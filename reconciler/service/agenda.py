"""Which projects are to be looked at, and when: each at most once at a time, and never two passes of one at once.

For one thread, the dispatcher's. Knows no clock: the time is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum


class Urgency(IntEnum):
    """Who goes first: a person and a commit overtake what happened on the engine, and that overtakes routine."""

    ASKED = 0
    CHANGED = 1
    HAPPENED = 2
    TIMER = 3
    ROUTINE = 4


@dataclass(frozen=True)
class Due:
    """A project to be looked at now: how urgent it is, and what for, in the order in which that came up."""

    project: str
    urgency: Urgency
    reasons: tuple[str, ...]


@dataclass
class _Entry:
    urgency: Urgency = Urgency.ROUTINE
    reasons: dict[str, None] = field(default_factory=dict)


class Agenda:
    """What is due. What comes up while a project's pass is under way makes it due once more after it."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Entry] = {}
        self._under_way: set[str] = set()
        self._timers: dict[str, dict[str, float]] = {}
        self._held: dict[str, float] = {}

    def add(self, project: str, urgency: Urgency, reason: str) -> None:
        """Have the project looked at as soon as may be."""
        entry = self._waiting.setdefault(project, _Entry())
        entry.urgency = min(entry.urgency, urgency)
        entry.reasons[reason] = None

    def at(self, project: str, reason: str, time: float | None) -> None:
        """Have it looked at then, too; one time for each reason, None for no more."""
        timers = self._timers.setdefault(project, {})
        timers.pop(reason, None)
        if time is not None:
            timers[reason] = time

    def hold(self, project: str, until: float) -> None:
        """Leave it alone until then, whatever happens on the engine (a person and a commit end that)."""
        self._held[project] = until

    def release(self, project: str) -> None:
        """Leave it alone no longer."""
        self._held.pop(project, None)

    def take(self, now: float, at_most: int) -> list[Due]:
        """The most urgent projects that are due; they are under way from now on, until `done`."""
        self._ring(now)
        ready = [name for name, entry in self._waiting.items() if self._may_go(name, entry, now)]
        ready.sort(key=lambda name: self._waiting[name].urgency)
        return [self._begin(name) for name in ready[:at_most]]

    def done(self, project: str) -> None:
        """Its pass has ended."""
        self._under_way.discard(project)

    def forget(self, project: str) -> None:
        """It is nobody's business any more."""
        for kept in (self._waiting, self._timers, self._held):
            kept.pop(project, None)

    def is_under_way(self, project: str) -> bool:
        """Whether a pass of it is under way."""
        return project in self._under_way

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is under way: only timers are left."""
        return not self._waiting and not self._under_way

    def next_at(self) -> float | None:
        """When `take` may have something that it does not have now; None where only an `add` or `done` can bring it."""
        held = [self._held[name] for name in self._waiting if name in self._held and name not in self._under_way]
        timers = [
            time for name, found in self._timers.items() if name not in self._under_way for time in found.values()
        ]
        return min((*held, *timers), default=None)

    def _ring(self, now: float) -> None:
        for project, timers in self._timers.items():
            for reason in [reason for reason, time in timers.items() if time <= now]:
                del timers[reason]
                self.add(project, Urgency.TIMER, reason)

    def _may_go(self, project: str, entry: _Entry, now: float) -> bool:
        held = entry.urgency > Urgency.CHANGED and self._held.get(project, now) > now
        return project not in self._under_way and not held

    def _begin(self, project: str) -> Due:
        entry = self._waiting.pop(project)
        self._under_way.add(project)
        self._held.pop(project, None)
        return Due(project, entry.urgency, tuple(entry.reasons))
