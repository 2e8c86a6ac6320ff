"""The part of the composition root that `reconcile images` and the commands below it call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from time import time
from typing import TYPE_CHECKING

from reconciler.app import Options, load_all, opened, with_notices
from reconciler.errors import EngineUnreachableError, SpecError, UsageError
from reconciler.loading import Specs, error_notice
from reconciler.model.project import Notice, Project
from reconciler.model.pushed import PushReport
from reconciler.model.report import ImageRow

if TYPE_CHECKING:
    from reconciler.collecting import Collected
    from reconciler.pinning import PinRow
    from reconciler.resolving import Resolver
    from reconciler.session import Session

OnLine = Callable[[str, str], None]


@dataclass(frozen=True)
class ImagesReport:
    """What each service runs and could run; `errors` are specs that cannot be used."""

    rows: tuple[ImageRow, ...]
    warnings: tuple[Notice, ...] = ()
    errors: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class LockReport:
    """What became of the entries of `reconcile.lock`; `errors` are specs or locks that cannot be used."""

    rows: tuple[PinRow, ...]
    warnings: tuple[Notice, ...] = ()
    errors: tuple[Notice, ...] = ()

    @property
    def stale(self) -> bool:
        """Whether something is not as it was written down."""
        return any(row.verdict in {"added", "moved", "removed"} for row in self.rows)

    @property
    def failed(self) -> bool:
        """Whether something could not be looked up."""
        return any(row.verdict == "failed" for row in self.rows)


def images(options: Options) -> ImagesReport:
    """Ask the registries of every service, whatever its policy. Writes nothing."""
    specs = load_all(options)
    with opened(options, specs.projects, read_only=True) as (session, store):
        rows = tuple(row for project in specs.projects for row in session.images(project))
        specs = with_notices(specs, store)
    return ImagesReport(rows, specs.warnings, specs.errors)


def lock_images(options: Options, update: tuple[str, ...] | None, *, check: bool) -> LockReport:
    """Write `reconcile.lock` of each project's folder, or with `check` say only what would change.

    `update` names the services whose entries are looked up anew: () is all of them, None none. `check` looks up all.
    UsageError where no project has a named service.
    """
    from reconciler.pinning import lock_project

    specs = load_all(options)
    _check_names(specs, update or ())
    rows: list[PinRow] = []
    errors = list(specs.errors)
    with _resolver(options) as resolver:
        for project in specs.projects:
            try:
                found = lock_project(
                    project,
                    resolver,
                    lambda service: check or (update is not None and (not update or service.name in update)),
                    time(),
                    write=not check,
                )
            except SpecError as error:
                errors.append(error_notice(error))
            else:
                rows += found
    warnings = tuple(notice for notice in specs.warnings if notice.code != "LockStale")
    return LockReport(tuple(rows), warnings, tuple(errors))


def prune(options: Options, *, dry_run: bool) -> Collected:
    """Remove superseded images of every project of this instance; `dry_run`: say which, and write nothing anywhere."""
    specs = _in_force(options)
    with opened(options, specs.projects, read_only=dry_run) as (session, store):
        found = session.collect(specs.projects, unread=bool(specs.errors), dry_run=dry_run)
        specs = with_notices(specs, store)
    errors = (*specs.errors, *found.errors)
    return replace(found, errors=errors, warnings=specs.warnings, refused=bool(specs.errors))


def push(options: Options, on_line: OnLine) -> PushReport:
    """Push what the builds of each project, or of the services asked for, have made; nothing else is written to."""
    specs = load_all(options)
    with opened(options, specs.projects, read_only=True) as (session, store):
        done = tuple((item.name, session.push(_narrowed(item, options), on_line)) for item in specs.projects)
        specs = with_notices(specs, store)
    return PushReport(done, specs.warnings, specs.errors)


def _check_names(specs: Specs, names: tuple[str, ...]) -> None:
    known = {service.name for project in specs.projects for service in project.services}
    unknown = next((name for name in names if name not in known), None)
    if unknown and not specs.errors:
        raise UsageError(f"there is no service {unknown}", hint=f"the services are {', '.join(sorted(known))}")


@contextmanager
def _resolver(options: Options) -> Iterator[Resolver]:
    """A resolver that asks the engine too, where one answers: pinning needs none, and a simulated one knows nothing."""
    from reconciler.registries import own_registries
    from reconciler.resolving import Resolver, local_zone

    simulated = options.host == "simulated://"
    with ExitStack() as stack:
        session = None if simulated else _answering(stack, options)
        if session:
            yield session.resolver
            return
        registries = own_registries(None if simulated else options.host, options.context, engine_is_here=True)
        stack.callback(registries.close)
        yield Resolver(registries, None, time, local_zone())


def _answering(stack: ExitStack, options: Options) -> Session | None:
    """A session on the engine, None where it does not answer."""
    try:
        return stack.enter_context(opened(options, (), read_only=True))[0]
    except EngineUnreachableError:
        return None


def _in_force(options: Options) -> Specs:
    """The projects of the specs, whole; none where none is named and none is here."""
    try:
        return load_all(replace(options, services=()))
    except UsageError as error:
        if options.files:
            raise
        return Specs((), (Notice("NoSpec", f"{error.message}: images count as needed only by what was deployed"),), ())


def _narrowed(project: Project, options: Options) -> Project:
    """The project without the services that are there only because others depend on them."""
    asked = (service for service in project.services if not options.services or service.name in options.services)
    return replace(project, services=tuple(asked))
