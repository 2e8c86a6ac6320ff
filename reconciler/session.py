"""One engine for the length of a command: forecast, converge and status of projects on it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from time import time
from typing import TYPE_CHECKING, Self

from reconciler.controller import Loop, Outcome
from reconciler.errors import EngineError
from reconciler.executor import SessionExecutor, ThreadedExecutor
from reconciler.listeners import OnActivity, Reporter
from reconciler.lock import project_lock, unlocked
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.observed import RegistryAnswer
from reconciler.model.project import Project
from reconciler.model.redaction import redact_text
from reconciler.model.report import ProjectReport
from reconciler.observer import Observer
from reconciler.planner.images import registry_questions
from reconciler.planner.plan import plan
from reconciler.reports import forecast_report, outcome_report

if TYPE_CHECKING:
    from reconciler.engine.protocol import Engine


@dataclass(frozen=True)
class Forecast:
    """A project's forecast and what it was made from."""

    report: ProjectReport
    desired: Desired
    observer: Observer
    nothing_to_do: bool


Lock = Callable[[str, str], AbstractContextManager[None]]


def open_session(host: str | None, context: str | None, instance: str, projects: tuple[Project, ...]) -> Session:
    """Connect to the engine that the options and the environment name, `simulated://` being none at all.

    EngineUnreachableError where none answers.
    """
    if host == "simulated://":
        from reconciler.forecast import VirtualExecutor, new_engine

        virtual = new_engine(projects, time())
        return Session(virtual, VirtualExecutor(virtual), unlocked, instance)
    from reconciler.engine.docker import connect

    engine = connect(host, context)
    offset = engine.info().clock_offset
    return Session(engine, ThreadedExecutor(engine, lambda: time() + offset), project_lock, instance)


class Session:
    """Forecasts, converges and reports projects on one engine, through an executor of its kind."""

    def __init__(self, engine: Engine, executor: SessionExecutor, lock: Lock, instance: str) -> None:
        self._engine = engine
        self._info = engine.info()
        self._executor = executor
        self._lock = lock
        self._instance = instance

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the connections, after what is in flight unless a person insists on leaving."""
        self._executor.close(wait=kind is not KeyboardInterrupt)
        self._engine.close()

    def forecast(self, project: Project) -> Forecast:
        """Run the loop on a simulated engine seeded with what the real one runs now, to its fixed point."""
        now, gather = self._executor.now, self._executor.gather
        observer = Observer(self._engine, self._info, project, self._instance, gather, now)
        observer.resync()
        observed = observer.observed()
        registry = self._ask_registries(registry_questions(project, observed.images))
        desired = Desired(project, self._instance, self._info.id, registry, project.prune)
        first = plan(desired, observed, Memory(), now())
        outcome = Outcome(first, Memory()) if first.empty else _simulate(desired, observer, registry, now())
        return Forecast(
            forecast_report(desired, observed, first, outcome), desired, observer, nothing_to_do=first.empty
        )

    def status(self, project: Project) -> ProjectReport:
        """What runs, judged by one pass of the planner."""
        report = self.forecast(project).report
        return replace(report, services=tuple(replace(service, waiting="") for service in report.services))

    def converge(
        self,
        project: Project,
        on_plan: Callable[[ProjectReport], None],
        on_activity: OnActivity,
        should_stop: Callable[[], bool],
        timeout: float | None,
    ) -> ProjectReport:
        """Forecast; where that converges, do it; report how it ended."""
        with self._lock(self._info.id, project.name):
            forecast = self.forecast(project)
            on_plan(forecast.report)
            if not forecast.report.converges:
                return replace(forecast.report, operations=())
            if forecast.nothing_to_do:
                return forecast.report
            began = self._executor.now()
            listener = Reporter(self._engine, project, on_activity, self._executor.now)
            deadline = None if timeout is None else began + timeout
            outcome = self._run(forecast, listener, should_stop, deadline)
            return outcome_report(forecast.report, outcome, listener.logs, self._executor.now() - began)

    def _run(
        self, forecast: Forecast, listener: Reporter, should_stop: Callable[[], bool], deadline: float | None
    ) -> Outcome:
        self._executor.watch(listener.progress)
        loop = Loop(
            forecast.desired, forecast.observer, self._executor, listener, should_stop=should_stop, deadline=deadline
        )
        try:
            return loop.run(Memory())
        except EngineError:
            self._executor.settle()  # the lock is ours until nothing is in flight
            raise

    def _ask_registries(self, references: tuple[str, ...]) -> dict[str, RegistryAnswer]:
        return dict(zip(references, self._executor.gather(_registry_answer, references), strict=True))


def _simulate(desired: Desired, observer: Observer, registry: dict[str, RegistryAnswer], now: float) -> Outcome:
    from reconciler.forecast import simulate

    return simulate(desired, observer, registry, now)


def _registry_answer(engine: Engine, reference: str) -> RegistryAnswer:
    try:
        return RegistryAnswer(digest=engine.registry_digest(reference))
    except EngineError as error:
        return RegistryAnswer(error=redact_text(error.message))
