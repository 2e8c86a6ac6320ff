"""The controller's surroundings on a simulated engine: operations run at once, waiting moves the virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import replace
from typing import Any, TypeVar

from reconciler.controller import Loop, Outcome
from reconciler.engine.simulated import Behaviour, Behaviours, SimulatedEngine, VirtualClock
from reconciler.executor import Finished, Guard, Happened, OnProgress, execute
from reconciler.listeners import Silence
from reconciler.model import labels
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.operation import Operation
from reconciler.model.project import Project
from reconciler.model.step import Step
from reconciler.observer import Observer

JOB_SECONDS = 1.0
SPONTANEOUS = ("die", "health_status")
Key = TypeVar("Key")
Value = TypeVar("Value")


class VirtualExecutor:
    """Runs operations one after another on a simulated engine. Single-threaded, and so repeatable to the byte."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self._engine = engine
        self._finished: list[Finished | Happened] = []
        self._events_seen = 0

    def watch(self, _on_progress: OnProgress) -> None:
        """Nothing to subscribe to: every wait looks at the event log."""

    def unwatch(self) -> None:
        """What was not collected is of no use to anybody."""
        self._finished.clear()

    def touched(self) -> frozenset[str]:
        """Any may have changed: its event log names no ids."""
        return frozenset({""})

    def settle(self) -> None:
        """Nothing is ever in flight: operations end before they are submitted."""

    def close(self, *, wait: bool) -> None:
        """Nothing to give back."""

    def now(self) -> float:
        """The virtual time."""
        return self._engine.clock.now()

    def submit(self, operations: Iterable[Operation], guard: Guard) -> None:
        """Carry out each operation now; its end is collected by the next wait."""
        for operation in operations:
            self._finished.append(execute(self._engine, operation, _ignore, self.now, guard))

    def gather(self, call: Callable[[SimulatedEngine, Key], Value], keys: Iterable[Key]) -> list[Value]:
        """The call's result for each key, in order."""
        return [call(self._engine, key) for key in keys]

    def wait(self, until: float | None) -> list[Finished | Happened]:
        """What finished; where nothing did, move the clock to the next thing that happens, or to `until`."""
        if not self._finished:
            self._advance(until)
        finished, self._finished = self._finished, []
        return finished + self._events()

    def _events(self) -> list[Finished | Happened]:
        """One sign that containers ended or changed their health while time passed, as the event stream would give."""
        logged = self._engine.world.logged
        new = self._engine.event_log[-(logged - self._events_seen) :] if logged > self._events_seen else []
        self._events_seen = logged
        return [Happened("")] if any(action.startswith(SPONTANEOUS) for _, action, _ in new) else []

    def _advance(self, until: float | None) -> None:
        due = [time for time in (self._engine.next_event_at(), until) if time is not None]
        if due:
            self._engine.advance_to(max(self._engine.clock.now(), min(due)))
            self._finished.append(Happened(""))


def _ignore(_text: str) -> None:
    """Progress of a forecast is nobody's business."""


def new_engine(projects: tuple[Project, ...], now: float) -> SimulatedEngine:
    """An empty engine on which these projects behave as assumed: what `-H simulated://` means."""
    return SimulatedEngine(VirtualClock(now), behaviours=assumed_behaviours(projects))


def simulate(
    desired: Desired, observer: Observer, memory: Memory, first: Step, now: float, guard: Guard
) -> tuple[Outcome, float]:
    """Run the loop on a copy of what the observer read, at engine time `now`, from the first step to its fixed point.

    The outcome, and how many seconds its gates, delays and drains took.
    """
    behaviours = assumed_behaviours((desired.project,))
    engine = SimulatedEngine.seeded(observer.snapshot(), VirtualClock(now), behaviours=behaviours)
    executor = VirtualExecutor(engine)
    forecaster = copy(observer)
    forecaster.go_on(engine, executor.gather, executor.now)
    forecaster.retarget(desired.project, lambda: memory.made, memory.adopted)
    outcome = Loop(desired, forecaster, executor, Silence(), guard).run(memory, first)
    return outcome, executor.now() - now


def with_refusals(memory: Memory, outcome: Outcome) -> Memory:
    """The memory, and what the policy refused of services in that forecast: not asked for again, the rest goes on.

    Itself where there is nothing new. A network or volume that is refused is everybody's: nothing goes on without it.
    """
    found = outcome.memory
    refused = found.refused_operations
    if refused.keys() <= memory.failed_operations.keys():
        return memory
    return replace(
        memory,
        failures={**found.denied, **memory.failures},
        failed_operations={**memory.failed_operations, **refused},
        refused=memory.refused | frozenset(refused.values()),
    )


def assumed_behaviours(projects: tuple[Project, ...]) -> Behaviours:
    """What a forecast cannot know and assumes: images start and become healthy, jobs complete."""
    jobs = {(project.name, service.name) for project in projects for service in project.services if service.job}

    def behave(_image: str, config: Mapping[str, Any]) -> Behaviour:
        found = config.get("Labels") or {}
        is_job = (found.get(labels.COMPOSE_PROJECT), found.get(labels.COMPOSE_SERVICE)) in jobs
        return Behaviour(exit_after=JOB_SECONDS) if is_job else Behaviour()

    return behave
