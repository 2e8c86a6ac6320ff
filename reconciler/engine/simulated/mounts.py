"""What a container mounts: from binds, mounts, other containers and its image's volumes (Engine API, MountPoint)."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.engine.protocol import JSON
from reconciler.engine.simulated.state import BAD_REQUEST, Document, World, copied, find_container, refusal
from reconciler.engine.simulated.volumes import anonymous_volume, create_volume

_PROPAGATIONS = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})


def mount_points(world: World, config: JSON, host_config: JSON) -> list[Document]:
    """The `Mounts` of a new container; makes the volumes they name. A later source of the same path wins."""
    points: dict[str, Document] = {}
    for point in _from_others(world, host_config):
        points[point["Destination"]] = point
    for bind in host_config.get("Binds") or []:
        point = _bind(world, bind)
        points[point["Destination"]] = point
    for mount in host_config.get("Mounts") or []:
        points[mount["Target"]] = _mount(world, mount)
    for path in config.get("Volumes") or {}:
        if path not in points:
            points[path] = _volume_point(anonymous_volume(world, {}), path)
    return list(points.values())


def _from_others(world: World, host_config: JSON) -> Iterator[Document]:
    for entry in host_config.get("VolumesFrom") or []:
        container, _, mode = entry.partition(":")
        for point in find_container(world, container).document["Mounts"]:
            yield {**copied(point), "RW": point["RW"] and mode != "ro"}


def _bind(world: World, bind: str) -> Document:
    source, target, options = [*bind.split(":", 2), "", ""][:3]
    if not target:
        return _volume_point(anonymous_volume(world, {}), source)
    modes = options.split(",")
    if source.startswith("/"):
        propagation = next((mode for mode in modes if mode in _PROPAGATIONS), "rprivate")
        return _point("bind", source, target, mode=options, writable="ro" not in modes, propagation=propagation)
    volume = create_volume(world, source, {})
    return _volume_point(volume, target, mode=options or "z", writable="ro" not in modes)


def _mount(world: World, mount: JSON) -> Document:
    writable = not mount.get("ReadOnly")
    target = str(mount["Target"])
    if mount.get("Type") == "volume":
        return _volume_point(_mounted_volume(world, mount), target, mode="z", writable=writable)
    if mount.get("Type") == "bind":
        _check_source(world, mount)
        propagation = (mount.get("BindOptions") or {}).get("Propagation") or "rprivate"
        return _point("bind", str(mount["Source"]), target, writable=writable, propagation=propagation)
    return _point(str(mount.get("Type")), str(mount.get("Source") or ""), target, writable=writable)


def _check_source(world: World, mount: JSON) -> None:
    made = (mount.get("BindOptions") or {}).get("CreateMountpoint") and world.info.supports("1.42")
    if mount["Source"] in world.missing_paths and not made:
        told = f'invalid mount config for type "bind": bind source path does not exist: {mount["Source"]}'
        raise refusal(BAD_REQUEST, told)


def _mounted_volume(world: World, mount: JSON) -> Document:
    options = mount.get("VolumeOptions") or {}
    driver = options.get("DriverConfig") or {}
    body = {"Labels": options.get("Labels"), "Driver": driver.get("Name"), "DriverOpts": driver.get("Options")}
    if not mount.get("Source"):
        return anonymous_volume(world, body)
    return create_volume(world, str(mount["Source"]), body)


def _volume_point(volume: JSON, target: str, *, mode: str = "", writable: bool = True) -> Document:
    point = _point("volume", str(volume["Mountpoint"]), target, mode=mode, writable=writable)
    return {"Type": "volume", "Name": volume["Name"], **point, "Driver": volume["Driver"]}


def _point(
    kind: str, source: str, target: str, *, mode: str = "", writable: bool = True, propagation: str = ""
) -> Document:
    return {
        "Type": kind,
        "Source": source,
        "Destination": target,
        "Mode": mode,
        "RW": writable,
        "Propagation": propagation,
    }
