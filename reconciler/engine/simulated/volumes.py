"""Volumes: made by POST /volumes/create and by mounts that name one; removed by DELETE /volumes/{name} alone."""

from __future__ import annotations

import re

from reconciler.engine.protocol import JSON
from reconciler.engine.simulated.state import BAD_REQUEST, CONFLICT, NOT_FOUND, Document, World, copied, refusal
from reconciler.engine.times import timestamp

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_ROOT = "/var/lib/docker/volumes"


def create_volume(world: World, name: str, body: JSON) -> Document:
    """The volume of that name: a new one, or the existing one as it is, labels and all."""
    driver = body.get("Driver") or "local"
    if driver != "local" and driver not in {volume["Driver"] for volume in world.volumes.values()}:
        raise refusal(NOT_FOUND, f'create {name}: error looking up volume plugin {driver}: plugin "{driver}" not found')
    if not _NAME.fullmatch(name):
        why = 'includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed'
        raise refusal(
            BAD_REQUEST, f'create {name}: "{name}" {why}. If you intended to pass a host directory, use absolute path'
        )
    if name not in world.volumes:
        world.volumes[name] = _document(world, name, body)
        world.tell("volume", "create", name, {"driver": driver})
    return world.volumes[name]


def anonymous_volume(world: World, body: JSON) -> Document:
    """A new volume with a 64-digit name."""
    labels = dict(body.get("Labels") or {})
    if world.info.supports("1.43"):
        labels["com.docker.volume.anonymous"] = ""
    name = world.new_id("volume", "")
    return create_volume(world, name, {**body, "Labels": labels or None})


def rows(world: World) -> list[Document]:
    """The `Volumes` of GET /volumes."""
    return [copied(volume) for volume in world.volumes.values()]


def remove_volume(world: World, name: str) -> None:
    """Forget it. 409 while a container in any state mounts it."""
    users = ", ".join(_users(world, name))
    if users:
        raise refusal(CONFLICT, f"remove {name}: volume is in use - [{users}]")
    world.volumes.pop(name, None)
    world.volume_sizes.pop(name, None)


def usage(world: World) -> list[Document]:
    """The `Volumes` of GET /system/df."""
    return [{**copied(volume), "UsageData": _usage(world, name)} for name, volume in world.volumes.items()]


def _usage(world: World, name: str) -> Document:
    return {"RefCount": len(_users(world, name)), "Size": world.volume_sizes.get(name, 0)}


def _users(world: World, name: str) -> list[str]:
    """Ids of the containers that mount it."""
    mounts = ((box, point) for box in world.containers.values() for point in box.document["Mounts"])
    return list(dict.fromkeys(box.id for box, point in mounts if point.get("Name") == name))


def _document(world: World, name: str, body: JSON) -> Document:
    return {
        "CreatedAt": timestamp(world.clock.now()),
        "Driver": body.get("Driver") or "local",
        "Labels": copied(body.get("Labels")),
        "Mountpoint": f"{_ROOT}/{name}/_data",
        "Name": name,
        "Options": copied(body.get("DriverOpts")),
        "Scope": "local",
    }
