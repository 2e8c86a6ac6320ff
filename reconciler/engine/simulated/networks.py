"""Networks: made and removed as POST /networks/create and DELETE /networks/{id} do, with the three built-in ones."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from reconciler.engine.protocol import JSON
from reconciler.engine.simulated.addresses import IPV4, IPV6, Subnet, has_version, subnets
from reconciler.engine.simulated.state import (
    BAD_REQUEST,
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
IPV4_SWITCH = "1.47"
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
        world.networks[document["Id"]] = Wire(document)


def create_network(world: World, name: str, body: JSON) -> str:
    """The id of a new network; 409 where the name exists, 403 where its subnet is taken, 404 for an unknown driver."""
    _check(world, name, body)
    document = _document(world, name, body)
    chosen = [entry["Subnet"] for entry in document["IPAM"]["Config"] if entry.get("Subnet")]
    for subnet in chosen:
        _check_free(world, subnet)
    versions = frozenset(ip_network(subnet, strict=False).version for subnet in chosen)
    document["IPAM"]["Config"] = [*document["IPAM"]["Config"], *_added(world, document, versions)]
    world.networks[document["Id"]] = Wire(document, versions)
    tell(world, "create", document)
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
    tell(world, "destroy", document)


def tell(world: World, action: str, document: JSON, **attributes: str) -> None:
    """Let whoever follows events hear of what happened to a network."""
    named = {"name": document["Name"], "type": document["Driver"], **attributes}
    world.tell("network", action, document["Id"], named)


def attached(world: World, network_id: str) -> list[Document]:
    """The live endpoints on a network, across containers."""
    endpoints = (endpoint for box in holders(world) for endpoint in box.endpoints.values())
    return [
        endpoint for endpoint in endpoints if endpoint.get("NetworkID") == network_id and endpoint.get("EndpointID")
    ]


def rows(world: World) -> list[Document]:
    """The rows of GET /networks."""
    return [copied(wire.document) for wire in world.networks.values()]


def _check(world: World, name: str, body: JSON) -> None:
    if name in PREDEFINED:
        raise refusal(FORBIDDEN, f"operation is not permitted on predefined {name} network ")
    if not name or named_network(world, name):
        raise refusal(CONFLICT, f"network with name {name} already exists")
    driver = body.get("Driver") or "bridge"
    if driver not in DRIVERS:
        raise refusal(NOT_FOUND, f'plugin "{driver}" not found')
    if world.info.supports(IPV4_SWITCH) and body.get("EnableIPv4") is False and not body.get("EnableIPv6"):
        raise refusal(BAD_REQUEST, "IPv4 or IPv6 must be enabled")


def _document(world: World, name: str, body: JSON) -> Document:
    ipam: dict[str, Any] = dict(body.get("IPAM") or {})
    switch = {"EnableIPv4": body.get("EnableIPv4") is not False} if world.info.supports(IPV4_SWITCH) else {}
    return {
        "Name": name,
        "Id": world.new_id("network", name),
        "Created": timestamp(world.clock.now()),
        "Scope": "swarm" if body.get("Driver") == "overlay" else "local",
        "Driver": body.get("Driver") or "bridge",
        **switch,
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


def _taken(world: World) -> list[Subnet]:
    documents = [wire.document for wire in world.networks.values()]
    return [subnet for document in documents for version in (IPV4, IPV6) for subnet in subnets(document, version)]


def _check_free(world: World, subnet: str) -> None:
    if _overlaps(ip_network(subnet, strict=False), _taken(world)):
        raise refusal(FORBIDDEN, "Pool overlaps with other one on this address space")


def _overlaps(subnet: Subnet, taken: list[Subnet]) -> bool:
    return any(subnet.overlaps(other) for other in taken if other.version == subnet.version)


def _added(world: World, document: JSON, chosen: frozenset[int]) -> Iterator[Document]:
    """The subnets that the engine adds to a bridge, for the IP versions that it has and nobody chose one for."""
    for version in (IPV4, IPV6):
        if document["Driver"] == "bridge" and has_version(document, version) and version not in chosen:
            yield _free_subnet(world, version)


def _free_subnet(world: World, version: int) -> Document:
    taken = _taken(world)
    for subnet in _default_pools(world, version):
        if not _overlaps(subnet, taken):
            return {"Subnet": str(subnet), "Gateway": str(subnet[1])}
    raise refusal(
        FORBIDDEN if version == IPV4 else NOT_FOUND,
        f"could not find an available, non-overlapping IPv{version} address pool among the defaults to assign to the "
        "network",
    )


def _default_pools(world: World, version: int) -> Iterator[Subnet]:
    """What the engine takes subnets from; for IPv6 engines have nothing before Engine 27 (API 1.46)."""
    if version == IPV6:
        return ip_network("fd00:5eed::/48").subnets(new_prefix=64) if world.info.supports("1.46") else iter(())
    large = (ip_network(f"172.{number}.0.0/16") for number in range(17, 32))
    return itertools.chain(large, ip_network("192.168.0.0/16").subnets(new_prefix=20))
