"""Addresses for replicas that leave a network and come back: fixed, and where the engine gives none by itself.

Engines give the lowest free address, and give a freed one to the next container that starts: so these are taken from
the top of the subnet, outside the range that the network's IPAM keeps for the engine. A replica keeps one for each IP
version that the network has.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from reconciler.model import labels
from reconciler.model.observed import Container, NetworkState, json_value
from reconciler.model.operation import IPV4, IPV6
from reconciler.model.project import JSON, Service
from reconciler.planner.context import Context

SEARCHED = 4096


def keeps_addresses(context: Context, network: str) -> bool:
    """Whether containers may ask this network for all the addresses they have there: its subnets were asked for."""
    existing = context.observed.network(network)
    return existing is not None and all(_pools(context, network, field) for field in _fields(existing))


def fixed_addresses(context: Context, service: Service) -> dict[str, dict[str, str]]:
    """Free addresses on each network that a new replica will leave and come back to, by the network's name.

    As IPAMConfig (Engine API, EndpointSettings), without what the spec itself asks for.
    """
    if service.rollout.publish != "healthy" or service.job:
        return {}
    found = {}
    for item in service.networks:
        open_fields = [
            field
            for field in _fields(context.observed.network(item.network))
            if not json_value(item.endpoint, "IPAMConfig", field)
        ]
        addresses = {field: _free(context, item.network, field) for field in open_fields}
        found[item.network] = {field: address for field, address in addresses.items() if address}
        context.draft.addresses.update((item.network, address) for address in found[item.network].values())
    return found


def kept_addresses(container: Container, network: str) -> dict[str, str]:
    """The addresses that a container asked this network for, as IPAMConfig; those that the engine chose are not."""
    endpoint = container.networks.get(network)
    asked = endpoint.ipam_config if endpoint else {}
    return {field: asked[field] for field in (IPV4, IPV6) if asked.get(field)}


def comes_back_the_same(context: Context, container: Container, network: str) -> bool:
    """Whether it asked for all the addresses that it has on this network, and so can leave it for a moment."""
    kept = kept_addresses(container, network)
    return all(field in kept for field in _fields(context.observed.network(network)))


def _fields(network: NetworkState | None) -> list[str]:
    """The fields of IPAMConfig that say the addresses of a container on it (IPv4 is there unless switched off)."""
    raw = network.raw if network else {}
    has = {IPV4: raw.get("EnableIPv4") is not False, IPV6: raw.get("EnableIPv6") is True}
    return [field for field in has if has[field]]


def _pools(context: Context, network: str, field: str) -> list[JSON]:
    """The subnets of that IP version that were asked for: by the spec, or by us for the engine's own choice."""
    wanted = next((item for item in context.desired.project.networks if item.name == network), None)
    existing = context.observed.network(network)
    if wanted is None or existing is None:
        return []
    written = json_value(wanted.definition, "IPAM", "Config") or ()
    if labels.SUBNET not in existing.labels and not any(_is_for(pool, field) for pool in written):
        return []
    return [pool for pool in json_value(existing.raw, "IPAM", "Config") or () if _is_for(pool, field)]


def _is_for(pool: JSON, field: str) -> bool:
    return (":" if field == IPV6 else ".") in (pool.get("Subnet") or "")


def _free(context: Context, network: str, field: str) -> str:
    taken = {str(ip_address(address)) for address in _taken(context, network) if address}
    candidates = (address for pool in _pools(context, network, field) for address in _from_the_top(pool))
    return next((address for address in candidates if address not in taken), "")


def _from_the_top(pool: JSON) -> Iterator[str]:
    subnet = ip_network(pool["Subnet"], strict=False)
    engines_own = ip_network(pool["IPRange"], strict=False) if pool.get("IPRange") else None
    gateway = ip_address(pool["Gateway"]) if pool.get("Gateway") else subnet.network_address + 1
    last, first = int(subnet.broadcast_address) - 1, int(subnet.network_address)
    for number in range(last, max(first, last - SEARCHED), -1):
        address = subnet.network_address + (number - first)
        if address != gateway and (engines_own is None or address not in engines_own):
            yield str(address)


def _taken(context: Context, network: str) -> Iterator[str]:
    for container in context.observed.containers:
        endpoint = container.networks.get(network)
        if endpoint:
            yield endpoint.address
            yield from kept_addresses(container, network).values()
    for key, had in context.memory.addresses.items():
        if key.endswith(f":{network}"):
            yield from (had.get(field, "") for field in (IPV4, IPV6))
    existing = context.observed.network(network)
    for item in ((existing.raw.get("Containers") or {}) if existing else {}).values():
        yield from ((item.get(field) or "").partition("/")[0] for field in (IPV4, IPV6))
    given_away = context.draft.addresses | context.observed.claimed
    yield from (address for name, address in given_away if name == network)
