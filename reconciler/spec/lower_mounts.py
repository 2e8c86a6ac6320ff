"""`volumes` and `tmpfs` of a service (Compose Spec) to Binds, Mounts and Tmpfs (Engine API, HostConfig).

As Compose does: a bind or a named volume without options is a `Binds` text, because only there the engine creates a
missing host path; everything else is a `Mounts` object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.spec.lower_files import file_mounts
from reconciler.spec.lower_scope import Scope, compact
from reconciler.spec.sizes import parse_bytes

RECURSIVE = {"disabled": "NonRecursive", "writable": "ReadOnlyNonRecursive", "readonly": "ReadOnlyForceRecursive"}

_NOT_HERE = {"npipe": "exists on Windows only", "cluster": "exists in a Swarm only"}

Mount = Mapping[str, Any]


def mounts(scope: Scope) -> dict[str, Any]:
    """`Binds` and `Mounts`, each sorted by path in the container: their order means nothing to the engine."""
    entries = _entries(scope)
    binds = [_bind_text(scope, entry) for entry in entries if _is_bind_text(entry)]
    others = [_mount(scope, entry) for entry in entries if not _is_bind_text(entry)]
    return compact({"Binds": binds, "Mounts": [*others, *file_mounts(scope)]})


def tmpfs(spec: Mapping[str, Any]) -> dict[str, str]:
    """`Tmpfs`: path in the container -> mount options as written after the first colon."""
    return {path: options for path, _, options in (entry.partition(":") for entry in spec.get("tmpfs") or ())}


def named_volumes(scope: Scope) -> tuple[str, ...]:
    """The engine's names of the named volumes that the service mounts, each once, sorted."""
    return tuple(sorted({_source(scope, entry) for entry in _entries(scope) if _is_named(entry)}))


def writable_mounts(scope: Scope) -> tuple[str, ...]:
    """In words for the user: what survives a replica and can be written by two of them at once."""
    return tuple(
        _describe(scope, entry)
        for entry in _entries(scope)
        if entry["type"] in {"bind", "volume"} and not entry.get("read_only") and not _is_socket(entry)
    )


def _entries(scope: Scope) -> list[Mount]:
    return sorted(scope.spec.get("volumes") or (), key=lambda entry: str(entry["target"]))


def _is_socket(entry: Mount) -> bool:
    return entry["type"] == "bind" and str(entry["source"]).endswith(".sock")


def _is_named(entry: Mount) -> bool:
    return bool(entry["type"] == "volume" and entry.get("source"))


def _is_bind_text(entry: Mount) -> bool:
    bind, volume = entry.get("bind"), entry.get("volume") or {}
    if entry["type"] == "bind":
        return bind is None or _only_creates_host_path(bind)
    return _is_named(entry) and not (volume.get("nocopy") or volume.get("subpath") or volume.get("labels"))


def _only_creates_host_path(bind: Mapping[str, Any]) -> bool:
    return bool(bind.get("create_host_path")) and not (bind.get("propagation") or bind.get("recursive"))


def _source(scope: Scope, entry: Mount) -> str:
    source: str = entry.get("source") or ""
    if entry["type"] != "volume" or not source:
        return source
    volume = (scope.document.get("volumes") or {}).get(source) or {}
    return str(volume.get("name") or source)


def _bind_text(scope: Scope, entry: Mount) -> str:
    access = "ro" if entry.get("read_only") else "rw"
    label = (entry.get("bind") or {}).get("selinux")
    return f"{_source(scope, entry)}:{entry['target']}:{f'{access},{label}' if label else access}"


def _mount(scope: Scope, entry: Mount) -> dict[str, Any]:
    if entry["type"] == "volume" and not entry.get("source") and entry.get("read_only"):
        message = f"the anonymous volume at {entry['target']} cannot be read-only"
        raise scope.refuse("volumes", message, "name the volume, or drop read_only")
    if entry["type"] in _NOT_HERE:
        raise scope.refuse(
            "volumes", f"a mount of type {entry['type']} {_NOT_HERE[entry['type']]}", "use bind or volume"
        )
    body = {
        "Type": entry["type"],
        "Source": _source(scope, entry),
        "Target": entry["target"],
        "ReadOnly": entry.get("read_only"),
        "BindOptions": _bind_options(entry.get("bind") or {}),
        "VolumeOptions": _volume_options(entry.get("volume") or {}),
        "TmpfsOptions": _tmpfs_options(entry.get("tmpfs") or {}),
        "ImageOptions": compact({"Subpath": (entry.get("image") or {}).get("subpath")}),
    }
    return compact(body)


def _bind_options(spec: Mapping[str, Any]) -> dict[str, Any]:
    recursive = RECURSIVE.get(spec.get("recursive") or "")
    options = {"Propagation": spec.get("propagation"), "CreateMountpoint": spec.get("create_host_path")}
    return compact({**options, **({recursive: True} if recursive else {})})


def _volume_options(spec: Mapping[str, Any]) -> dict[str, Any]:
    return compact({"NoCopy": spec.get("nocopy"), "Subpath": spec.get("subpath"), "Labels": spec.get("labels")})


def _tmpfs_options(spec: Mapping[str, Any]) -> dict[str, Any]:
    return compact({"SizeBytes": parse_bytes(str(spec.get("size") or 0)), "Mode": spec.get("mode")})


def _describe(scope: Scope, entry: Mount) -> str:
    if entry["type"] == "bind":
        return f"bind {entry['source']} at {entry['target']}"
    name = _source(scope, entry)
    return f"volume {name} at {entry['target']}" if name else f"anonymous volume at {entry['target']}"
