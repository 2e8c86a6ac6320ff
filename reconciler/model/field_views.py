"""How one payload value becomes flat spec fields, each shown as a spec writes it: the views of the table in `fields`.

Every view takes the spec field's name and the value at its payload path, which is neither null nor the engine's
default. An empty value gives no field, except where emptiness was asked for.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Flatten = Callable[[str, Any], dict[str, Any]]

ANONYMOUS = "anonymous volume"
REMOVED = "(removed)"
NO_OPTIONS = "(no options)"
UNSTABLE_OPTIONS = {
    "CreateMountpoint",
    "ReadOnlyNonRecursive",
}  # before API 1.42 forgotten, before 1.44 set on read-only binds
SHOWN_MODES = {"none", "host"}

_GENERATED_NAME = re.compile(r"[0-9a-f]{64}")
_DURATIONS = (
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("µs", 1000),
    ("ns", 1),
)
_SIZES = (("g", 1024**3), ("m", 1024**2), ("k", 1024))


def whole(field: str, value: Any) -> dict[str, Any]:
    """The value as it is. An empty entrypoint was asked for: it clears the image's."""
    return {} if value == [] and field != "entrypoint" else {field: value}


def unordered(field: str, values: list[str]) -> dict[str, Any]:
    """A list whose order means nothing."""
    return {field: sorted(values)} if values else {}


