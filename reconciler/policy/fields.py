"""Every field of a payload that somebody has judged. One that nobody has judged is denied, never let through silently.

A field stands here because a rule looks at it, or because it changes nothing outside of the container itself: its
process, its own files and limits, names on its own networks. `tests/unit/policy/test_fields.py` compares these sets
with everything that lowering writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.model.observed import json_value
from reconciler.model.project import JSON
from reconciler.policy.host_paths import mounts, shown
from reconciler.policy.rule import Finding, Ground

CONFIG_JUDGED = frozenset({"Healthcheck", "HostConfig", "Image", "NetworkingConfig", "User"})
CONFIG_OWN = frozenset(
    {
        "AttachStderr",
        "AttachStdin",
        "AttachStdout",
        "Cmd",
        "Domainname",
        "Entrypoint",
        "Env",
        "ExposedPorts",
        "Hostname",
        "Labels",
        "MacAddress",
        "OpenStdin",
        "StdinOnce",
        "StopSignal",
        "StopTimeout",
        "Tty",
        "Volumes",
        "WorkingDir",
    }
)
HOST_JUDGED = frozenset(
    {
        "Annotations",
        "Binds",
        "CapAdd",
        "CapDrop",
        "CgroupParent",
        "CgroupnsMode",
        "CpuQuota",
        "DeviceCgroupRules",
        "DeviceRequests",
        "Devices",
        "IpcMode",
        "LogConfig",
        "MaskedPaths",
        "Memory",
        "Mounts",
        "NanoCpus",
        "NetworkMode",
        "OomKillDisable",
        "OomScoreAdj",
        "PidMode",
        "PidsLimit",
        "PortBindings",
        "Privileged",
        "ReadonlyPaths",
        "ReadonlyRootfs",
        "Runtime",
        "SecurityOpt",
        "Sysctls",
        "UTSMode",
        "UsernsMode",
        "VolumeDriver",
        "VolumesFrom",
    }
)
# Limits bind the container itself, names and addresses are looked up by it alone, groups and /dev/shm are inside of it.
HOST_OWN = frozenset(
    {
        "BlkioDeviceReadBps",
        "BlkioDeviceReadIOps",
        "BlkioDeviceWriteBps",
        "BlkioDeviceWriteIOps",
        "BlkioWeight",
        "BlkioWeightDevice",
        "ConsoleSize",
        "CpuCount",
        "CpuPercent",
        "CpuPeriod",
        "CpuRealtimePeriod",
        "CpuRealtimeRuntime",
        "CpuShares",
        "CpusetCpus",
        "Dns",
        "DnsOptions",
        "DnsSearch",
        "ExtraHosts",
        "GroupAdd",
        "Init",
        "Isolation",
        "MemoryReservation",
        "MemorySwap",
        "MemorySwappiness",
        "RestartPolicy",
        "ShmSize",
        "StorageOpt",
        "Tmpfs",
        "Ulimits",
    }
)
MOUNT_TYPES = frozenset({"bind", "image", "tmpfs", "volume"})
MOUNT = frozenset(
    {"BindOptions", "ImageOptions", "ReadOnly", "Source", "Target", "TmpfsOptions", "Type", "VolumeOptions"}
)
MOUNT_OPTIONS: Mapping[str, frozenset[str]] = {
    "BindOptions": frozenset(
        {"CreateMountpoint", "NonRecursive", "Propagation", "ReadOnlyForceRecursive", "ReadOnlyNonRecursive"}
    ),
    "VolumeOptions": frozenset({"DriverConfig", "Labels", "NoCopy", "Subpath"}),
    "TmpfsOptions": frozenset({"Mode", "SizeBytes"}),
    "ImageOptions": frozenset({"Subpath"}),
}
NETWORKING = frozenset({"EndpointsConfig"})
ENDPOINT = frozenset({"Aliases", "DriverOpts", "GwPriority", "IPAMConfig", "Links", "MacAddress"})
NETWORK = frozenset({"Attachable", "Driver", "EnableIPv4", "EnableIPv6", "IPAM", "Internal", "Labels", "Options"})
IPAM = frozenset({"Config", "Driver"})
POOL = frozenset({"AuxiliaryAddresses", "Gateway", "IPRange", "Subnet"})
VOLUME = frozenset({"Driver", "DriverOpts", "Labels"})
# Fields of model.project.Build: rules look at the first, the rest says what is built and how it is called.
BUILD_JUDGED = frozenset(
    {"args", "bases", "cache_from", "cache_to", "contexts", "entitlements", "instructions", "network"}
    | {"privileged", "ssh"}
)
BUILD_OWN = frozenset(
    {"content", "context", "dockerfile", "dockerfile_inline", "extra_hosts", "key", "labels", "no_cache", "pins"}
    | {"platforms", "pull", "reason", "secrets", "shm_size", "tag", "tags", "target", "trouble", "ulimits"}
)


def unknown_operation(kind: str, _: object, __: Ground) -> Iterator[Finding]:
    """A kind of operation that nobody has judged."""
    yield Finding("", f"the operation {kind}, which no rule knows")


def unknown_in_container(body: JSON, _: object, __: Ground) -> Iterator[Finding]:
    """Fields of a create body that nobody has judged."""
    host: JSON = body.get("HostConfig") or {}
    networking: JSON = body.get("NetworkingConfig") or {}
    yield from _unknown("", body, CONFIG_JUDGED | CONFIG_OWN)
    yield from _unknown("", host, HOST_JUDGED | HOST_OWN)
    yield from _unknown("networks", networking, NETWORKING)
    for mount in mounts(body):
        yield from _unknown_in_mount(mount)
    for name, endpoint in (networking.get("EndpointsConfig") or {}).items():
        yield from _unknown(f"networks.{name}", endpoint or {}, ENDPOINT)


def unknown_in_network(body: JSON, _: object, __: Ground) -> Iterator[Finding]:
    """Fields of a network's body that nobody has judged."""
    yield from _unknown("", body, NETWORK)
    yield from _unknown("ipam", body.get("IPAM") or {}, IPAM)
    for pool in json_value(body, "IPAM", "Config") or ():
        yield from _unknown("ipam.config", pool, POOL)


def unknown_in_volume(body: JSON, _: object, __: Ground) -> Iterator[Finding]:
    """Fields of a volume's body that nobody has judged."""
    yield from _unknown("", body, VOLUME)


def _unknown_in_mount(mount: JSON) -> Iterator[Finding]:
    field = f"volumes.{mount.get('Target', '')}"
    if mount.get("Type") not in MOUNT_TYPES:
        yield Finding(field, f"a mount of type {shown(str(mount.get('Type')))}")
    yield from _unknown(field, mount, MOUNT)
    for key, known in MOUNT_OPTIONS.items():
        yield from _unknown(field, mount.get(key) or {}, known)


def _unknown(field: str, body: Mapping[str, Any], known: Iterable[str]) -> Iterator[Finding]:
    """The fields that say something and are in no list."""
    for key in sorted(key for key, value in body.items() if value and key not in known):
        yield Finding(field, f"the field {shown(key)} of the Engine API, which no rule knows")
