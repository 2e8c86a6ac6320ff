"""The documents of `reconcile down` and `reconcile volumes`, as docs/json.md has them."""

from __future__ import annotations

from reconciler.app_removal import Downed, VolumesReport
from reconciler.cli.moments import iso
from reconciler.cli.plan_json import project_row
from reconciler.cli.rows import Row, dump, frame, notice_rows
from reconciler.model.project import Notice
from reconciler.model.volumes import VolumeRow

Notices = tuple[Notice, ...]


def render_down(done: Downed | None, errors: Notices = ()) -> str:
    """What goes or went, ending in a line break; without it only what went wrong instead."""
    known = _down(done) if done else {}
    return dump({**frame("down"), **known, **notice_rows(done.warnings if done else (), errors)})


def render_volumes(report: VolumesReport | None, errors: Notices = (), *, removed: bool = False) -> str:
    """The volumes of the engine, or those that were removed."""
    rows = [_volume(row) for row in report.rows] if report else []
    command = "volumes rm" if removed else "volumes"
    return dump({**frame(command), "volumes": rows, **notice_rows(report.warnings if report else (), errors)})


def _down(done: Downed) -> Row:
    return {
        "dry_run": done.dry_run,
        "project": project_row(done.report),
        "volumes": [_volume(row) for row in done.volumes],
        "volumes_left": list(done.left),
        "suspended": done.suspended,
    }


def _volume(row: VolumeRow) -> Row:
    return {
        "name": row.name,
        "driver": row.driver,
        "ours": row.ours,
        "anonymous": row.anonymous,
        "project": row.project or None,
        "services": list(row.services),
        "bytes": row.size,
        "created_at": iso(row.created_at),
        "in_use": row.in_use,
        "used_by": list(row.used_by),
        "last_used": iso(row.last_used),
    }
