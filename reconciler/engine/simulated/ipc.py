"""IPC namespaces: joined at start, where the other container runs and shares its own (HostConfig.IpcMode)."""

from __future__ import annotations

from reconciler.engine.simulated.state import (
    BAD_REQUEST,
    CONFLICT,
    SERVER_ERROR,
    Box,
    World,
    find_container,
    holders,
    refusal,
)

SHARED = "container:"
UNSHARED = {"private", "none"}


def join(world: World, box: Box) -> None:
    """Refuse the start of a container that joins one that does not run or keeps its namespace to itself.

    409 and 400, or 500 for both before API 1.45.
    """
    mode = str(box.document["HostConfig"].get("IpcMode") or "")
    if not mode.startswith(SHARED):
        return
    other = find_container(world, mode.removeprefix(SHARED))
    modern = world.info.supports("1.45")
    begin = "failed to join IPC namespace" if modern else f"can't join IPC of container {other.id}"
    if other not in holders(world):
        raise refusal(CONFLICT if modern else SERVER_ERROR, f"{begin}: container {other.id} is not running")
    if other.document["HostConfig"].get("IpcMode") in UNSHARED:
        which = f"container {other.id}: " if modern else ""
        why = f"{which}non-shareable IPC (hint: use IpcMode:shareable for the donor container)"
        raise refusal(BAD_REQUEST if modern else SERVER_ERROR, f"{begin}: {why}")