def mapping(field: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """One field a key."""
    return {f"{field}.{key}": value for key, value in values.items()}


def names(field: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A set that the engine writes as an object of empty objects."""
    return {f"{field}.{key}": key for key in values}


def environment(field: str, values: Iterable[str]) -> dict[str, Any]:
    """One field a variable; a bare name takes the image's variable away."""
    parts = (entry.partition("=") for entry in values)
    return {f"{field}.{name}": value if equals else REMOVED for name, equals, value in parts}


def directory(field: str, path: str) -> dict[str, Any]:
    """A path as the engine cleans it."""
    return {field: posixpath.normpath(path)}


def nanoseconds(field: str, value: int) -> dict[str, Any]:
    """A duration such as `1m30s`."""
    text, rest = "", value
    for unit, size in _DURATIONS:
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return {field: text or "0s"}


def seconds(field: str, value: int) -> dict[str, Any]:
    """A duration given in whole seconds."""
    return nanoseconds(field, value * 1_000_000_000)


def size(field: str, value: int) -> dict[str, Any]:
    """Bytes in the largest unit that divides them: `64m`."""
    unit, step = next(((unit, step) for unit, step in _SIZES if value % step == 0), ("", 1))
    return {field: f"{value // step}{unit}"}


def cpus(field: str, value: int) -> dict[str, Any]:
    """Billionths of a CPU as CPUs, to a millionth: Compose's own numbers are not exact beyond that."""
    return {field: f"{value / 1e9:.6f}".rstrip("0").rstrip(".")}


def hundredths(field: str, value: int) -> dict[str, Any]:
    """A percentage that the engine counts in hundredths."""
    return {field: value // 100}


def by_path(field: str, entries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One field a device, with its rate or weight."""
    return {f"{field}.{entry['Path']}": entry.get("Rate", entry.get("Weight")) for entry in entries}


def devices(field: str, entries: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """One field a path in the container: `/dev/sda (rwm)`."""
    return {f"{field}.{entry['PathInContainer']}": _device_text(entry) for entry in entries}


def device_requests(field: str, entries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What is asked of device drivers, without what says nothing."""
    found = [{key: value for key, value in entry.items() if value} for entry in entries]
    return {field: found} if found else {}


def restart(field: str, policy: Mapping[str, Any]) -> dict[str, Any]:
    """`always`, `on-failure:3`. `no` gives no field: engines from 25 on write it where nothing was asked for."""
    name, count = _policy_name(policy), policy.get("MaximumRetryCount") or 0
    text = f"{name}:{count}" if count else name
    return {field: text} if text else {}


def ports(field: str, bindings: Mapping[str, list[Mapping[str, str]] | None]) -> dict[str, Any]:
    """The short form of every published port: `127.0.0.1:8080:80/tcp`."""
    found = [_port_text(port, binding) for port, entries in bindings.items() for binding in entries or ()]
    return {field: sorted(found)} if found else {}


def network_mode(field: str, mode: str) -> dict[str, Any]:
    """`none` and `host`. A network stands under `networks`, another container's under its service.

    `bridge` gives no field: engines from 25 on write it where nothing was asked for.
    """
    return {field: mode} if mode in SHOWN_MODES else {}


def ulimits(field: str, limits: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One field a limit: `1024`, or `soft:hard` where they differ."""
    return {f"{field}.{limit['Name']}": _ulimit_text(limit["Soft"], limit["Hard"]) for limit in limits}


def tmpfs(field: str, paths: Mapping[str, str]) -> dict[str, Any]:
    """One field a path, with its mount options."""
    return {f"{field}.{path}": options or NO_OPTIONS for path, options in paths.items()}


def binds(field: str, entries: Iterable[str]) -> dict[str, Any]:
    """One field a path in the container: `shop_data`, `/srv/x (ro)`."""
    parts = (entry.split(":") for entry in entries)
    return {f"{field}.{part[1]}": _with_options(part[0], part[2:3]) for part in parts if len(part) > 1}


def mounts(field: str, entries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One field a path in the container, as `binds` shows it; a volume that the engine named is anonymous."""
    return {f"{field}.{entry['Target']}": _mount_text(entry) for entry in entries}


def security(field: str, options: Iterable[str]) -> dict[str, Any]:
    """Options, sorted; a seccomp profile by the start of its hash."""
    return unordered(field, [_security_text(option) for option in options])


def system_paths(field: str, masked: list[str]) -> dict[str, Any]:
    """`systempaths=unconfined` is an empty list of masked paths; any other list is the engine's own."""
    return {} if masked else {field: "unconfined"}


def _policy_name(policy: Mapping[str, Any]) -> str:
    name: str = policy.get("Name") or ""
    return "" if name == "no" else name


def _device_text(entry: Mapping[str, str]) -> str:
    return f"{entry['PathOnHost']} ({entry['CgroupPermissions']})"


def _port_text(port: str, binding: Mapping[str, str]) -> str:
    address, published = binding.get("HostIp") or "", binding.get("HostPort") or ""
    host = f"[{address}]:" if ":" in address else f"{address}:" if address else ""
    return f"{host}{published}:{port}" if host or published not in {"", "0"} else port


def _ulimit_text(soft: int, hard: int) -> str:
    return str(soft) if soft == hard else f"{soft}:{hard}"


def _with_options(source: str, options: Iterable[str]) -> str:
    shown = ",".join(option for option in options if option and option != "rw")
    return f"{source} ({shown})" if shown else source


def _mount_text(entry: Mapping[str, Any]) -> str:
    source = entry.get("Source") or ""
    if entry.get("Type") == "volume" and (not source or _GENERATED_NAME.fullmatch(source)):
        source = ANONYMOUS
    access = ["ro"] if entry.get("ReadOnly") else []
    return _with_options(source or str(entry.get("Type")), [*access, *_mount_options(entry)])


def _mount_options(entry: Mapping[str, Any]) -> list[str]:
    """The options that were set, without those that an older API forgets or sets by itself."""
    groups = (entry.get(group) or {} for group in ("BindOptions", "VolumeOptions", "TmpfsOptions"))
    found = {key: value for group in groups for key, value in group.items() if value and key not in UNSTABLE_OPTIONS}
    return [f"{key}={value}" for key, value in sorted(found.items())]


def _security_text(option: str) -> str:
    if not option.startswith("seccomp={"):
        return option
    return f"seccomp=(profile {hashlib.sha256(option.encode()).hexdigest()[:8]})"
