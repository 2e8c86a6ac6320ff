"""`networks` and `network_mode` (Compose Spec) to endpoints, NetworkMode and POST /networks/create (Engine API)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.model.project import Attachment
from reconciler.spec.lower_scope import Scope, compact

ENDPOINT = {"mac_address": "MacAddress", "driver_opts": "DriverOpts", "gw_priority": "GwPriority"}
ENDPOINT_IPAM = {"ipv4_address": "IPv4Address", "ipv6_address": "IPv6Address", "link_local_ips": "LinkLocalIPs"}
NETWORK = {
    "driver": "Driver",
    "driver_opts": "Options",
    "internal": "Internal",
    "attachable": "Attachable",
    "labels": "Labels",
}
POOL = {"subnet": "Subnet", "ip_range": "IPRange", "gateway": "Gateway", "aux_addresses": "AuxiliaryAddresses"}
SERVICE_PREFIX = "service:"


def attachments(scope: Scope) -> tuple[Attachment, ...]:
    """The networks of a service in connection order: highest `priority` first, then by key.

    Aliases are those that the spec lists; the service's own name is not among them.
    """
    return tuple(_attachment(scope, key, spec) for key, spec in _in_order(scope))


def network_mode(spec: Mapping[str, Any]) -> str:
    """`HostConfig.NetworkMode` as written (none, host, bridge, `container:x`); empty with networks or `service:x`."""
    mode: str = spec.get("network_mode") or ""
    return "" if mode.startswith(SERVICE_PREFIX) else mode


def shared_namespaces(spec: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """HostConfig fields that join another service's container, with that service's name."""
    mode: str = spec.get("network_mode") or ""
    return (("NetworkMode", mode.removeprefix(SERVICE_PREFIX)),) if mode.startswith(SERVICE_PREFIX) else ()


def mac_address(scope: Scope) -> str:
    """The first network's MAC address: below API 1.44 the engine reads it from `Config.MacAddress` alone."""
    first = next(_in_order(scope), None)
    return str(first[1].get("mac_address") or "") if first else ""


def network_definition(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The body of POST /networks/create without name; of labels only the user's own.

    IPAM options are not sent, as in Compose.
    """
    body = compact({field: spec.get(key) for key, field in NETWORK.items()})
    switches = {"EnableIPv4": spec.get("enable_ipv4"), "EnableIPv6": spec.get("enable_ipv6")}
    body |= {field: value for field, value in switches.items() if value is not None}
    return body | compact({"IPAM": _ipam(spec.get("ipam") or {})})


def _in_order(scope: Scope) -> Iterator[tuple[str, Mapping[str, Any]]]:
    networks = {key: spec or {} for key, spec in (scope.spec.get("networks") or {}).items()}
    return iter(sorted(networks.items(), key=lambda item: (-item[1].get("priority", 0), item[0])))


def _attachment(scope: Scope, key: str, spec: Mapping[str, Any]) -> Attachment:
    name = scope.document["networks"][key]["name"]
    return Attachment(key, name, tuple(spec.get("aliases") or ()), _endpoint(spec))


def _endpoint(spec: Mapping[str, Any]) -> dict[str, Any]:
    ipam = compact({field: spec.get(key) for key, field in ENDPOINT_IPAM.items()})
    return compact({"IPAMConfig": ipam, **{field: spec.get(key) for key, field in ENDPOINT.items()}})


def _ipam(spec: Mapping[str, Any]) -> dict[str, Any]:
    pools = [compact({field: pool.get(key) for key, field in POOL.items()}) for pool in spec.get("config") or ()]
    return compact({"Driver": spec.get("driver"), "Config": pools})
