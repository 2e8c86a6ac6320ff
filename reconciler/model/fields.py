"""The closed table between Engine payload paths and spec fields: explains what a replacement changes, never decides it.

`planner` compares `asked_fields` of the new create body with `observed_fields` of the old container, or calls
`changed_fields`, which does both. Fields are named as in the spec (`healthcheck.interval`, `environment.LOG_LEVEL`)
and values shown as a spec writes them (`1m30s`, `64m`). Where the engine hides what was asked, a difference is left
out rather than invented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.model import field_views as view
from reconciler.model.labels import is_reserved
from reconciler.model.project import JSON

Path = tuple[str, ...]
NOTHING: JSON = {}
OFF = False


@dataclass(frozen=True)
class PayloadField:
    """A spec field, what inspect shows where it is unset, and how its payload value becomes flat spec fields."""

    field: str
    default: Any
    flatten: view.Flatten


PAYLOAD_FIELDS: Mapping[Path, PayloadField] = {
    ("Cmd",): PayloadField("command", None, view.whole),
    ("Entrypoint",): PayloadField("entrypoint", None, view.whole),
    ("Env",): PayloadField("environment", None, view.environment),
    ("Labels",): PayloadField("labels", None, view.mapping),
    ("User",): PayloadField("user", "", view.whole),
    ("WorkingDir",): PayloadField("working_dir", "", view.directory),
    ("Hostname",): PayloadField("hostname", "", view.whole),
    ("Domainname",): PayloadField("domainname", "", view.whole),
    ("Tty",): PayloadField("tty", OFF, view.whole),
    ("OpenStdin",): PayloadField("stdin_open", OFF, view.whole),
    ("StopSignal",): PayloadField("stop_signal", "", view.whole),
    ("StopTimeout",): PayloadField("stop_grace_period", None, view.seconds),
    ("ExposedPorts",): PayloadField("expose", None, view.names),
    ("Healthcheck", "Test"): PayloadField("healthcheck.test", None, view.whole),
    ("Healthcheck", "Interval"): PayloadField("healthcheck.interval", 0, view.nanoseconds),
    ("Healthcheck", "Timeout"): PayloadField("healthcheck.timeout", 0, view.nanoseconds),
    ("Healthcheck", "StartPeriod"): PayloadField("healthcheck.start_period", 0, view.nanoseconds),
    ("Healthcheck", "StartInterval"): PayloadField("healthcheck.start_interval", 0, view.nanoseconds),
    ("Healthcheck", "Retries"): PayloadField("healthcheck.retries", 0, view.whole),
    ("HostConfig", "Binds"): PayloadField("volumes", None, view.binds),
    ("HostConfig", "Mounts"): PayloadField("volumes", None, view.mounts),
    ("HostConfig", "Tmpfs"): PayloadField("tmpfs", None, view.tmpfs),
    ("HostConfig", "PortBindings"): PayloadField("ports", None, view.ports),
    ("HostConfig", "NetworkMode"): PayloadField("network_mode", "default", view.network_mode),
    ("HostConfig", "ExtraHosts"): PayloadField("extra_hosts", None, view.unordered),
    ("HostConfig", "RestartPolicy"): PayloadField("restart", None, view.restart),
    ("HostConfig", "LogConfig", "Type"): PayloadField("logging.driver", "json-file", view.whole),
    ("HostConfig", "LogConfig", "Config"): PayloadField("logging.options", None, view.mapping),
    ("HostConfig", "Memory"): PayloadField("deploy.resources.limits.memory", 0, view.size),
    ("HostConfig", "NanoCpus"): PayloadField("deploy.resources.limits.cpus", 0, view.cpus),
    ("HostConfig", "PidsLimit"): PayloadField("deploy.resources.limits.pids", 0, view.whole),
    ("HostConfig", "MemoryReservation"): PayloadField("deploy.resources.reservations.memory", 0, view.size),
    ("HostConfig", "MemorySwap"): PayloadField("memswap_limit", 0, view.size),
    ("HostConfig", "MemorySwappiness"): PayloadField("mem_swappiness", None, view.whole),
    ("HostConfig", "OomKillDisable"): PayloadField("oom_kill_disable", OFF, view.whole),
    ("HostConfig", "OomScoreAdj"): PayloadField("oom_score_adj", 0, view.whole),
    ("HostConfig", "CpuCount"): PayloadField("cpu_count", 0, view.whole),
    ("HostConfig", "CpuPercent"): PayloadField("cpu_percent", 0, view.hundredths),
    ("HostConfig", "CpuPeriod"): PayloadField("cpu_period", 0, view.whole),
    ("HostConfig", "CpuQuota"): PayloadField("cpu_quota", 0, view.whole),
    ("HostConfig", "CpuRealtimePeriod"): PayloadField("cpu_rt_period", 0, view.whole),
    ("HostConfig", "CpuRealtimeRuntime"): PayloadField("cpu_rt_runtime", 0, view.whole),
    ("HostConfig", "CpuShares"): PayloadField("cpu_shares", 0, view.whole),
    ("HostConfig", "CpusetCpus"): PayloadField("cpuset", "", view.whole),
    ("HostConfig", "BlkioWeight"): PayloadField("blkio_config.weight", 0, view.whole),
    ("HostConfig", "BlkioWeightDevice"): PayloadField("blkio_config.weight_device", None, view.by_path),
    ("HostConfig", "BlkioDeviceReadBps"): PayloadField("blkio_config.device_read_bps", None, view.by_path),
    ("HostConfig", "BlkioDeviceReadIOps"): PayloadField("blkio_config.device_read_iops", None, view.by_path),
    ("HostConfig", "BlkioDeviceWriteBps"): PayloadField("blkio_config.device_write_bps", None, view.by_path),
    ("HostConfig", "BlkioDeviceWriteIOps"): PayloadField("blkio_config.device_write_iops", None, view.by_path),
    ("HostConfig", "CgroupParent"): PayloadField("cgroup_parent", "", view.whole),
    ("HostConfig", "Annotations"): PayloadField("annotations", None, view.mapping),
    ("HostConfig", "Devices"): PayloadField("devices", None, view.devices),
    ("HostConfig", "DeviceCgroupRules"): PayloadField("device_cgroup_rules", None, view.whole),
    ("HostConfig", "DeviceRequests"): PayloadField("gpus", None, view.device_requests),
    ("HostConfig", "Dns"): PayloadField("dns", None, view.whole),
    ("HostConfig", "DnsOptions"): PayloadField("dns_opt", None, view.whole),
    ("HostConfig", "DnsSearch"): PayloadField("dns_search", None, view.whole),
    ("HostConfig", "GroupAdd"): PayloadField("group_add", None, view.whole),
    ("HostConfig", "Isolation"): PayloadField("isolation", "", view.whole),
    ("HostConfig", "Runtime"): PayloadField("runtime", "runc", view.whole),
    ("HostConfig", "StorageOpt"): PayloadField("storage_opt", None, view.mapping),
    ("HostConfig", "Sysctls"): PayloadField("sysctls", None, view.mapping),
    ("HostConfig", "UsernsMode"): PayloadField("userns_mode", "", view.whole),
    ("HostConfig", "UTSMode"): PayloadField("uts", "", view.whole),
    ("HostConfig", "Ulimits"): PayloadField("ulimits", None, view.ulimits),
    ("HostConfig", "ShmSize"): PayloadField("shm_size", 67108864, view.size),
    ("HostConfig", "Init"): PayloadField("init", None, view.whole),
    ("HostConfig", "Privileged"): PayloadField("privileged", OFF, view.whole),
    ("HostConfig", "ReadonlyRootfs"): PayloadField("read_only", OFF, view.whole),
    ("HostConfig", "CapAdd"): PayloadField("cap_add", None, view.unordered),
    ("HostConfig", "CapDrop"): PayloadField("cap_drop", None, view.unordered),
    ("HostConfig", "SecurityOpt"): PayloadField("security_opt", None, view.security),
    ("HostConfig", "MaskedPaths"): PayloadField("security_opt.systempaths", None, view.system_paths),
}

# What `deploy` says in its own way, and the service's own key for it.
SHORT_KEYS: Mapping[str, str] = {
    "deploy.resources.limits.memory": "mem_limit",
    "deploy.resources.limits.cpus": "cpus",
    "deploy.resources.limits.pids": "pids_limit",
    "deploy.resources.reservations.memory": "mem_reservation",
}

# Emitted with every container or explained elsewhere: attached streams, the paths that go with MaskedPaths, the MAC
# address that stands on the network endpoint too, and the mode of cgroups, which engines fill in.
UNEXPLAINED: frozenset[Path] = frozenset(
    {
        ("AttachStdout",),
        ("AttachStderr",),
        ("HostConfig", "ReadonlyPaths"),
        ("MacAddress",),
        ("HostConfig", "CgroupnsMode"),
    }
)

# What an engine may set by its own configuration (daemon.json: log-driver, log-opts, default-ulimits and so on).
ENGINES_CHOICE = ("logging.", "ulimits.", "shm_size", "runtime", "memswap_limit")

_CONTAINER_ID = re.compile(r"[0-9a-f]{12}")
_IMAGE_CONFIG = (
    "Cmd",
    "Entrypoint",
    "Env",
    "Labels",
    "User",
    "WorkingDir",
    "StopSignal",
    "ExposedPorts",
    "Healthcheck",
)


def as_written(field: str, sources: Mapping[str, str]) -> str:
    """The field by the key that a spec with these sources writes: `mem_limit` where `deploy` does not say it."""
    short = SHORT_KEYS.get(field)
    return short if short and short in sources and field not in sources else field


def asked_fields(body: JSON, image_config: JSON = NOTHING) -> dict[str, Any]:
    """Flat spec field -> value of what a create body (Engine API, ContainerCreate) asks for.

    With the config of an image, what only repeats that image's own settings is left out, as `observed_fields` does.
    """
    return _beyond_image(body, image_config)


def observed_fields(config: JSON, host_config: JSON, image_config: JSON) -> dict[str, Any]:
    """The same view read back from `Config` and `HostConfig` of GET /containers/{id}/json.

    Without what came from the image (`image_config`, its own Config), from the engine's defaults, and from us: reserved
    labels, the carried volumes of the image's VOLUME paths.
    """
    return _beyond_image({**config, "HostConfig": host_config}, image_config)


def changed_fields(body: JSON, config: JSON, host_config: JSON, image_config: JSON) -> dict[str, tuple[Any, Any]]:
    """Field -> (before, after) for a container to be replaced by one made of `body`, in the order of the field names.

    What the engine may have chosen by itself is told only where nothing else explains the replacement.
    """
    before, after = observed_fields(config, host_config, image_config), asked_fields(body, image_config)
    found = {
        field: (before.get(field), after.get(field))
        for field in sorted({*before, *after})
        if before.get(field) != after.get(field)
    }
    certain = {field: pair for field, pair in found.items() if not may_be_the_engines(field, *pair)}
    return certain or found


def may_be_the_engines(field: str, before: Any, after: Any) -> bool:
    """Whether the engine may have chosen `before` by itself, where nothing is asked for now."""
    if after is not None:
        return False
    return field.startswith(ENGINES_CHOICE) or before == view.ANONYMOUS


def _beyond_image(body: JSON, image_config: JSON) -> dict[str, Any]:
    given = _flat({key: image_config.get(key) for key in _IMAGE_CONFIG})
    given |= {f"volumes.{path}": view.ANONYMOUS for path in image_config.get("Volumes") or ()}
    own = _without_side_effects(_flat(body), body)
    if own.get("entrypoint") and own.get("entrypoint") != given.get("entrypoint"):
        given.pop("command", None)  # the engine takes an image's Cmd only together with its Entrypoint
    return {field: value for field, value in own.items() if field not in given or given[field] != value}


def _flat(body: JSON) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for path, item in PAYLOAD_FIELDS.items():
        value = _at(body, path)
        if value is not None and value != item.default:
            fields |= item.flatten(item.field, value)
    return {field: value for field, value in fields.items() if not is_reserved(field.removeprefix("labels."))}


def _at(body: JSON, path: Path) -> Any:
    value: Any = body
    for key in path:
        if value is None:
            return None
        value = value.get(key)
    return value


def _without_side_effects(fields: dict[str, Any], body: JSON) -> dict[str, Any]:
    """Drop what follows from another field: what is published is exposed, ids and other namespaces name their hosts."""
    published = {f"expose.{port}" for port in _at(body, ("HostConfig", "PortBindings")) or ()}
    kept = {field: value for field, value in fields.items() if field not in published}
    if _at(body, ("HostConfig", "MemorySwap")) == 2 * (_at(body, ("HostConfig", "Memory")) or 0):
        kept.pop("memswap_limit", None)  # what engines add to a limit of memory
    mode = _at(body, ("HostConfig", "NetworkMode")) or ""
    if mode == "host" or mode.startswith("container:") or _CONTAINER_ID.fullmatch(str(kept.get("hostname"))):
        kept.pop("hostname", None)
    if kept.get("privileged") and kept.get("security_opt"):
        kept["security_opt"] = [option for option in kept["security_opt"] if option != "label=disable"]
    return {field: value for field, value in kept.items() if field != "security_opt" or value}
