"""A new container's Config and HostConfig: what was asked for, what the image adds, and the engine's own defaults."""

from __future__ import annotations

import re
from typing import Any

from reconciler.engine.protocol import JSON
from reconciler.engine.simulated.state import BAD_REQUEST, Document, World, copied, find_container, refusal

RESTART_POLICIES = frozenset({"", "no", "always", "on-failure", "unless-stopped"})
SHARED = "container:"

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_SHM_SIZE = 67108864
_HEALTHCHECK_FIELDS = ("Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")
_OPTIONAL = ("Healthcheck", "ArgsEscaped", "NetworkDisabled", "MacAddress", "StopSignal", "StopTimeout", "Shell")
_MASKED = ("asound", "acpi", "kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "scsi")
_READONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
# fmt: off
_NULLS = (
    "Binds", "VolumesFrom", "CapAdd", "CapDrop", "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd",
    "Links", "SecurityOpt", "PortBindings", "BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps",
    "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps", "Devices", "DeviceCgroupRules", "DeviceRequests",
    "MemorySwappiness", "PidsLimit", "Ulimits",
)
_ZEROS = (
    "OomScoreAdj", "CpuShares", "Memory", "NanoCpus", "BlkioWeight", "CpuPeriod", "CpuQuota", "CpuRealtimePeriod",
    "CpuRealtimeRuntime", "KernelMemory", "KernelMemoryTCP", "MemoryReservation", "MemorySwap", "CpuCount",
    "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth",
)
_EMPTY = (
    "ContainerIDFile", "VolumeDriver", "Cgroup", "PidMode", "UTSMode", "UsernsMode", "Isolation", "CgroupParent",
    "CpusetCpus", "CpusetMems",
)
_FALSE = (
    "AutoRemove", "Privileged", "PublishAllPorts", "ReadonlyRootfs", "OomKillDisable",
)
# fmt: on


def check(name: str, body: JSON) -> None:
    """Refuse with 400 what the engine refuses before it looks at anything else."""
    if not _NAME.fullmatch(name):
        raise refusal(BAD_REQUEST, f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    if not body.get("Image"):
        raise refusal(BAD_REQUEST, "No command specified")
    policy = ((body.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name") or ""
    if policy not in RESTART_POLICIES:
        raise refusal(BAD_REQUEST, f"invalid restart policy '{policy}'")


def merged_config(body: JSON, image: JSON, container_id: str) -> Document:
    """Config of GET /containers/{id}/json: the create body over the image's own Config."""
    entrypoint, command = _command(body, image)
    config = {
        "Hostname": body.get("Hostname") or container_id[:12],
        "Domainname": body.get("Domainname") or "",
        "User": body.get("User") or image.get("User") or "",
        **{field: bool(body.get(field)) for field in ("AttachStdin", "AttachStdout", "AttachStderr")},
        **{field: bool(body.get(field)) for field in ("Tty", "OpenStdin", "StdinOnce")},
        "Env": _environment(body.get("Env") or [], image.get("Env") or []),
        "Cmd": command,
        "Image": body["Image"],
        "Volumes": _united(image, body, "Volumes") or None,
        "WorkingDir": body.get("WorkingDir") or image.get("WorkingDir") or "",
        "Entrypoint": entrypoint,
        "OnBuild": None,
        "Labels": _united(image, body, "Labels"),
    }
    optional = {field: copied(body.get(field) or image.get(field)) for field in _OPTIONAL}
    optional["Healthcheck"] = _healthcheck(body.get("Healthcheck"), image.get("Healthcheck"))
    optional["ExposedPorts"] = _united(image, body, "ExposedPorts")
    return config | {field: value for field, value in optional.items() if value}


def full_host_config(world: World, asked: JSON) -> Document:
    """HostConfig of GET /containers/{id}/json: the create body's over the engine's defaults."""
    given = {field: copied(value) for field, value in asked.items() if value is not None}
    config = {**_defaults(), **given}
    config["LogConfig"] = {"Type": "json-file", "Config": {}} | {k: v for k, v in config["LogConfig"].items() if v}
    config["ShmSize"] = config["ShmSize"] or _SHM_SIZE
    config["IpcMode"] = config["IpcMode"] or "private"
    config["RestartPolicy"] = _restart_policy(world, config["RestartPolicy"])
    config["NetworkMode"] = _network_mode(world, str(config["NetworkMode"] or "default"))
    config["PortBindings"] = _port_bindings(config["PortBindings"])
    if config["Memory"] and not config["MemorySwap"]:
        config["MemorySwap"] = config["Memory"] * 2
    if config["Privileged"]:
        config |= {
            "MaskedPaths": None,
            "ReadonlyPaths": None,
            "SecurityOpt": config["SecurityOpt"] or ["label=disable"],
        }
    return config


def has_probe(config: JSON) -> bool:
    """Whether a container of this Config has a health check that runs."""
    test = (config.get("Healthcheck") or {}).get("Test")
    return test is not None and len(test) > 0 and test[0] != "NONE"


def _defaults() -> Document:
    return {
        **dict.fromkeys(_NULLS),
        **dict.fromkeys(_ZEROS, 0),
        **dict.fromkeys(_EMPTY, ""),
        **dict.fromkeys(_FALSE, False),
        "LogConfig": {},
        "NetworkMode": "default",
        "RestartPolicy": {},
        "CgroupnsMode": "host",
        "IpcMode": "private",
        "ShmSize": 0,
        "ConsoleSize": [0, 0],
        "MaskedPaths": [*(f"/proc/{name}" for name in _MASKED), "/sys/firmware"],
        "ReadonlyPaths": list(_READONLY),
        "Runtime": "runc",
    }


def _restart_policy(world: World, asked: JSON) -> Document:
    unset = "no" if world.info.supports("1.45") else ""
    return {"Name": asked.get("Name") or unset, "MaximumRetryCount": asked.get("MaximumRetryCount") or 0}


def _network_mode(world: World, mode: str) -> str:
    if mode == "default" and world.info.supports("1.45"):
        return "bridge"
    if mode.startswith(SHARED):
        return SHARED + find_container(world, mode.removeprefix(SHARED)).id
    return mode


def _port_bindings(asked: JSON | None) -> Document | None:
    if asked is None:
        return None
    return {
        port: [{"HostIp": "", "HostPort": "", **binding} for binding in bindings or []]
        for port, bindings in asked.items()
    }


def _environment(ours: list[str], images: list[str]) -> list[str]:
    names = {entry.partition("=")[0] for entry in ours}
    return [*ours, *(entry for entry in images if entry.partition("=")[0] not in names)]


def _command(body: JSON, image: JSON) -> tuple[list[str] | None, list[str] | None]:
    """Entrypoint and Cmd: ours drops the image's command, and one empty string its entrypoint."""
    entrypoint, command = copied(body.get("Entrypoint")), copied(body.get("Cmd"))
    if isinstance(command, str):
        command = [command]
    if not entrypoint and not command:
        command = copied(image.get("Cmd"))
    if entrypoint is None:
        entrypoint = copied(image.get("Entrypoint"))
    return (None if entrypoint == [""] else entrypoint), command


def _healthcheck(ours: JSON | None, images: JSON | None) -> dict[str, Any]:
    if not images or not ours:
        return dict(copied(ours or images or {}))
    merged = {field: ours.get(field) or images.get(field) for field in _HEALTHCHECK_FIELDS}
    return {field: copied(value) for field, value in merged.items() if value}


def _united(image: JSON, body: JSON, field: str) -> dict[str, Any]:
    return dict(sorted({**(image.get(field) or {}), **(copied(body.get(field)) or {})}.items()))
