"""One engine for the length of a command: forecast, converge and status of projects on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from time import time
from typing import TYPE_CHECKING, Self

from reconciler.controller import Loop, Outcome
from reconciler.errors import EngineError, LockedError
from reconciler.executor import SessionExecutor, ThreadedExecutor
from reconciler.explaining import RollbackError, choose, explain, hashes, put_back
from reconciler.images.bases import with_bases
from reconciler.listeners import OnActivity, Reporter, Several
from reconciler.lock import project_lock, unlocked
from reconciler.model import labels
from reconciler.model.desired import Desired
from reconciler.model.history import Explanation, RolloutRecord, Trigger
from reconciler.model.memory import DRAINS, Memory, Stable
from reconciler.model.observed import Observed
from reconciler.model.project import Notice, Project, Service
from reconciler.model.pushed import Pushed
from reconciler.model.report import Adoption, ImageRow, ProjectReport
from reconciler.model.step import Step
from reconciler.observer import Observer
from reconciler.planner.adoption import adopted, candidates, moved, summary
from reconciler.planner.images import bind_stable
from reconciler.planner.plan import plan
from reconciler.pushing import OnLine, push
from reconciler.recorder import Recorder
from reconciler.registries import Registries, own_registries
from reconciler.reports import adoption_notices, forecast_report, image_rows, moved_pins, outcome_report
from reconciler.resolving import Resolution, Resolver, local_zone
from reconciler.spec.lockfile import can_be_pinned, is_pinned

if TYPE_CHECKING:
    from reconciler.collecting import Collected
    from reconciler.engine.protocol import Engine
    from reconciler.store import ProjectStore, Store


@dataclass(frozen=True)
class Forecast:
    """A project's forecast and what it was made from."""

    report: ProjectReport
    desired: Desired
    observer: Observer
    memory: Memory
    first: Step
    resolution: Resolution


Lock = Callable[[str, str], AbstractContextManager[None]]


def open_session(
    host: str | None, context: str | None, instance: str, projects: tuple[Project, ...], store: Store
) -> Session:
    """Connect to the engine that the options and the environment name, `simulated://` being none at all.

    EngineUnreachableError where none answers.
    """
    if host == "simulated://":
        from reconciler.forecast import VirtualExecutor, new_engine

        virtual = new_engine(projects, time())
        return Session(virtual, VirtualExecutor(virtual), unlocked, instance, store)
    from reconciler.engine.docker import connect

    engine = connect(host, context)
    offset = engine.info().clock_offset
    executor = ThreadedExecutor(engine, lambda: time() + offset)
    registries = own_registries(host, context, engine_is_here=engine.info().shares_files)
    return Session(engine, executor, project_lock, instance, store, registries)


