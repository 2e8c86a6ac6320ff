"""`ports` and `expose` (Compose Spec) to ExposedPorts, PortBindings (Engine API) and the planner's HostPorts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from reconciler.model.project import HostPort


def exposed_ports(spec: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """`ExposedPorts`: every published port, and `expose` as written."""
    ports = [*(spec.get("expose") or ()), *(_port(entry) for entry in spec.get("ports") or ())]
    return {port: {} for port in ports}


def port_bindings(spec: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """`HostConfig.PortBindings`. A published range stays a range: the engine takes the first free port of it."""
    bindings: dict[str, list[dict[str, str]]] = defaultdict(list)
    for entry in spec.get("ports") or ():
        binding = {"HostIp": entry.get("host_ip") or "", "HostPort": str(entry.get("published") or "")}
        bindings[_port(entry)].append(binding)
    return dict(bindings)


def host_ports(spec: Mapping[str, Any]) -> tuple[HostPort, ...]:
    """What the service takes on the host; 0 where the engine chooses."""
    return tuple(_host_port(entry) for entry in spec.get("ports") or ())


def _port(entry: Mapping[str, Any]) -> str:
    return f"{entry['target']}/{entry.get('protocol') or 'tcp'}"


def _host_port(entry: Mapping[str, Any]) -> HostPort:
    first, _, last = str(entry.get("published") or 0).partition("-")
    return HostPort(int(first), int(last or first), entry.get("protocol") or "tcp", entry.get("host_ip") or "")
