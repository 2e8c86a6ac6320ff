"""A container's places on networks: named at create, joined at start, left at exit (Engine API, EndpointSettings)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from reconciler.engine.protocol import JSON
from reconciler.engine.simulated.networks import attached, subnets
from reconciler.engine.simulated.state import (
    BAD_REQUEST,
    CONFLICT,
    FORBIDDEN,
    SERVER_ERROR,
    Box,
    Document,
    Wire,
    World,
    copied,
    find_container,
    find_network,
    has_container,
    holders,
    refusal,
)
from reconciler.errors import EngineError

SHARED = "container:"

_NO_ADDRESS = {
    "EndpointID": "",
    "Gateway": "",
    "IPAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "MacAddress": "",
}


def many_at_create(world: World) -> bool:
    """Whether create takes several networks at once (API 1.44)."""
    return world.info.supports("1.44")


def settings(world: World, network_mode: str, networking: JSON) -> Document:
    """NetworkSettings of a container that was never started, or 400 for more networks than this API takes."""
    return {
        "Bridge": "",
        "SandboxID": "",
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "Ports": {},
        "SandboxKey": "",
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        **_NO_ADDRESS,
        "Networks": _at_create(world, network_mode, networking.get("EndpointsConfig") or {}),
    }


def connect(world: World, network: str, container: str, asked: JSON) -> None:
    """Name one more network for a container; naming one it has already changes nothing.

    Of a container that does not run, a missing network is noticed at start only.
    """
    box = find_container(world, container)
    name = str(find_network(world, network).document["Name"]) if box.state["Running"] else _name(world, network)
    mode = str(box.document["HostConfig"]["NetworkMode"])
    if mode == "host" or mode.startswith(SHARED):
        shared = "container sharing network namespace with another container or host"
        raise refusal(BAD_REQUEST, f"{shared} cannot be connected to any other network")
    if name in box.endpoints:
        return
    box.endpoints[name] = _endpoint(world, asked)
    _add_short_id(world, box, box.endpoints[name])
    box.changed = True
    if box.state["Running"]:
        _join(world, box, name)


def join_all(world: World, box: Box) -> None:
    """Take the container's place on every network it names; 404, 403, 400 or 500 where one cannot be had."""
    mode = str(box.document["HostConfig"]["NetworkMode"])
    if mode.startswith(SHARED):
        _check_running(world, mode.removeprefix(SHARED))
    for name in sorted(box.endpoints, key=lambda name: name != mode):
        _join(world, box, name)
    _mirror_default(box)


def leave_all(box: Box) -> None:
    """Give addresses back; which network was meant stays known by its id."""
    for endpoint in box.endpoints.values():
        endpoint.update(_NO_ADDRESS)
    box.document["NetworkSettings"].update(_NO_ADDRESS, Ports={})


def _at_create(world: World, mode: str, asked: JSON) -> dict[str, Document]:
    if mode.startswith(SHARED):
        return {}
    own = "bridge" if mode == "default" else _name(world, mode)
    named = {_name(world, network): _endpoint(world, endpoint or {}) for network, endpoint in asked.items()}
    if len(named) > 1 and not many_at_create(world):
        raise refusal(BAD_REQUEST, f"Container cannot be connected to network endpoints: {', '.join(sorted(named))}")
    if named and (not many_at_create(world) or mode == "default"):
        return named
    return {own: _endpoint(world, {}), **named}


def _name(world: World, network: str) -> str:
    """A network's name where it exists; else what was written, which fails at start only."""
    try:
        return str(find_network(world, network).document["Name"])
    except EngineError:
        return network


def _endpoint(world: World, asked: JSON) -> Document:
    modern = {"GwPriority": asked.get("GwPriority") or 0, "DNSNames": None} if world.info.supports("1.45") else {}
    return {
        "IPAMConfig": copied(asked.get("IPAMConfig")),
        "Links": copied(asked.get("Links")),
        "Aliases": copied(asked.get("Aliases")),
        "NetworkID": "",
        **_NO_ADDRESS,
        "MacAddress": asked.get("MacAddress") or "",
        "DriverOpts": copied(asked.get("DriverOpts")),
        **modern,
    }