class Session:
    """Forecasts, converges and explains projects on one engine, through an executor of its kind."""

    def __init__(
        self,
        engine: Engine,
        executor: SessionExecutor,
        lock: Lock,
        instance: str,
        store: Store,
        registries: Registries | None = None,
    ) -> None:
        self._engine = engine
        self._info = engine.info()
        self._executor = executor
        self._lock = lock
        self._instance = instance
        self._store = store
        self._registries = registries or Registries(None)
        self._resolver = Resolver(self._registries, executor, executor.now, local_zone())
        self._triggers: dict[str, Trigger] = {}
        self._by_hand: set[str] = set()
        self._projects: dict[str, ProjectStore] = {}

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the connections, after what is in flight unless a person insists on leaving."""
        self._executor.close(wait=kind is not KeyboardInterrupt)
        self._registries.close()
        self._engine.close()

    def forecast(
        self,
        project: Project,
        *,
        max_unavailable: int | None = None,
        deep: bool = False,
        adopt: bool = False,
        also: Callable[[Service], bool] = lambda _: False,
    ) -> Forecast:
        """Run the loop on a simulated engine seeded with what the real one runs now, to its fixed point.

        `deep` looks at every writable layer, else only at those whose changes replace their replica. `adopt` takes over
        what `docker compose` made of the project: in the forecast's memory, which nothing keeps yet. `also` is that of
        `Resolver.resolve`.
        """
        now, memory = self._executor.now, self._remembered(project)
        observer = self._observe(project, memory, deep=deep)
        chosen, notices = _taken_over(project, observer) if adopt else ((), ())
        project = self._with_bases(project, observer.observed())
        resolution = self._resolver.resolve(project.services, observer.observed(), memory, also)
        memory, targets = resolution.memory, resolution.targets
        desired = Desired(
            project, self._instance, self._info.id, targets, project.prune, max_unavailable=max_unavailable
        )
        memory, adoption, kept = self._adopt(desired, observer, memory, chosen) if adopt else (memory, Adoption(), ())
        observed = observer.observed()
        memory = _without_the_gone(memory, observed)
        first = plan(desired, observed, memory, now())
        outcome, seconds = Outcome(first, memory), 0.0
        if not first.empty:
            outcome, seconds = _simulate(desired, observer, memory, now())
        quarantined = {service for service, _ in memory.quarantined} | {item.service for item in first.failures}
        report = forecast_report(desired, observed, first, outcome, quarantined, seconds)
        report = replace(report, adoption=adoption, notices=(*notices, *kept, *report.notices))
        return Forecast(report, desired, observer, memory, first, resolution)

    def plan(self, project: Project, *, max_unavailable: int | None = None, adopt: bool = False) -> ProjectReport:
        """The forecast's report, with the pinned tags that have moved since: their registries are asked for it."""
        forecast = self.forecast(project, max_unavailable=max_unavailable, adopt=adopt, also=is_pinned)
        return replace(forecast.report, notices=(*forecast.report.notices, *moved_pins(project, forecast.resolution)))

    def status(self, project: Project, *, deep: bool = False) -> ProjectReport:
        """What runs, judged by one pass of the planner."""
        report = self.forecast(project, deep=deep).report
        return replace(report, services=tuple(replace(service, waiting="") for service in report.services))

    def converge(
        self,
        project: Project,
        on_plan: Callable[[ProjectReport], None],
        on_activity: OnActivity,
        should_stop: Callable[[], bool],
        timeout: float | None,
        max_unavailable: int | None = None,
        *,
        adopt: bool = False,
    ) -> ProjectReport:
        """Forecast; where that converges, do it; report how it ended. `adopt` as in `forecast`."""
        with self._lock(self._info.id, project.name):
            forecast = self.forecast(project, max_unavailable=max_unavailable, adopt=adopt)
            on_plan(forecast.report)
            self._keep_sightings(project, forecast.memory)
            if not forecast.report.converges:
                return replace(forecast.report, operations=())
            if forecast.first.empty and not forecast.first.failures:
                self._learn(forecast)
                return replace(forecast.report, succeeded=self._as_asked(forecast.report, forecast.report.succeeded))
            return self._carry_out(forecast, on_activity, should_stop, timeout)

    @property
    def resolver(self) -> Resolver:
        """What finds out which image a service is to run."""
        return self._resolver

    def images(self, project: Project) -> tuple[ImageRow, ...]:
        """What each service runs and could run: every registry is asked, whatever the policies."""
        forecast = self.forecast(project, also=can_be_pinned)
        return image_rows(forecast.desired, forecast.observer.observed(), forecast.resolution, forecast.first.failures)

    def push(self, project: Project, on_line: OnLine) -> tuple[Pushed, ...]:
        """Push what the project's builds have made; see `pushing`. Only registries are written to."""
        observed = self._observe(project, self._remembered(project), deep=False).observed()
        return push(self._with_bases(project, observed), observed.images, self._executor, on_line)

    def history(self, project_name: str, service: str | None, limit: int) -> tuple[RolloutRecord, ...]:
        """The last rollouts of a project, or of one of its services, newest first."""
        return self._kept(project_name).history(service, limit)

    def revisions(self, project_name: str, service: str) -> tuple[Stable, ...]:
        """The definitions that a service came up with, oldest first."""
        return self._kept(project_name).revisions(service)

    def explain(self, project: Project, service_name: str) -> Explanation:
        """Why the service is as it is, judged by one pass of the planner."""
        forecast = self.forecast(project)
        return explain(forecast.first, forecast.memory, self._kept(project.name), project, service_name)

    def retry(self, project: Project, service_name: str) -> bool:
        """Lift the quarantine and the backoff of a service; whether there was anything to lift."""
        kept = self._kept(project.name)
        memory = kept.load()
        lifted = memory.without_failures(project.name, service_name)
        if lifted == memory:
            return False
        kept.save(lifted)
        self._triggers[service_name] = "retry"
        return True

    def go_back(self, project: Project, service_name: str, revision: int | None) -> Stable:
        """Put the service's present definition in quarantine and an earlier one in force; which one that is.

        RollbackError where there is no such revision, none to go back to, or its image is gone.
        """
        forecast, kept = self.forecast(project), self._kept(project.name)
        observed = forecast.observer.observed()
        service = forecast.desired.project.service(service_name)
        if service is None:
            raise RollbackError(f"{project.name} has no service {service_name}")
        wanted, runs = hashes(forecast.desired, observed, forecast.memory, service)
        target = choose(service_name, kept.revisions(service_name), wanted, runs, revision)
        if gone := bind_stable(target, observed).message:
            raise RollbackError(f"{service_name} cannot go back to revision {target.revision}: {gone}")
        kept.save(put_back(forecast.memory, project.name, target, wanted, self._executor.now()))
        self._triggers[service_name] = "rollback"
        self._by_hand.add(service_name)
        return target

    def collect(self, projects: tuple[Project, ...], *, unread: bool, dry_run: bool) -> Collected:
        """Remove the images that this instance deployed and that nothing needs any more; what went, what stays and why.

        `projects` are those whose specs are in force. `unread` says that there are specs that could not be read: then
        nothing goes of projects that are not among these. A project that is being converged is left alone, too.
        """
        from reconciler.collecting import Collector
        from reconciler.images.collection import wanted_names

        loaded = {project.name for project in projects}
        names = sorted({*self._store.projects(self._info.id, self._instance), *loaded})
        why = "a spec, maybe that of {0}, cannot be read"
        closed = {name: why.format(name) for name in names if unread and name not in loaded}
        with ExitStack() as locks:
            closed |= {} if dry_run else self._locked(names, locks)
            kept = {name: self._kept(name) for name in names}
            others = self._store.others(self._info.id, self._instance)
            wanted = wanted_names(projects, self._info.platform)
            gather, now = self._executor.gather, self._executor.now
            collector = Collector(self._engine, gather, now, kept, closed, wanted, others)
            return collector.forecast() if dry_run else collector.run()

    def _locked(self, names: Iterable[str], locks: ExitStack) -> dict[str, str]:
        """Take the projects' locks; those that somebody else has, each with what says so."""
        closed = {}
        for name in names:
            try:
                locks.enter_context(self._lock(self._info.id, name))
            except LockedError as error:
                closed[name] = error.message
        return closed

    def _carry_out(
        self,
        forecast: Forecast,
        on_activity: OnActivity,
        should_stop: Callable[[], bool],
        timeout: float | None,
    ) -> ProjectReport:
        project, now = forecast.desired.project, self._executor.now
        began = now()
        reporter = Reporter(self._engine, project, on_activity, now)
        recorder = Recorder(self._kept(project.name), project, now, reporter.logs, self._triggers)
        self._executor.watch(reporter.progress)
        deadline = None if timeout is None else began + timeout
        listener = Several(reporter, recorder)
        loop = Loop(
            forecast.desired, forecast.observer, self._executor, listener, should_stop=should_stop, deadline=deadline
        )
        try:
            outcome = loop.run(forecast.memory)
        except EngineError:
            self._executor.settle()  # the lock is ours until nothing is in flight
            raise
        recorder.close(stopped=outcome.stopped or outcome.timed_out)
        recorder.remember(self._with_baselines(outcome.memory, forecast.observer, project))
        drained = not any(identifier.startswith(DRAINS) for identifier, _ in outcome.failed_operations)
        succeeded = self._as_asked(forecast.report, outcome.succeeded, outcome) and drained
        return outcome_report(forecast.report, outcome, reporter.logs, now() - began, succeeded=succeeded)

    def _as_asked(self, report: ProjectReport, succeeded: bool, outcome: Outcome | None = None) -> bool:  # noqa: FBT001
        """Whether all went well, where a service that a person had rolled back is well where it was sent."""
        conditions = outcome.step.conditions if outcome else report.conditions
        sent = {item.service for item in conditions if item.reason == "RolledBack"} & self._by_hand
        if not sent or (outcome and (outcome.stopped or outcome.timed_out or outcome.endless)):
            return succeeded
        failures = outcome.failures if outcome else report.failures
        return all(item.service in sent for item in conditions) and all(item.service in sent for item in failures)

    def _keep_sightings(self, project: Project, memory: Memory) -> None:
        """Remember what registries said, whether or not anything comes of it: cooldowns begin with it."""
        kept = self._kept(project.name)
        known = kept.load()
        kept.save(replace(known, sightings=memory.sightings, verified=memory.verified, compared=memory.compared))

    def _learn(self, forecast: Forecast) -> None:
        """Keep what a pass over a project that needs nothing shows: definitions that hold, rollouts that ended."""
        project, memory = forecast.desired.project, forecast.memory
        recorder = Recorder(self._kept(project.name), project, self._executor.now, {}, {})
        recorder.planned(forecast.first)
        recorder.close(stopped=False)
        for stable in forecast.first.stable:
            memory = memory.with_stable(project.name, stable)
        memory = memory.with_images(forecast.observer.observed(), (), self._executor.now())
        recorder.remember(self._with_baselines(memory, forecast.observer, project))

    def _with_baselines(self, memory: Memory, observer: Observer, project: Project) -> Memory:
        """The memory and what the replicas that came up have written by themselves so far."""
        watched = {service.name for service in project.services if service.mutation.filesystem != "ignore"}
        new = {
            item.id
            for item in observer.observed().containers
            if item.id not in memory.baselines and item.running and item.labels.get(labels.SERVICE) in watched
        }
        if not new:
            return memory
        observer.look_deep(new)
        found = observer.observed().mutations
        return replace(memory, baselines={**memory.baselines, **{key: found[key] for key in new if key in found}})

    def _with_bases(self, project: Project, observed: Observed) -> Project:
        """The project with the keys of its builds, which depend on the images that the engine has."""
        platform = self._info.platform
        return with_bases(
            project, observed.images, platform, lambda asked: self._registries.answers(asked, self._executor)
        )

    def _observe(self, project: Project, memory: Memory, *, deep: bool) -> Observer:
        observer = Observer(
            self._engine,
            self._info,
            project,
            self._instance,
            self._executor.gather,
            self._executor.now,
            lambda: memory.made,
            memory.adopted,
        )
        observer.resync()
        modes = {service.name: service.mutation.filesystem for service in project.services}
        looked_at = {"report", "replace"} if deep else {"replace"}
        chosen = [
            item.id
            for item in observer.observed().containers
            if modes.get(item.labels.get(labels.SERVICE, "")) in looked_at and item.id in memory.baselines
        ]
        if chosen:
            observer.look_deep(chosen)
        return observer

    def _adopt(
        self, desired: Desired, observer: Observer, memory: Memory, chosen: tuple[str, ...]
    ) -> tuple[Memory, Adoption, tuple[Notice, ...]]:
        """The memory in which the chosen containers are ours; the observer sees it so too."""
        project, now = desired.project, self._executor.now()
        memory = adopted(desired, observer.observed(), memory, now, chosen)
        observer.adopt({key: memory.adopted[key] for key in chosen if key in memory.adopted})
        adoption = summary(desired, observer.observed(), memory, chosen)
        return memory, adoption, adoption_notices(project, adoption)

    def _kept(self, project_name: str) -> ProjectStore:
        if project_name not in self._projects:
            self._projects[project_name] = self._store.project(self._info.id, self._instance, project_name)
        return self._projects[project_name]

    def _remembered(self, project: Project) -> Memory:
        kept = self._kept(project.name)
        memory = kept.load()
        failed = {service for service, _ in memory.failures} & memory.stable.keys()
        numbered = {name: _numbered(kept, memory.stable[name]) for name in failed}
        quarantined = frozenset(memory.failures)
        return replace(memory, stable={**memory.stable, **numbered}, quarantined=quarantined, earlier=memory.attempted)


