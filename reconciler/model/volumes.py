"""Volumes as people ask for them: whose, how large, used by whom and when. Read by `volumes`, rendered by `cli`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class VolumeRow:
    """One volume on the engine.

    `project` and `services` are who it belongs to ("" and (): nobody that this instance knows; `services` are those
    whose containers mount it, or had it: `web`, or `db/1` of an anonymous one). `ours`: this instance made it.
    `size` is in bytes, None where the engine does not know it. `used_by` are the containers that mount it, in any
    state, and `in_use` says that one of them runs. `created_at` and `last_used` are engine time in seconds since the
    epoch; `last_used` is when the last of those containers ended, None where that cannot be known.
    """

    name: str
    driver: str
    ours: bool = False
    anonymous: bool = False
    project: str = ""
    services: tuple[str, ...] = ()
    size: int | None = None
    created_at: float = 0.0
    in_use: bool = False
    used_by: tuple[str, ...] = ()
    last_used: float | None = None


def refusal(row: VolumeRow) -> str:
    """Why this volume is not removed when somebody asks for it; "" where it is."""
    if not row.ours:
        return f"volume {row.name} was not made by this instance: `docker volume rm {row.name}` if nobody needs it"
    if row.used_by:
        way_out = f"`reconcile down {row.project}` first, or take it out of the spec"
        return f"volume {row.name} is mounted by {', '.join(row.used_by)}: {way_out}"
    return ""