def _join(world: World, box: Box, name: str) -> None:
    endpoint = box.endpoints[name]
    wire = find_network(world, endpoint["NetworkID"] or name)
    endpoint["NetworkID"] = wire.document["Id"]
    asked_mac = endpoint["MacAddress"]
    endpoint.update(_NO_ADDRESS)
    address = _address(world, wire, endpoint)
    endpoint["EndpointID"] = world.new_id("endpoint", box.name)
    if address:
        endpoint.update(_addressed(wire.document, address, asked_mac))
    if wire.document["Name"] not in {"bridge", "host", "none"}:
        _add_short_id(world, box, endpoint)


def _addressed(network: JSON, address: ipaddress.IPv4Address, mac: str) -> Document:
    subnet = next(subnet for subnet in subnets(network) if address in subnet)
    return {
        "Gateway": str(_gateway(network, subnet)),
        "IPAddress": str(address),
        "IPPrefixLen": subnet.prefixlen,
        "MacAddress": mac or "02:42:" + address.packed.hex(":"),
    }


def _add_short_id(world: World, box: Box, endpoint: Document) -> None:
    """The short id answers too: among the aliases before API 1.45, among the DNS names since."""
    aliases, short = endpoint["Aliases"] or [], box.id[:12]
    if world.info.supports("1.45"):
        endpoint["DNSNames"] = list(dict.fromkeys([box.name, *aliases, short]))
    elif short not in aliases:
        endpoint["Aliases"] = [*aliases, short]


def _address(world: World, wire: Wire, endpoint: JSON) -> ipaddress.IPv4Address | None:
    asked = (endpoint["IPAMConfig"] or {}).get("IPv4Address")
    pools = subnets(wire.document)
    used = _used(world, wire.document)
    if asked:
        return _static(wire, ipaddress.IPv4Address(asked), pools, used)
    return next((address for address in _hosts(wire.document, pools) if address not in used), None)


def _static(
    wire: Wire,
    asked: ipaddress.IPv4Address,
    pools: list[ipaddress.IPv4Network],
    used: set[ipaddress.IPv4Address],
) -> ipaddress.IPv4Address:
    if not wire.user_subnet:
        why = "user specified IP address is supported only when connecting to networks with user configured subnets"
        raise refusal(BAD_REQUEST, why)
    if not any(asked in pool for pool in pools):
        raise refusal(SERVER_ERROR, f"Invalid address {asked}: It does not belong to any of this network's subnets")
    if asked in used:
        raise refusal(FORBIDDEN, "Address already in use")
    return asked


def _used(world: World, network: JSON) -> set[ipaddress.IPv4Address]:
    addresses = [endpoint.get("IPAddress") for endpoint in attached(world, network["Id"])]
    return {ipaddress.IPv4Address(address) for address in addresses if address}


def _hosts(network: JSON, pools: list[ipaddress.IPv4Network]) -> Iterator[ipaddress.IPv4Address]:
    for pool in pools:
        gateway = _gateway(network, pool)
        yield from (address for address in pool.hosts() if address != gateway)


def _gateway(network: JSON, subnet: ipaddress.IPv4Network) -> ipaddress.IPv4Address:
    entries: list[dict[str, Any]] = network["IPAM"]["Config"]
    given = next((entry.get("Gateway") for entry in entries if entry.get("Subnet") == str(subnet)), None)
    return ipaddress.IPv4Address(given) if given else subnet[1]


def _mirror_default(box: Box) -> None:
    """The default bridge's address also stands in the legacy fields of NetworkSettings."""
    if endpoint := box.endpoints.get("bridge"):
        box.document["NetworkSettings"].update({key: endpoint[key] for key in _NO_ADDRESS})


def _check_running(world: World, container: str) -> None:
    if not has_container(world, container):
        raise refusal(CONFLICT, f"No such container: {container}")
    other = find_container(world, container)
    if other not in holders(world):
        raise refusal(CONFLICT, f"cannot join network of a non running container: {other.id}")
