"""The part of the composition root that takes things away when a person asks for it: `down`, `volumes`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.app import OnActivity, Options, opened
from reconciler.model.project import Notice
from reconciler.model.report import ProjectReport
from reconciler.model.volumes import VolumeRow, refusal

if TYPE_CHECKING:
    from reconciler.session import Session


@dataclass(frozen=True)
class Downed:
    """What `down` does or did: the project's plan or report, and the volumes that go or went with it.

    `left` are the project's volumes that stay all the same, each with why. `suspended` says that a service had the
    project in force, and leaves it alone from now on.
    """

    report: ProjectReport
    volumes: tuple[VolumeRow, ...] = ()
    left: tuple[str, ...] = ()
    dry_run: bool = False
    suspended: bool = False
    warnings: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class VolumesReport:
    """The volumes of the engine, or those that were removed."""

    rows: tuple[VolumeRow, ...]
    warnings: tuple[Notice, ...] = ()


def down(
    options: Options,
    project: str,
    *,
    with_volumes: bool,
    dry_run: bool,
    by: str,
    agree: Callable[[Downed], None],
    on_activity: OnActivity,
    stop: threading.Event,
) -> Downed:
    """Remove what runs of a project of this instance, its volumes too where that is asked for. No spec is read.

    `agree` sees what would go before anything does, and raises where that is not wanted. What a source brought here is
    suspended then: the service would bring it back. LockedError while it is being converged; VolumeRefusedError where
    the engine keeps a volume.
    """
    with opened(options, (), read_only=dry_run) as (session, store):
        plan = _forecast(session, project, with_volumes=with_volumes, dry_run=dry_run)
        if dry_run or not plan.report.converges or not (plan.report.operations or plan.volumes):
            return replace(plan, warnings=(*plan.report.notices, *store.notices))
        agree(plan)
        suspended = session.keep_down(project, by)
        report = session.remove(project, lambda _: None, on_activity, stop.is_set, options.timeout, even_suspended=True)
        session.record(project, by, "down", detail="" if report.succeeded else "failed")
        gone = _remove(session, plan.volumes, by) if report.succeeded else ()
        warnings = (*report.notices, *store.notices)
    return replace(plan, report=report, volumes=gone, suspended=suspended, warnings=warnings)


def volumes(options: Options) -> VolumesReport:
    """All volumes of the engine, this instance's first. Writes nothing."""
    with opened(options, (), read_only=True) as (session, store):
        return VolumesReport(session.volumes().rows(), store.notices)


def remove_volumes(
    options: Options, names: tuple[str, ...], *, by: str, agree: Callable[[tuple[VolumeRow, ...]], None]
) -> VolumesReport:
    """Remove volumes of this instance by name, all of them or none; `agree` as in `down`.

    VolumeRefusedError where one of them does not exist, is somebody else's, or is mounted by a container.
    """
    with opened(options, (), read_only=False) as (session, store):
        agree(session.volumes().named(names))
        return VolumesReport(_remove(session, session.volumes().named(names), by), store.notices)


def _forecast(session: Session, project: str, *, with_volumes: bool, dry_run: bool) -> Downed:
    from reconciler.volumes import going_with

    report = session.removal(project, even_suspended=True)
    if not with_volumes:
        return Downed(report, dry_run=dry_run)
    containers = {item.resource for item in report.operations if item.kind == "container.remove"}
    rows = [row for row in session.volumes().rows() if row.project == project]
    going = going_with(rows, containers)
    left = tuple(refusal(row) for row in rows if row not in going)
    return Downed(report, going, left, dry_run=dry_run)


def _remove(session: Session, rows: tuple[VolumeRow, ...], by: str) -> tuple[VolumeRow, ...]:
    gone = session.volumes().remove([row.name for row in rows]) if rows else ()
    for row in gone:
        size = "" if row.size is None else f", {row.size} bytes"
        session.record(row.project, by, "volume.remove", detail=f"{row.name}{size}")
    return gone
