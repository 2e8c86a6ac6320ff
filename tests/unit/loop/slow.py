# ruff: noqa: ARG002, D102 - protocols document their methods and fix their arguments
"""Surroundings of the loop in which operations take time, and nothing else happens meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reconciler.controller import Loop, Outcome
from reconciler.engine.simulated import SimulatedEngine, VirtualClock
from reconciler.executor import Finished, Guard, Happened, execute
from reconciler.model.desired import Desired
from reconciler.model.memory import Failure, Memory
from reconciler.model.operation import Operation
from reconciler.model.step import Step
from reconciler.observer import Observer
from tests.support.planning import NOW, desired, service, unguarded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.engine.protocol import Engine


class SlowExecutor:
    """Every operation takes effect, and its end is known, so many seconds after it was submitted."""

    def __init__(self, engine: SimulatedEngine, seconds: float) -> None:
        self.engine = engine
        self.waits = 0
        self._seconds = seconds
        self._due: list[tuple[float, Operation]] = []

    def now(self) -> float:
        return self.engine.clock.now()

    def submit(self, operations: Iterable[Operation], _guard: Guard) -> None:
        self._due += [(self.now() + self._seconds, operation) for operation in operations]

    def wait(self, until: float | None) -> list[Finished | Happened]:
        self.waits += 1
        times = [due for due, _ in self._due] + ([until] if until is not None else [])
        self.engine.advance_to(max(self.now(), min(times)))
        done = [operation for due, operation in self._due if due <= self.now()]
        self._due = [(due, operation) for due, operation in self._due if due > self.now()]
        return [execute(self.engine, operation, lambda _text: None, self.now, unguarded) for operation in done]

    def gather(self, call: Callable[[Engine, Any], Any], keys: Iterable[Any]) -> list[Any]:
        return [call(self.engine, key) for key in keys]


class Diary:
    """Notes what the loop says."""

    def __init__(self) -> None:
        self.passes = 0
        self.begun: list[str] = []

    def planned(self, step: Step) -> None:
        self.passes += 1

    def started(self, operation: Operation) -> None:
        self.begun.append(operation.kind)

    def finished(self, result: Finished) -> None:
        """Nothing to note."""

    def failed(self, failure: Failure) -> None:
        """Nothing to note."""

    def remember(self, memory: Memory) -> None:
        """Nothing to note."""


class Stage:
    """One project on an engine that has its image."""

    def __init__(self, seconds: float = 1.0, wanted: Desired | None = None) -> None:
        self.engine = SimulatedEngine(VirtualClock(NOW))
        self.engine.pull_image("app:1", None, lambda _text: None)
        self.executor = SlowExecutor(self.engine, seconds)
        self.wanted = replace(wanted or desired(service()), hash_key="key")
        self.diary = Diary()

    def observer(self) -> Observer:
        project, gather, now = self.wanted.project, self.executor.gather, self.executor.now
        return Observer(self.engine, self.engine.info(), project, "default", gather, now)

    def run(self, **options: Any) -> Outcome:
        return Loop(self.wanted, self.observer(), self.executor, self.diary, unguarded, **options).run(Memory())