def _taken_over(project: Project, observer: Observer) -> tuple[tuple[str, ...], tuple[Notice, ...]]:
    """The ids of what `docker compose` made of the project, which the observer takes for ours from here on."""
    observed = observer.observed()
    chosen = candidates(project, observed)
    observer.adopt({key: {} for key in chosen})
    return chosen, moved(project, observed)


def _without_the_gone(memory: Memory, observed: Observed) -> Memory:
    """The memory without containers that exist no more, and with those that it did not know yet.

    Where nothing of the project is left it was taken down: its jobs have to run again.
    """
    present = {item.id: item.name for item in observed.containers}
    if not present:
        services = {name: stable for name, stable in memory.stable.items() if not stable.service.job}
        memory = replace(memory, stable=services, restarts={}, attempted=frozenset())
    remembered = memory.made.keys() | memory.baselines.keys() | memory.adopted.keys()
    known = memory.without_containers(remembered - present.keys())
    networks = known.adopted_networks & {item.id for item in observed.networks}
    return replace(known, made={**present, **known.made}, adopted_networks=networks)


def _numbered(kept: ProjectStore, stable: Stable) -> Stable:
    """The definition with the number of the revision that it is."""
    same = (item.revision for item in kept.revisions(stable.service.name) if item.spec_hash == stable.spec_hash)
    return replace(stable, revision=max(same, default=stable.revision))


def _simulate(desired: Desired, observer: Observer, memory: Memory, now: float) -> tuple[Outcome, float]:
    from reconciler.forecast import simulate

    return simulate(desired, observer, memory, now)
