"""The addresses of endpoints, IPv4 and IPv6: from which subnets, which are free, which are granted (IPAM)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from reconciler.engine.protocol import JSON
from reconciler.engine.simulated.state import BAD_REQUEST, FORBIDDEN, SERVER_ERROR, Document, Wire, World, refusal

Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network

IPV4, IPV6 = 4, 6
ASKED = {IPV4: "IPv4Address", IPV6: "IPv6Address"}
GIVEN = {
    IPV4: ("Gateway", "IPAddress", "IPPrefixLen"),
    IPV6: ("IPv6Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen"),
}

_CHOSEN_SUBNET = "user specified IP address is supported only when connecting to networks with user configured subnets"


def subnets(network: JSON, version: int) -> list[Subnet]:
    """The subnets that a network gives addresses of that IP version from."""
    if not has_version(network, version):
        return []
    configured = (entry.get("Subnet") for entry in (network.get("IPAM") or {}).get("Config") or [])
    found = [ip_network(subnet, strict=False) for subnet in configured if subnet]
    return [subnet for subnet in found if subnet.version == version]


def has_version(network: JSON, version: int) -> bool:
    """Whether containers get an address of that IP version on it (EnableIPv4 is there since API 1.47)."""
    return bool(network.get("EnableIPv6") if version == IPV6 else network.get("EnableIPv4", True))


def check_asked(world: World, wire: Wire, endpoint: JSON) -> None:
    """Refuse with 400 the addresses that an engine refuses before it does anything."""
    for version, asked in _asked(endpoint):
        if version not in wire.chosen:
            raise refusal(BAD_REQUEST, _CHOSEN_SUBNET)
        outside = not any(asked in subnet for subnet in subnets(wire.document, version))
        if outside and world.info.supports("1.45"):
            raise refusal(BAD_REQUEST, f"no configured subnet or ip-range contain the IP address {asked}")


def assigned(world: World, wire: Wire, endpoint: JSON, others: list[Document]) -> Document:
    """The fields of EndpointSettings that say its addresses, beside the endpoints that the network has.

    400 for one that no user's subnet allows, 403 for one that is taken, 500 for one outside.
    """
    check_asked(world, wire, endpoint)
    asked = dict(_asked(endpoint))
    found: Document = {}
    for version in (IPV4, IPV6):
        address = _address(wire, asked.get(version), version, others)
        if address is not None:
            subnet = next(subnet for subnet in subnets(wire.document, version) if address in subnet)
            gateway, own, length = GIVEN[version]
            found |= {gateway: str(_gateway(wire.document, subnet)), own: str(address), length: subnet.prefixlen}
    return found


def _asked(endpoint: JSON) -> Iterator[tuple[int, Address]]:
    for version, field in ASKED.items():
        asked = (endpoint["IPAMConfig"] or {}).get(field)
        if asked:
            yield version, ip_address(asked)


def _address(wire: Wire, asked: Address | None, version: int, others: list[Document]) -> Address | None:
    pools = subnets(wire.document, version)
    used = {ip_address(other[GIVEN[version][1]]) for other in others if other.get(GIVEN[version][1])}
    used |= {_gateway(wire.document, pool) for pool in pools}
    if asked is None:
        return next((address for pool in pools for address in pool.hosts() if address not in used), None)
    if not any(asked in pool for pool in pools):
        raise refusal(SERVER_ERROR, f"Invalid address {asked}: It does not belong to any of this network's subnets")
    if asked in used:
        raise refusal(FORBIDDEN, "Address already in use")
    return asked


def _gateway(network: JSON, subnet: Subnet) -> Address:
    entries: list[JSON] = network["IPAM"]["Config"]
    given = next((entry.get("Gateway") for entry in entries if entry.get("Subnet") == str(subnet)), None)
    return ip_address(given) if given else subnet[1]
