"""Networks: made and removed as POST /networks/create and DELETE /networks/{id} do, with the three built-in ones."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator
from typing import Any

from reconciler.engine.protocol import JSON
from reconciler.engine.simulated.state import (
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    Document,
    Wire,
    World,
    copied,
    find_network,
    holders,
    named_network,
    refusal,
)
from reconciler.engine.times import timestamp
from reconciler.errors import EngineError

PREDEFINED = {"bridge": "bridge", "host": "host", "none": "null"}
DRIVERS = frozenset({"bridge", "host", "null", "overlay", "macvlan", "ipvlan"})

_BRIDGE_OPTIONS = {
    "com.docker.network.bridge.default_bridge": "true",
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "true",
    "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
    "com.docker.network.bridge.name": "docker0",
    "com.docker.network.driver.mtu": "1500",
}


def add_predefined(world: World) -> None:
    """The networks that every engine has: bridge, host and none."""
    for name, driver in PREDEFINED.items():
        document = _document(world, name, {"Driver": driver})
        if name == "bridge":
            document["IPAM"]["Config"] = [{"Subnet": "172.17.0.0/16"}]
            document["Options"] = dict(_BRIDGE_OPTIONS)
        world.networks[document["Id"]] = Wire(document, user_subnet=False)


def create_network(world: World, name: str, body: JSON) -> str:
    """The id of a new network; 409 where the name exists, 403 where its subnet is taken, 404 for an unknown driver."""
    _check(world, name, body)
    document = _document(world, name, body)
    chosen = [entry for entry in document["IPAM"]["Config"] if entry.get("Subnet")]
    for entry in chosen:
        _check_free(world, entry["Subnet"])
    if not chosen and document["Driver"] == "bridge":
        document["IPAM"]["Config"] = [_free_subnet(world)]
    world.networks[document["Id"]] = Wire(document, user_subnet=bool(chosen))
    return str(document["Id"])


def remove_network(world: World, reference: str) -> None:
    """Remove it; 403 for a built-in one and while running containers are attached. One that is gone is success."""
    try:
        document = find_network(world, reference).document
    except EngineError:
        return
    if document["Name"] in PREDEFINED:
        raise refusal(FORBIDDEN, f"{document['Name']} is a pre-defined network and cannot be removed")
    if attached(world, document["Id"]):
        named = f"network {document['Name']} id {document['Id']}"
        raise refusal(FORBIDDEN, f"error while removing network: {named} has active endpoints")
    del world.networks[document["Id"]]


def attached(world: World, network_id: str) -> list[Document]:
    """The live endpoints on a network, across containers."""
    endpoints = (endpoint for box in holders(world) for endpoint in box.endpoints.values())
    return [
        endpoint for endpoint in endpoints if endpoint.get("NetworkID") == network_id and endpoint.get("EndpointID")
    ]


def rows(world: World) -> list[Document]:
    """The rows of GET /networks."""
    return [copied(wire.document) for wire in world.networks.values()]


def subnets(document: JSON) -> list[ipaddress.IPv4Network]:
    """The IPv4 subnets of a network."""
    configured = [entry.get("Subnet", "") for entry in (document.get("IPAM") or {}).get("Config") or []]
    return [ipaddress.IPv4Network(subnet, strict=False) for subnet in configured if "." in subnet]


def _check(world: World, name: str, body: JSON) -> None:
    if name in PREDEFINED:
        raise refusal(FORBIDDEN, f"operation is not permitted on predefined {name} network ")
    if not name or named_network(world, name):
        raise refusal(CONFLICT, f"network with name {name} already exists")
    driver = body.get("Driver") or "bridge"
    if driver not in DRIVERS:
        raise refusal(NOT_FOUND, f'plugin "{driver}" not found')


def _document(world: World, name: str, body: JSON) -> Document:
    ipam: dict[str, Any] = dict(body.get("IPAM") or {})
    return {
        "Name": name,
        "Id": world.new_id("network", name),
        "Created": timestamp(world.clock.now()),
        "Scope": "swarm" if body.get("Driver") == "overlay" else "local",
        "Driver": body.get("Driver") or "bridge",
        "EnableIPv6": bool(body.get("EnableIPv6")),
        "IPAM": {
            "Driver": ipam.get("Driver") or "default",
            "Options": copied(ipam.get("Options")),
            "Config": copied(ipam.get("Config") or []),
        },
        "Internal": bool(body.get("Internal")),
        "Attachable": bool(body.get("Attachable")),
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {},
        "Options": copied(body.get("Options") or {}),
        "Labels": copied(body.get("Labels") or {}),
    }


def _taken(world: World) -> list[ipaddress.IPv4Network]:
    return [subnet for wire in world.networks.values() for subnet in subnets(wire.document)]


def _check_free(world: World, subnet: str) -> None:
    if "." in subnet and any(ipaddress.IPv4Network(subnet, strict=False).overlaps(other) for other in _taken(world)):
        raise refusal(FORBIDDEN, "Pool overlaps with other one on this address space")


def _free_subnet(world: World) -> Document:
    taken = _taken(world)
    for subnet in _default_pools():
        if not any(subnet.overlaps(other) for other in taken):
            return {"Subnet": str(subnet), "Gateway": str(subnet[1])}
    raise refusal(
        FORBIDDEN,
        "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
    )


def _default_pools() -> Iterator[ipaddress.IPv4Network]:
    large = (ipaddress.IPv4Network(f"172.{number}.0.0/16") for number in range(17, 32))
    return itertools.chain(large, ipaddress.IPv4Network("192.168.0.0/16").subnets(new_prefix=20))
