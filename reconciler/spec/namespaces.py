"""`network_mode`, `pid` and `ipc` (Compose Spec): a namespace of its own, the host's, or that of another container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HOST_CONFIG = {"network_mode": "NetworkMode", "pid": "PidMode", "ipc": "IpcMode"}
_SERVICE_PREFIX = "service:"
CONTAINER_PREFIX = "container:"


def joined(service: Mapping[str, Any]) -> dict[str, str]:
    """The services whose container this one joins, by the key that says so: `{"pid": "db"}`."""
    modes = {key: service.get(key) or "" for key in HOST_CONFIG}
    return {key: mode.removeprefix(_SERVICE_PREFIX) for key, mode in modes.items() if mode.startswith(_SERVICE_PREFIX)}


@dataclass(frozen=True)
class Implied:
    """A dependency that a service has without `depends_on`: by which key, and whether it restarts with it."""

    key: str
    restart: bool


def implied(service: Mapping[str, Any]) -> dict[str, Implied]:
    """The services that a service needs by `network_mode`, `pid`, `ipc`, `uts`, `links` and `volumes_from`, by name."""
    found = {owner: Implied(key, restart=True) for key, owner in reversed(joined(service).items())}
    if (service.get("uts") or "").startswith(_SERVICE_PREFIX):
        found.setdefault(service["uts"].removeprefix(_SERVICE_PREFIX), Implied("uts", restart=True))
    for link in service.get("links") or ():
        found.setdefault(link.partition(":")[0], Implied("links", restart=True))
    for entry in service.get("volumes_from") or ():
        if not entry.startswith(CONTAINER_PREFIX):
            found.setdefault(entry.partition(":")[0], Implied("volumes_from", restart=False))
    return found


def shared_namespaces(service: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """HostConfig fields (Engine API) that join another service's container, with that service's name."""
    return tuple((HOST_CONFIG[key], owner) for key, owner in joined(service).items())


def plain_modes(service: Mapping[str, Any]) -> dict[str, str]:
    """HostConfig fields whose mode is sent as written (host, none, shareable, `container:x`)."""
    shared = joined(service)
    return {field: service[key] for key, field in HOST_CONFIG.items() if service.get(key) and key not in shared}
