"""A container's places on networks: named at create, joined at start, left at exit (Engine API, EndpointSettings)."""

from __future__ import annotations

import ipaddress

from reconciler.engine.protocol import JSON
from reconciler.engine.simulated.addresses import ASKED, GIVEN, assigned, check_asked
from reconciler.engine.simulated.networks import PREDEFINED, attached, tell
from reconciler.engine.simulated.state import (
    BAD_REQUEST,
    CONFLICT,
    NOT_FOUND,
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
    """Put a container on one more network; being there already changes nothing.

    Of a container that does not run, a missing network is noticed at start only. One that runs joins at once: where
    its address cannot be had, an endpoint without an id stays behind, and it may be connected again. A MacAddress is
    ignored here, as engines up to 28 do.
    """
    box = find_container(world, container)
    running = bool(box.state["Running"])
    name = str(find_network(world, network).document["Name"]) if running else _name(world, network)
    _check_mode(box)
    if name in box.endpoints and (box.endpoints[name]["EndpointID"] or not running):
        return
    if box.status == "restarting":
        raise refusal(NOT_FOUND, f"network sandbox for container {box.id} not found")
    endpoint = _endpoint(world, {**asked, "MacAddress": ""})
    if running:
        _check_endpoint(world, find_network(world, name), endpoint)
    box.endpoints[name] = endpoint
    _add_short_id(world, box, endpoint)
    box.changed = True
    if running:
        _join(world, box, name)


def disconnect(world: World, network: str, container: str) -> bool:
    """Take a container off a network, whether it runs or not; whether it was on it.

    400 for a host network's; 500 while it waits to be restarted.
    """
    box = find_container(world, container)
    name = _named(box, network) or _name(world, network)
    if name == "host" and name in box.endpoints:
        raise refusal(BAD_REQUEST, "container cannot be disconnected from host network or connected to host network")
    if box.status == "restarting" and name in box.endpoints:
        raise refusal(SERVER_ERROR, f"container {box.id} is not connected to network {name}")
    box.changed = True
    left = box.endpoints.pop(name, None)
    if left and left["EndpointID"]:
        tell(world, "disconnect", find_network(world, left["NetworkID"]).document, container=box.id)
    return left is not None


def reachable(box: Box) -> bool:
    """Whether it has an address anywhere, so that published ports can lead to it."""
    own = [address for _, address, _ in GIVEN.values()]
    return any(endpoint[address] for endpoint in box.endpoints.values() for address in own)


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


def _named(box: Box, network: str) -> str | None:
    """The name of the container's network of that name or id."""
    return next((name for name, one in box.endpoints.items() if network in {name, one["NetworkID"]}), None)


def _check_mode(box: Box) -> None:
    mode = str(box.document["HostConfig"]["NetworkMode"])
    if mode == "host" or mode.startswith(SHARED):
        shared = "container sharing network namespace with another container or host"
        raise refusal(BAD_REQUEST, f"{shared} cannot be connected to any other network")


def _check_endpoint(world: World, wire: Wire, endpoint: JSON) -> None:
    """Refuse with 400 what the engine refuses of a running container before it does anything."""
    predefined = wire.document["Name"] in PREDEFINED
    asked = any((endpoint["IPAMConfig"] or {}).get(field) for field in ASKED.values())
    if predefined and endpoint["Aliases"]:
        raise refusal(BAD_REQUEST, "network-scoped alias is supported only for containers in user defined networks")
    if predefined and asked:
        raise refusal(BAD_REQUEST, "user specified IP address is supported on user defined networks only")
    check_asked(world, wire, endpoint)


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
    found = assigned(world, wire, endpoint, attached(world, wire.document["Id"]))
    endpoint["EndpointID"] = world.new_id("endpoint", box.name)
    if found:
        endpoint.update(found)
        endpoint["MacAddress"] = asked_mac or _mac(world, endpoint)
    if wire.document["Name"] not in {"bridge", "host", "none"}:
        _add_short_id(world, box, endpoint)
    tell(world, "connect", wire.document, container=box.id)


def _mac(world: World, endpoint: JSON) -> str:
    """Made of the IPv4 address, or (since Engine 28, API 1.48, or without one) another one for every endpoint."""
    made = bytes.fromhex(endpoint["EndpointID"][:8])
    if endpoint["IPAddress"] and not world.info.supports("1.48"):
        made = ipaddress.IPv4Address(endpoint["IPAddress"]).packed
    return "02:42:" + made.hex(":")


def _add_short_id(world: World, box: Box, endpoint: Document) -> None:
    """The short id answers too: among the aliases before API 1.45, among the DNS names since."""
    aliases, short = endpoint["Aliases"] or [], box.id[:12]
    if world.info.supports("1.45"):
        endpoint["DNSNames"] = list(dict.fromkeys([box.name, *aliases, short]))
    elif short not in aliases:
        endpoint["Aliases"] = [*aliases, short]


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
