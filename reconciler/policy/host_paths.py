"""Paths of the engine's machine: which ones a payload mounts, whether they may be, and whether the engine is in them.

Paths are compared after `.`, `..` and doubled slashes are gone, as the engine does it, and once more with symbolic
links followed, where they can be seen from here.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reconciler.model.project import JSON
from reconciler.policy.rule import Ground

SOCKETS = frozenset(
    {
        "buildkitd.sock",
        "containerd.sock",
        "containerd.sock.ttrpc",
        "cri-dockerd.sock",
        "crio.sock",
        "docker.sock",
        "docker.raw.sock",
        "docker-cli.sock",
        "dockershim.sock",
        "kubelet.sock",
        "podman.sock",
    }
)
_HOMES = re.compile(
    r"/|/var|(/var)?/run(/(docker|containerd|podman|buildkit|crio|cri-dockerd\.sock|k3s|k3s/containerd|user|user/\d+"
    r"|user/\d+/(docker|podman|containerd|buildkit)))?"
)
_BINDING = frozenset({"bind", "rbind", "move", "remount"})
_SPREADING = frozenset({"shared", "rshared"})
_NETWORK_TYPES = frozenset({"nfs", "nfs3", "nfs4", "cifs", "smb3"})
_LOCAL_OPTIONS = frozenset({"type", "o", "device", "size"})
_SAID = 80


@dataclass(frozen=True)
class Mounted:
    """A path of the engine's machine that is mounted, and the spec's field that says so."""

    field: str
    path: str


def allowed(ground: Ground, path: str, roots: tuple[str, ...]) -> bool:
    """Whether the path lies in one of the roots, as it is written and with its symbolic links followed."""
    folders = tuple(clean(root) for root in roots)
    real = tuple(ground.real_path(folder) for folder in folders)
    return _inside(clean(path), folders) and _inside(ground.real_path(clean(path)), real)


def clean(path: str) -> str:
    """The path without `.`, `..`, doubled and trailing slashes; a relative one stays relative."""
    path = path.strip()
    return re.sub("^/+", "/", posixpath.normpath(path)) if path else ""


def reaches_engine(ground: Ground, path: str) -> bool:
    """Whether whoever has this path can talk to a container engine: its socket, or a folder that sockets are in."""
    places = (clean(path).lower(), clean(ground.real_path(clean(path))).lower())
    return any(posixpath.basename(place) in SOCKETS or _HOMES.fullmatch(place) for place in places)


def shown(text: str) -> str:
    """A value of the spec in a message, in quotes and not too long."""
    return repr(text if len(text) <= _SAID else f"{text[:_SAID]}...")


def mounts(body: JSON) -> list[JSON]:
    """HostConfig.Mounts of a create body."""
    return [*((body.get("HostConfig") or {}).get("Mounts") or ())]


def binds(body: JSON) -> list[tuple[str, str, str]]:
    """HostConfig.Binds of a create body: source, target, options."""
    found = []
    for text in (body.get("HostConfig") or {}).get("Binds") or ():
        source, _, rest = text.partition(":")
        target, _, options = rest.partition(":")
        found.append((source, target, options))
    return found


def is_path(source: str) -> bool:
    """Whether the source of a bind is a path rather than a volume's name, which has no slash and begins otherwise."""
    return "/" in source or source.startswith((".", "~", "\\"))


def mounted(body: JSON) -> Iterator[Mounted]:
    """The paths that a create body mounts, also those that hide in a volume's options."""
    for source, target, _ in binds(body):
        if is_path(source):
            yield Mounted(f"volumes.{target}", source)
    for mount in mounts(body):
        field = f"volumes.{mount.get('Target', '')}"
        if str(mount.get("Type")).lower() == "bind":
            yield Mounted(field, mount.get("Source") or "")
        yield from (Mounted(field, path) for path in device_binds(driver_config(mount)))


def driver_config(mount: JSON) -> JSON:
    """What a mount says of the volume that is made for it, as the body of POST /volumes/create has it."""
    config: JSON = (mount.get("VolumeOptions") or {}).get("DriverConfig") or {}
    return {"Driver": config.get("Name"), "DriverOpts": config.get("Options")}


def device_binds(volume: JSON) -> list[str]:
    """The paths that a volume is: `device` where it is a bind mount in disguise, any path given to another driver."""
    options = options_of(volume)
    if not is_built_in(volume):
        return [value for value in options.values() if value.startswith("/")]
    return [options.get("device", "")] if _BINDING & flags(options) else []


def is_built_in(volume: JSON) -> bool:
    """Whether the engine itself makes the volume."""
    return str(volume.get("Driver") or "local") == "local"


def options_of(volume: JSON) -> dict[str, str]:
    """The driver's options, their names as the built-in driver takes them."""
    return {str(key).strip().lower(): str(value) for key, value in (volume.get("DriverOpts") or {}).items()}


def flags(options: JSON) -> set[str]:
    """What the option `o` of the built-in driver holds (mount(8)), each in lower case and without its value."""
    return {flag.partition("=")[0].strip().lower() for flag in str(options.get("o", "")).split(",")}


def is_network_storage(options: JSON) -> bool:
    """Whether it is a file system of another machine."""
    return _kind(options) in _NETWORK_TYPES and not _BINDING & flags(options)


def odd_options(options: JSON) -> Iterator[str]:
    """What these options of the built-in driver ask for that is neither memory, nor another machine's, nor a bind."""
    yield from (f"the option {shown(name)}" for name in sorted(options) if name not in _LOCAL_OPTIONS)
    if _SPREADING & flags(options):
        yield "that mounts inside of it spread to the host"
    if _BINDING & flags(options) or is_network_storage(options):
        return
    kind, device = _kind(options), str(options.get("device", "")).strip()
    if kind != "tmpfs" if kind else device:
        yield f"a file system of type {shown(kind)}"
    elif device.startswith("/"):
        yield f"the device {shown(device)}"


def _kind(options: Any) -> str:
    return str(options.get("type", "")).strip().lower()


def _inside(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(f"{folder.rstrip('/')}/") for folder in folders if folder)
