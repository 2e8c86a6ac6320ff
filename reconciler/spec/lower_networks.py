"""`networks` and `network_mode` (Compose Spec) to endpoints, NetworkMode and POST /networks/create (Engine API)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.model.project import Attachment
from reconciler.spec.lower_scope import Scope, compact

ENDPOINT = {"driver_opts": "DriverOpts", "gw_priority": "GwPriority"}
ENDPOINT_IPAM = {"ipv4_address": "IPv4Address", "ipv6_address": "IPv6Address", "link_local_ips": "LinkLocalIPs"}
NETWORK = {
    "driver": "Driver",
    "driver_opts": "Options",
    "internal": "Internal",
    "attachable": "Attachable",
    "labels": "Labels",
}
POOL = {"subnet": "Subnet", "ip_range": "IPRange", "gateway": "Gateway", "aux_addresses": "AuxiliaryAddresses"}
BRIDGE = "bridge"
INTERFACE = "com.docker.network.endpoint.ifname"
ANOTHERS = ("container:", "service:")


def attachments(scope: Scope) -> tuple[Attachment, ...]:
    """The networks of a service in connection order: highest `priority` first, then by key.

    Aliases are those that the spec lists; the service's own name is not among them.
    """
    found = links(scope)
    return tuple(_attachment(scope, key, spec, found) for key, spec in _with_own_mac(scope))


def links(scope: Scope) -> list[str]:
    """`Links` of every endpoint (Engine API, EndpointSettings): the names that only this service gives to others.

    A link goes to the name of the service, which its replicas keep when they are replaced; one without an alias asks
    for what the network does anyway. Raises SpecError where the service joins no network that could know the names.
    """
    spec = scope.spec
    asked = [*(spec.get("links") or ()), *(spec.get("external_links") or ())]
    if asked and not spec.get("networks"):
        key = "links" if spec.get("links") else "external_links"
        raise scope.refuse(key, f"{key} needs a network", "remove it, or network_mode")
    aliased = [link for link in spec.get("links") or () if ":" in link]
    return [*aliased, *(_external_link(scope, link) for link in spec.get("external_links") or ())]


def mac_address(scope: Scope) -> str:
    """`Config.MacAddress`, from which alone the engine reads it below API 1.44: the service's or its first network's.

    Raises SpecError where the two differ, and for a service that joins a network without an address of its own.
    """
    own, (key, first) = _mac(scope.spec), next(_in_order(scope), ("", {}))
    if own and _mac(first) not in ("", own):
        hint = "remove one of the two, or make them equal"
        raise scope.refuse("mac_address", f"mac_address is {own}, but on network {key} it is {_mac(first)}", hint)
    mode = scope.spec.get("network_mode") or ""
    if own and (mode == "host" or mode.startswith(ANOTHERS)):
        raise scope.refuse(
            "mac_address", f"mac_address means nothing with network_mode {mode}", "remove one of the two"
        )
    return own or _mac(first)


def has_subnets(network: Mapping[str, Any]) -> bool:
    """Whether the spec gives the network a subnet of each IP version, as in `ipam: {config: [{subnet: 10.9.0.0/24}]}`.

    It has IPv4 unless `enable_ipv4: false`, and IPv6 where `enable_ipv6: true`.
    """
    subnets = [pool.get("subnet") or "" for pool in (network.get("ipam") or {}).get("config") or ()]
    needed = ["."] if network.get("enable_ipv4") is not False else []
    needed += [":"] if network.get("enable_ipv6") else []
    return all(any(mark in subnet for subnet in subnets) for mark in needed)


def keeps_addresses(network: Mapping[str, Any]) -> bool:
    """Whether replicas can come back to the network with their addresses only if we choose its subnets ourselves."""
    ours = not network.get("external") and (network.get("driver") or BRIDGE) == BRIDGE
    return ours and not has_subnets(network)


def network_definition(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The body of POST /networks/create without name; of labels only the user's own.

    IPAM options are not sent, as in Compose.
    """
    body = compact({field: spec.get(key) for key, field in NETWORK.items()})
    switches = {"EnableIPv4": spec.get("enable_ipv4"), "EnableIPv6": spec.get("enable_ipv6")}
    body |= {field: value for field, value in switches.items() if value is not None}
    return body | compact({"IPAM": _ipam(spec.get("ipam") or {})})


def _external_link(scope: Scope, link: str) -> str:
    name, _, alias = link.partition(":")
    if not name or ":" in alias:
        message = f"external_links: {link!r} is not CONTAINER:ALIAS"
        raise scope.refuse("external_links", message, "write the container's name, and the alias after a colon")
    return f"{name}:{alias or name}"


def _in_order(scope: Scope) -> Iterator[tuple[str, Mapping[str, Any]]]:
    networks = {key: spec or {} for key, spec in (scope.spec.get("networks") or {}).items()}
    return iter(sorted(networks.items(), key=lambda item: (-item[1].get("priority", 0), item[0])))


def _with_own_mac(scope: Scope) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The networks in order; the service's own `mac_address` is that of the first."""
    own = scope.spec.get("mac_address")
    for place, (key, spec) in enumerate(_in_order(scope)):
        yield key, {**spec, "mac_address": own} if own and place == 0 else spec


def _attachment(scope: Scope, key: str, spec: Mapping[str, Any], names: list[str]) -> Attachment:
    name = scope.document["networks"][key]["name"]
    return Attachment(key, name, tuple(spec.get("aliases") or ()), _endpoint(spec) | compact({"Links": names}))


def _endpoint(spec: Mapping[str, Any]) -> dict[str, Any]:
    ipam = compact({field: spec.get(key) for key, field in ENDPOINT_IPAM.items()})
    settings = {field: spec.get(key) for key, field in ENDPOINT.items()}
    if spec.get("interface_name"):
        settings["DriverOpts"] = {**(settings["DriverOpts"] or {}), INTERFACE: spec["interface_name"]}
    return compact({"IPAMConfig": ipam, "MacAddress": _mac(spec), **settings})


def _mac(spec: Mapping[str, Any]) -> str:
    """The MAC address as engines print it: pairs in lower case, with colons."""
    digits = re.sub("[^0-9a-f]", "", (spec.get("mac_address") or "").lower())
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))


def _ipam(spec: Mapping[str, Any]) -> dict[str, Any]:
    pools = [compact({field: pool.get(key) for key, field in POOL.items()}) for pool in spec.get("config") or ()]
    return compact({"Driver": spec.get("driver"), "Config": pools})
