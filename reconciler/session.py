"""One engine for the length of a command: forecast, converge and status of projects on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from time import time
from typing import TYPE_CHECKING, Any, Self

from reconciler.controller import Loop, Outcome
from reconciler.engine.simulated import Behaviour, Behaviours, SimulatedEngine, VirtualClock
from reconciler.errors import EngineError
from reconciler.executor import Finished, ThreadedExecutor
from reconciler.forecast import VirtualExecutor
from reconciler.lock import project_lock
from reconciler.model import labels
from reconciler.model.canonical import keyed_hash
from reconciler.model.desired import Desired
from reconciler.model.observed import Observed, RegistryAnswer
from reconciler.model.operation import Condition, Failure, Memory, Operation, ServiceStatus, Step
from reconciler.model.project import Project
from reconciler.model.redaction import REDACTED, is_secret_name, redact_text
from reconciler.model.report import Activity, ProjectReport
from reconciler.observer import Observer
from reconciler.planner.images import registry_questions
from reconciler.planner.plan import plan

if TYPE_CHECKING:
    from reconciler.engine.protocol import Engine

LOG_LINES = 50
JOB_SECONDS = 1.0
MIN_SECRET_LENGTH = 4
OnActivity = Callable[[Activity], None]


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
        self._listener = _Silence()
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
            self._engine.world.behaviours = _assumed_behaviours(project)
        observer = Observer(
            self._engine, self._info, project, self._instance, self._executor.gather, self._executor.now
        )
        observer.resync()
        observed = observer.observed()
        registry = self._ask_registries(registry_questions(project, observed.images))
        desired = Desired(project, self._instance, self._info.id, registry, project.prune)
        first = plan(desired, observed, Memory(), self._executor.now())
        outcome = _simulate(desired, observer, registry, self._executor.now())
        return Forecast(self._forecast_report(desired, observed, first, outcome), desired, observer)

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
            listener = _Reporter(self._engine, project, on_activity, self._executor.now)
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
            return _outcome_report(forecast.report, outcome, listener.logs, self._executor.now() - began)

    def _lock(self, project: Project) -> AbstractContextManager[None]:
        """Nobody else can reach an engine that lives in this process."""
        simulated = isinstance(self._engine, SimulatedEngine)
        return nullcontext() if simulated else project_lock(self._info.id, project.name)

    def _ask_registries(self, references: tuple[str, ...]) -> dict[str, RegistryAnswer]:
        return dict(zip(references, self._executor.gather(_registry_answer, references), strict=True))

    def _forecast_report(self, desired: Desired, observed: Observed, first: Step, outcome: Outcome) -> ProjectReport:
        operations = _with_known_order(outcome.operations)
        return ProjectReport(
            name=desired.project.name,
            engine=self._info,
            operations=operations,
            services=first.services,
            conditions=(*outcome.step.conditions, *_ended_early(outcome)),
            failures=tuple(outcome.failures),
            failed_operations=tuple(outcome.failed_operations),
            in_sync=not operations and not outcome.step.conditions,
            converges=outcome.succeeded,
            succeeded=outcome.succeeded,
            fingerprint=_fingerprint(desired, observed),
            unknown=_unknown(desired.project, operations),
            notices=tuple(dict.fromkeys((*first.notices, *outcome.step.notices))),
            source=desired.project.source,
        )

    def _on_progress(self, operation: Operation, text: str) -> None:
        self._listener.progress(operation, text)


def _simulate(desired: Desired, observer: Observer, registry: dict[str, RegistryAnswer], now: float) -> Outcome:
    behaviours = _assumed_behaviours(desired.project)
    engine = SimulatedEngine.seeded(observer.snapshot(registry), VirtualClock(now), behaviours=behaviours)
    executor = VirtualExecutor(engine)
    copy = Observer(engine, engine.info(), desired.project, desired.instance, executor.gather, executor.now)
    return Loop(desired, copy, executor, _Silence()).run(Memory())


def _assumed_behaviours(project: Project) -> Behaviours:
    """What a forecast cannot know and assumes: images start and become healthy, jobs complete."""
    jobs = {service.name for service in project.services if service.job}

    def behave(_image: str, config: Mapping[str, Any]) -> Behaviour:
        is_job = (config.get("Labels") or {}).get(labels.SERVICE) in jobs
        return Behaviour(exit_after=JOB_SECONDS) if is_job else Behaviour()

    return behave


def _registry_answer(engine: Engine, reference: str) -> RegistryAnswer:
    try:
        return RegistryAnswer(digest=engine.registry_digest(reference))
    except EngineError as error:
        return RegistryAnswer(error=redact_text(error.message))


def _with_known_order(operations: list[Operation]) -> tuple[Operation, ...]:
    """The operations with only those predecessors that are part of the plan."""
    known = {operation.id for operation in operations}
    return tuple(replace(item, after=tuple(name for name in item.after if name in known)) for item in operations)


def _unknown(project: Project, operations: tuple[Operation, ...]) -> tuple[tuple[str, str], ...]:
    """Per service, which operation will tell what its image declares."""
    words = {"image.pull": "known after pull", "image.build": "known after build"}
    found = {operation.resource: words[operation.kind] for operation in operations if operation.kind in words}
    result = []
    for service in project.services:
        names = {service.image.build.tag} if service.image.build else set()
        names |= {
            item.service and item.resource or ""
            for item in operations
            if item.kind == "image.pull" and item.service == service.name
        }
        text = next((found[name] for name in sorted(names) if name in found), "")
        if text:
            result.append((service.name, text))
    return tuple(result)


def _fingerprint(desired: Desired, observed: Observed) -> str:
    """A hash over what is wanted and the stable part of what runs: equal fingerprints mean an equal plan."""
    seen = [
        [item.name, item.status, item.labels.get(labels.SPEC_HASH, ""), item.image_id, item.health or ""]
        for item in sorted(observed.containers, key=lambda item: item.name)
    ]
    wanted = [[service.name, service.replicas, service.container] for service in desired.project.services]
    names = [sorted(item.name for item in observed.networks if item.labels.get(labels.PROJECT) == desired.project.name)]
    return keyed_hash(desired.hash_key, {"seen": seen, "wanted": wanted, "networks": names})


def _outcome_report(
    plan_report: ProjectReport, outcome: Outcome, logs: dict[str, str], duration: float
) -> ProjectReport:
    return replace(
        plan_report,
        operations=_with_known_order(outcome.operations),
        services=outcome.step.services,
        conditions=(*outcome.step.conditions, *_ended_early(outcome)),
        failures=tuple(outcome.failures),
        failed_operations=_untold_failures(outcome),
        succeeded=outcome.succeeded,
        in_sync=outcome.succeeded,
        duration=duration,
        logs=tuple(sorted(logs.items())),
    )


def _untold_failures(outcome: Outcome) -> tuple[tuple[str, str], ...]:
    """The failed operations that no failed rollout speaks of."""
    told = tuple(f":{failure.service}/" for failure in outcome.failures)
    return tuple(item for item in outcome.failed_operations if not any(name in item[0] for name in told))


def _ended_early(outcome: Outcome) -> tuple[Condition, ...]:
    if outcome.timed_out and not outcome.step.empty:
        return (Condition("Stalled", "True", "Timeout", "not converged in the time that --timeout gives"),)
    if outcome.endless:
        return (Condition("Stalled", "True", "Endless", "the plan does not come to an end; please report this spec"),)
    return ()


class _Silence:
    """Listens to nothing."""

    def planned(self, step: Step, inflight: frozenset[str]) -> None:
        """Ignore."""

    def started(self, operation: Operation) -> None:
        """Ignore."""

    def finished(self, result: Finished) -> None:
        """Ignore."""

    def failed(self, failure: Failure) -> None:
        """Ignore."""

    def progress(self, operation: Operation, text: str) -> None:
        """Ignore."""


class _Reporter(_Silence):
    """Turns what the loop does into activities, and keeps the last log lines of containers that failed."""

    def __init__(self, engine: Engine, project: Project, on_activity: OnActivity, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._project = project
        self._on_activity = on_activity
        self._clock = clock
        self._began = clock()
        self._said: dict[str, str] = {}
        self.logs: dict[str, str] = {}

    def planned(self, step: Step, inflight: frozenset[str]) -> None:
        """Say what each service waits for, and when it has arrived, once each."""
        for service in step.services:
            text = f"waiting for {service.waiting}" if service.waiting else _arrived(service)
            before = self._said.get(service.name)
            if text and text != before and (service.waiting or before is not None):
                self._say(service.name, "progress", text)
            self._said[service.name] = text

    def started(self, operation: Operation) -> None:
        """An operation was submitted."""
        self._say(operation.service, "started", operation.kind, operation)

    def finished(self, result: Finished) -> None:
        """An operation ended."""
        state = "failed" if result.error else "finished"
        self._say(result.operation.service, state, str(result.error or ""), result.operation)

    def failed(self, failure: Failure) -> None:
        """Keep the container's last words before it is removed."""
        if not failure.container:
            return
        try:
            text = self._engine.container_logs(failure.container, LOG_LINES)
        except EngineError as error:
            text = f"(its log could not be read: {error.message})"
        self.logs[failure.container] = _without_secrets(text, self._project, failure.service)

    def progress(self, operation: Operation, text: str) -> None:
        """A line of pull or build output."""
        self._say(operation.service, "progress", text, operation)

    def _say(self, service: str | None, state: Any, text: str, operation: Operation | None = None) -> None:
        seconds = self._clock() - self._began
        self._on_activity(Activity(self._project.name, service, state, redact_text(text), seconds, operation))


def _arrived(service: ServiceStatus) -> str:
    """What is said once of a service that has nothing more to wait for; "" while it has."""
    if service.sync != "Synced":
        return ""
    return "completed" if service.health == "Completed" else f"up {service.healthy}/{service.desired}"


def _without_secrets(text: str, project: Project, service_name: str) -> str:
    """The text with the values of the service's secret-looking variables, and passwords in URLs, replaced."""
    service = project.service(service_name)
    for entry in (service.container.get("Env") or ()) if service else ():
        name, _, value = entry.partition("=")
        if is_secret_name(name) and len(value) >= MIN_SECRET_LENGTH:
            text = text.replace(value, REDACTED)
    return redact_text(text)
