"""One engine for the length of a command: forecast, converge and status of projects on it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from time import time
from typing import TYPE_CHECKING, Any, Self

from reconciler.controller import Loop
from reconciler.engine.simulated import SimulatedEngine, VirtualClock
from reconciler.errors import EngineError
from reconciler.executor import ThreadedExecutor
from reconciler.forecast import VirtualExecutor, assumed_behaviours, simulate
from reconciler.listeners import OnActivity, Reporter, Silence
from reconciler.lock import project_lock
from reconciler.model.desired import Desired
from reconciler.model.observed import RegistryAnswer
from reconciler.model.operation import Memory, Operation
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


def open_session(host: str | None, context: str | None, instance: str) -> Session:
    """Connect to the engine that the options and the environment name. EngineUnreachableError where none answers."""
    if host == "simulated://":
        return Session(SimulatedEngine(VirtualClock(time())), instance)
    from reconciler.engine.docker import connect

    return Session(connect(host, context), instance)


class Session:
    """Forecasts, converges and reports projects on one engine."""

    def __init__(self, engine: Engine, instance: str) -> None:
        self._engine = engine
        self._info = engine.info()
        self._instance = instance
        self._listener = Silence()
        self._assumes = isinstance(engine, SimulatedEngine) and engine.world.behaviours is None
        if isinstance(engine, SimulatedEngine):
            self._executor: Any = VirtualExecutor(engine)
        else:
            self._executor = ThreadedExecutor(engine, time, self._on_progress)

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the connections, after what is in flight unless a person insists on leaving."""
        if isinstance(self._executor, ThreadedExecutor):
            self._executor.close(wait=kind is not KeyboardInterrupt)
        self._engine.close()

    def forecast(self, project: Project) -> Forecast:
        """Run the loop on a simulated engine seeded with what the real one runs now, to its fixed point."""
        if self._assumes and isinstance(self._engine, SimulatedEngine):
            self._engine.world.behaviours = assumed_behaviours(project)
        observer = Observer(
            self._engine, self._info, project, self._instance, self._executor.gather, self._executor.now
        )
        observer.resync()
        observed = observer.observed()
        registry = self._ask_registries(registry_questions(project, observed.images))
        desired = Desired(project, self._instance, self._info.id, registry, project.prune)
        first = plan(desired, observed, Memory(), self._executor.now())
        outcome = simulate(desired, observer, registry, self._executor.now())
        return Forecast(forecast_report(desired, observed, first, outcome), desired, observer)

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
        with self._lock(project):
            forecast = self.forecast(project)
            on_plan(forecast.report)
            if not forecast.report.converges:
                return replace(forecast.report, operations=())
            began = self._executor.now()
            listener = Reporter(self._engine, project, on_activity, self._executor.now)
            self._listener = listener
            if isinstance(self._executor, ThreadedExecutor) and forecast.report.operations:
                self._executor.watch()
            deadline = None if timeout is None else self._executor.now() + timeout
            loop = Loop(
                forecast.desired,
                forecast.observer,
                self._executor,
                listener,
                should_stop=should_stop,
                deadline=deadline,
            )
            outcome = loop.run(Memory())
            return outcome_report(forecast.report, outcome, listener.logs, self._executor.now() - began)

    def _lock(self, project: Project) -> AbstractContextManager[None]:
        """Nobody else can reach an engine that lives in this process."""
        simulated = isinstance(self._engine, SimulatedEngine)
        return nullcontext() if simulated else project_lock(self._info.id, project.name)

    def _ask_registries(self, references: tuple[str, ...]) -> dict[str, RegistryAnswer]:
        return dict(zip(references, self._executor.gather(_registry_answer, references), strict=True))

    def _on_progress(self, operation: Operation, text: str) -> None:
        self._listener.progress(operation, text)


def _registry_answer(engine: Engine, reference: str) -> RegistryAnswer:
    try:
        return RegistryAnswer(digest=engine.registry_digest(reference))
    except EngineError as error:
        return RegistryAnswer(error=redact_text(error.message))
