"""One engine for the length of a command or of a service: forecast, converge and status of projects on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from reconciler.admission import Gate, PolicyOf, policies, refusals, require_none
from reconciler.controller import Loop
from reconciler.copies import drop_copies
from reconciler.errors import EngineError, LockedError
from reconciler.executor import SessionExecutor
from reconciler.explaining import RollbackError, choose, explain, hashes, put_back
from reconciler.files.fitting import Fitted, fitted
from reconciler.files.keeping import write
from reconciler.files.materialising import Places
from reconciler.foresight import foresee
from reconciler.images.bases import with_bases
from reconciler.listeners import OnActivity, Reporter, Several, Silence
from reconciler.looking import Looking, take_over, taken_over, with_baselines
from reconciler.model.desired import MAX_REMOVED, Desired
from reconciler.model.history import Explanation, Trigger
from reconciler.model.memory import DRAINS, Memory, Stable
from reconciler.model.observed import EngineInfo, Observed
from reconciler.model.project import Notice, Project, Service
from reconciler.model.pushed import Pushed
from reconciler.model.report import Adoption, ImageRow, ProjectReport
from reconciler.model.settings import Settings
from reconciler.model.tidying import without_the_gone
from reconciler.observer import Observer
from reconciler.operating import Operated, emptied
from reconciler.planner.images import bind_stable
from reconciler.prepared import Forecast, as_asked
from reconciler.pushing import OnLine, push
from reconciler.recorder import Recorder
from reconciler.registries import Registries
from reconciler.remembering import Remembering
from reconciler.reports import forecast_report, image_rows, moved_pins, outcome_report
from reconciler.resolving import Resolver, local_zone
from reconciler.secrecy import hiding
from reconciler.spec.lockfile import can_be_pinned, is_pinned
from reconciler.volumes import Volumes

if TYPE_CHECKING:
    from reconciler.collecting import Collected
    from reconciler.engine.protocol import Engine
    from reconciler.store import Store


Lock = Callable[[str, str], AbstractContextManager[None]]
NOWHERE = Places("")


class Session(Operated):
    """Forecasts, converges and explains projects on one engine, through an executor of its kind.

    `check_interval` is how many seconds a registry's answer is good for, `policy` what each project may ask for (by
    default what `Settings()` say). From several threads a session forecasts and looks back at any time, while one pass
    of a project is on; `retry` and `go_back` are for between its passes.
    """

    def __init__(
        self,
        engine: Engine,
        executor: SessionExecutor,
        lock: Lock,
        instance: str,
        store: Store,
        registries: Registries | None = None,
        policy: PolicyOf | None = None,
        check_interval: float = 0.0,
        max_removed: float = MAX_REMOVED,
        hash_key: str = "",
        places: Places = NOWHERE,
    ) -> None:
        super().__init__(store, engine.info().id, instance, executor.now)
        self._engine = engine
        self._hash_key = hash_key or engine.info().id
        self._places = replace(places, key=self._hash_key)
        self._executor = executor
        self._lock = lock
        self._instance = instance
        self._max_removed = max_removed
        self._remembering = Remembering(store, engine.info().id, instance)
        self._looking = Looking(engine, instance, executor)
        self._policy = policy or policies(Settings())
        self._registries = registries or Registries(None)
        self._resolver = Resolver(self._registries, executor, executor.now, local_zone(), check_interval)
        self._triggers: dict[str, Trigger] = {}
        self._by_hand: set[str] = set()

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
        fit, memory = fitted(project, self._info, self._places), self._remembering.memory(project.name)
        observer = self._looking.anew(fit.project, memory, deep=deep)
        return self._forecast(fit, observer, memory, max_unavailable, adopt=adopt, also=also)

    def _forecast(
        self,
        fit: Fitted,
        observer: Observer,
        memory: Memory,
        max_unavailable: int | None,
        *,
        adopt: bool = False,
        also: Callable[[Service], bool] = lambda _: False,
        down: bool = False,
        keep_up: bool = False,
    ) -> Forecast:
        project, now = fit.project, self._executor.now
        self._registries.begin()
        chosen, notices = taken_over(project, observer) if adopt else ((), ())
        project = self._with_bases(project, observer.observed())
        resolution = self._resolver.resolve(project.services, observer.observed(), memory, also)
        memory, targets = resolution.memory, resolution.targets
        desired = Desired(
            project,
            self._instance,
            self._hash_key,
            targets,
            project.prune,
            max_unavailable=max_unavailable,
            max_removed=self._max_removed,
            down=down,
        )
        adoption, kept = Adoption(), tuple[Notice, ...]()
        if adopt:
            memory, adoption, kept = take_over(desired, observer, memory, now(), chosen)
        observed = observer.observed()
        memory = without_the_gone(memory, observed)
        policy = self._policy(project)
        seen = foresee(desired, observer, memory, now, policy, keep_up=keep_up)
        report = forecast_report(desired, observed, seen.first, seen.outcome, seen.given_up, seen.seconds)
        report = replace(report, adoption=adoption, notices=(*notices, *kept, *report.notices))
        refused = refusals(project, policy) or seen.refused
        return Forecast(report, desired, observer, seen.memory, seen.first, resolution, refused, trees=fit.trees)

    def plan(self, project: Project, *, max_unavailable: int | None = None, adopt: bool = False) -> ProjectReport:
        """The forecast's report, with the pinned tags that have moved since: their registries are asked for it.

        PolicyErrors where the policy denies the project, or anything that the forecast does.
        """
        forecast = self.forecast(project, max_unavailable=max_unavailable, adopt=adopt, also=is_pinned)
        require_none(forecast.refused)
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
        """Forecast; where that converges, do it; report how it ended. `adopt` as in `forecast`.

        PolicyErrors, with nothing touched, where the policy denies anything of it.
        """
        with self.prepare(project, max_unavailable=max_unavailable, adopt=adopt) as forecast:
            on_plan(forecast.report)
            return self.carry_out(forecast, on_activity, should_stop, timeout)

    def prepare(
        self,
        project: Project,
        *,
        max_unavailable: int | None = None,
        adopt: bool = False,
        full: bool = False,
        down: bool = False,
        keep_up: bool = False,
    ) -> Forecast:
        """The forecast of a pass, which holds the project's lock: carry it out, or release it.

        The engine is read on from the project's last pass: what changed since; `full`: all of it. `adopt` as in
        `forecast`, `down` as `even_suspended` in `remove`. LockedError where somebody else has the project, EngineError
        where the engine cannot be read, PolicyErrors where the policy denies anything of it. With `keep_up` services of
        which only an operation is denied are left as they are, and the others are looked after.
        """
        with ExitStack() as held:
            held.enter_context(self._lock(self._info.id, project.name))
            memory = self._remembering.memory(project.name)
            fit = fitted(project, self._info, self._places)
            observer = self._looking.again(fit.project, memory, full=full)
            held.callback(observer.rest)
            forecast = self._forecast(fit, observer, memory, max_unavailable, adopt=adopt, down=down, keep_up=keep_up)
            self._remembering.keep_sightings(project.name, forecast.memory)
            require_none(forecast.refused)
            self._remembering.keep_denied(project.name, forecast.memory)
            triggers, by_hand = self._triggers, frozenset(self._by_hand)
            self._triggers, self._by_hand = {}, set()
            return replace(forecast, triggers=triggers, by_hand=by_hand, held=held.pop_all())

    def carry_out(
        self,
        forecast: Forecast,
        on_activity: OnActivity,
        should_stop: Callable[[], bool],
        timeout: float | None,
        listener: Silence | None = None,
    ) -> ProjectReport:
        """Do what a forecast of `prepare` says, where it converges, and release it; how that ended.

        Only where it `has_work` this may take long: until all is done, `timeout` seconds have passed, or `should_stop`
        says so and nothing is in flight.
        """
        with forecast:
            if not forecast.report.converges:
                return replace(forecast.report, operations=())
            if not forecast.has_work:
                self._learn(forecast)
                return replace(forecast.report, succeeded=as_asked(forecast, forecast.report.succeeded))
            return self._carry_out(forecast, on_activity, should_stop, timeout, listener or Silence())

    @property
    def _info(self) -> EngineInfo:
        return self._engine.info()

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
        self._registries.begin()
        memory = self._remembering.memory(project.name)
        observed = self._looking.anew(project, memory, deep=False).observed()
        return push(self._with_bases(project, observed), observed.images, self._executor, on_line)

    def explain(self, project: Project, service_name: str) -> Explanation:
        """Why the service is as it is, judged by one pass of the planner."""
        forecast = self.forecast(project)
        return explain(forecast.first, forecast.memory, self._kept(project.name), project, service_name)

    def removal(self, project_name: str, *, even_suspended: bool = False) -> ProjectReport:
        """The forecast of `remove`, from which nothing follows."""
        project, memory = emptied(project_name), self._remembering.memory(project_name)
        observer = self._looking.anew(project, memory, deep=False)
        return self._forecast(Fitted(project), observer, memory, None, down=even_suspended).report

    def remove(
        self,
        project_name: str,
        on_plan: Callable[[ProjectReport], None],
        on_activity: OnActivity,
        should_stop: Callable[[], bool],
        timeout: float | None,
        *,
        even_suspended: bool = False,
    ) -> ProjectReport:
        """Converge a project to nothing: its containers and networks of this instance go, its volumes never.

        Needs no spec. What is suspended stays, but for `even_suspended`. Foreign containers stay, and networks that
        they are on. What is known of the project is kept for its return, for 90 days.
        """
        with self.prepare(emptied(project_name), down=even_suspended) as forecast:
            on_plan(forecast.report)
            report = self.carry_out(forecast, on_activity, should_stop, timeout)
        if report.succeeded:
            self.note_gone(project_name)
        return report

    def retry(self, project: Project, service_name: str, by: str = "") -> bool:
        """Lift the quarantine and the backoff of a service; whether there was anything to lift."""
        kept = self._kept(project.name)
        memory = kept.load()
        lifted = memory.without_failures(project.name, service_name)
        if not self._remembering.lift(project.name, service_name) and lifted == memory:
            return False
        kept.save(lifted)
        self.record(project.name, by, "retry", service_name)
        self._triggers[service_name] = "retry"
        return True

    def go_back(self, project: Project, service_name: str, revision: int | None, by: str = "") -> Stable:
        """Put the service's present definition in quarantine and an earlier one in force; which one that is.

        RollbackError where there is no such revision, none to go back to, or its image is gone; PolicyErrors where the
        policy denies by now what ran then.
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
        earlier = replace(project, services=(target.service,), networks=(), volumes=())
        require_none(refusals(earlier, self._policy(project)))
        kept.save(put_back(forecast.memory, project.name, target, wanted, self._executor.now()))
        self.record(project.name, by, "rollback", service_name, f"to revision {target.revision}")
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
        names = sorted({*self._remembering.projects(), *loaded})
        why = "a spec, maybe that of {0}, cannot be read"
        closed = {name: why.format(name) for name in names if unread and name not in loaded}
        with ExitStack() as locks:
            closed |= {} if dry_run else self._locked(names, locks)
            kept = {name: self._kept(name) for name in names}
            others = self._remembering.others()
            wanted = wanted_names(projects, self._info.platform)
            gather, now = self._executor.gather, self._executor.now
            collector = Collector(self._engine, gather, now, kept, closed, wanted, others)
            found = collector.forecast() if dry_run else collector.run()
            for store in (*(kept[name] for name in kept.keys() - loaded), *(store for _, store in others)):
                store.read_again()  # nobody else asks for these
            return found

    def volumes(self) -> Volumes:
        """The engine's volumes as this instance sees them."""
        return Volumes(self._engine, self._executor, self._lock, self._instance, self._memories)

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
        also: Silence,
    ) -> ProjectReport:
        project, now = forecast.desired.project, self._executor.now
        began = now()
        write(forecast.trees, self._places)
        hide = hiding(project.services, (item.service for item in forecast.memory.stable.values()))
        reporter = Reporter(self._engine, project, on_activity, now, hide)
        recorder = Recorder(self._kept(project.name), project, now, reporter.logs, forecast.triggers)
        self._executor.watch(reporter.progress)
        deadline = None if timeout is None else began + timeout
        listener = Several(reporter, recorder, also)
        desired, observer, gate = forecast.desired, forecast.observer, Gate(self._policy(project))
        suspended = self._kept(project.name).suspended
        loop = Loop(
            desired,
            observer,
            self._executor,
            listener,
            gate,
            should_stop=should_stop,
            deadline=deadline,
            suspended=suspended,
        )
        try:
            outcome = loop.run(forecast.memory)
        except EngineError:
            self._executor.settle()  # the lock is ours until nothing is in flight
            raise
        finally:
            self._executor.unwatch()
        recorder.close(stopped=outcome.stopped or outcome.timed_out)
        memory = with_baselines(outcome.memory, forecast.observer, project)
        tidied = self._tidied(memory, forecast.observer.observed(), project)
        recorder.remember(tidied)
        self._remembering.keep_denied(project.name, tidied)
        drop_copies(self._places.data_dir, self._kept(project.name), project, forecast.observer.observed())
        drained = not any(identifier.startswith(DRAINS) for identifier, _ in outcome.failed_operations)
        succeeded = as_asked(forecast, outcome.succeeded, outcome) and drained
        return outcome_report(forecast.report, outcome, reporter.logs, now() - began, succeeded=succeeded)

    def _learn(self, forecast: Forecast) -> None:
        """Keep what a pass over a project that needs nothing shows: definitions that hold, rollouts that ended."""
        project, memory = forecast.desired.project, forecast.memory
        recorder = Recorder(self._kept(project.name), project, self._executor.now, {}, {})
        recorder.planned(forecast.first)
        recorder.close(stopped=False)
        for stable in forecast.first.stable:
            memory = memory.with_stable(project.name, stable)
        memory = memory.with_images(forecast.observer.observed(), (), self._executor.now())
        memory = with_baselines(memory, forecast.observer, project)
        recorder.remember(self._tidied(memory, forecast.observer.observed(), project))

    def _with_bases(self, project: Project, observed: Observed) -> Project:
        """The project with the keys of its builds, which depend on the images that the engine has."""
        platform = self._info.platform
        return with_bases(
            project, observed.images, platform, lambda asked: self._registries.answers(asked, self._executor)
        )
