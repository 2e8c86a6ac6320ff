"""Addresses for replicas that leave a network and come back: fixed, and where the engine gives none by itself.

Engines give the lowest free address, and give a freed one to the next container that starts: so these are taken from
the top of the subnet, outside the range that the network's IPAM keeps for the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from reconciler.model import labels
from reconciler.model.observed import Container, json_value
from reconciler.model.project import JSON, Service
from reconciler.planner.context import Context

SEARCHED = 4096


def keeps_addresses(context: Context, network: str) -> bool:
    """Whether containers may ask this network for an address: its subnet was asked for."""
    return bool(_pools(context, network))


def fixed_addresses(context: Context, service: Service) -> dict[str, str]:
    """A free address on each network that a new replica will leave and come back to, by the network's name."""
    if service.rollout.publish != "healthy" or service.job:
        return {}
    found = {}
    for item in service.networks:
        asked = json_value(item.endpoint, "IPAMConfig", "IPv4Address")
        address = None if asked else _free(context, item.network)
        if address:
            context.draft.addresses.add((item.network, address))
            found[item.network] = address
    return found


def kept_address(container: Container, network: str) -> str:
    """The address that a container asked this network for; "" where the engine chose it."""
    endpoint = container.networks.get(network)
    return (endpoint.ipam_config.get("IPv4Address") or "") if endpoint else ""


def _pools(context: Context, network: str) -> list[JSON]:
    wanted = next((item for item in context.desired.project.networks if item.name == network), None)
    existing = context.observed.network(network)
    if wanted is None or existing is None:
        return []
    if not any(_is_v4(pool) for pool in json_value(wanted.definition, "IPAM", "Config") or ()):
        asked = labels.SUBNET in existing.labels
        return [pool for pool in json_value(existing.raw, "IPAM", "Config") or () if _is_v4(pool)] if asked else []
    return [pool for pool in json_value(existing.raw, "IPAM", "Config") or () if _is_v4(pool)]


def _is_v4(pool: JSON) -> bool:
    return "." in (pool.get("Subnet") or "")


def _free(context: Context, network: str) -> str:
    taken = set(_taken(context, network))
    for pool in _pools(context, network):
        for address in _from_the_top(pool):
            if address not in taken:
                return address
    return ""


def _from_the_top(pool: JSON) -> Iterator[str]:
    subnet = IPv4Network(pool["Subnet"], strict=False)
    engines_own = IPv4Network(pool["IPRange"], strict=False) if pool.get("IPRange") else None
    last, first = int(subnet.broadcast_address) - 1, int(subnet.network_address)
    for number in range(last, max(first, last - SEARCHED), -1):
        address = IPv4Address(number)
        if str(address) != pool.get("Gateway") and (engines_own is None or address not in engines_own):
            yield str(address)


def _taken(context: Context, network: str) -> Iterator[str]:
    for container in context.observed.containers:
        endpoint = container.networks.get(network)
        if endpoint:
            yield endpoint.address
            yield kept_address(container, network)
    for key, had in context.memory.addresses.items():
        if key.endswith(f":{network}"):
            yield had.get("IPv4Address", "")
    existing = context.observed.network(network)
    for item in ((existing.raw.get("Containers") or {}) if existing else {}).values():
        yield (item.get("IPv4Address") or "").partition("/")[0]
    yield from (address for name, address in context.draft.addresses if name == network)
