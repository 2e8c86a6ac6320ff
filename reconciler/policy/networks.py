"""Rules about networks: what makes them, where they lie, and which ports of the host lead into them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from fnmatch import fnmatchcase

from reconciler.model.observed import json_value
from reconciler.model.project import JSON
from reconciler.policy.host_paths import shown
from reconciler.policy.rule import Finding, Ground

_ENDPOINT_OPTIONS = {"com.docker.network.endpoint.ifname", "com.docker.network.endpoint.sysctls"}
_EVERYWHERE = "0.0.0.0"


def drivers(body: JSON, allowed: tuple[str, ...], _: Ground) -> Iterator[Finding]:
    """Drivers beside the allowed ones, also those that give out addresses."""
    driver = str(body.get("Driver") or "bridge")
    if driver not in allowed:
        yield Finding("driver", f"the network driver {shown(driver)}", driver)
    addresses = str(json_value(body, "IPAM", "Driver") or "default")
    if addresses != "default" and addresses not in allowed:
        yield Finding("ipam.driver", f"the address driver {shown(addresses)}", addresses)


def options(body: JSON, allowed: tuple[str, ...], _: Ground) -> Iterator[Finding]:
    """Options of a network's driver beside the allowed ones."""
    for name in body.get("Options") or ():
        if not any(fnmatchcase(name, pattern) for pattern in allowed):
            yield Finding(f"driver_opts.{name}", f"the network option {shown(name)}", name)


def endpoint_options(body: JSON, allowed: tuple[str, ...], _: Ground) -> Iterator[Finding]:
    """The same, where a service gives them for its own place in a network."""
    for network, endpoint in (json_value(body, "NetworkingConfig", "EndpointsConfig") or {}).items():
        for name in sorted(set((endpoint or {}).get("DriverOpts") or ()) - _ENDPOINT_OPTIONS):
            if not any(fnmatchcase(name, pattern) for pattern in allowed):
                yield Finding(f"networks.{network}.driver_opts", f"the network option {shown(name)}", name)


def subnets(body: JSON, allowed: tuple[str, ...], _: Ground) -> Iterator[Finding]:
    """Subnets outside of the allowed ones: the host sends there what it would send elsewhere."""
    for pool in json_value(body, "IPAM", "Config") or ():
        for key in ("Subnet", "IPRange"):
            text = str(pool.get(key) or "")
            if text and not any(_within(text, outer) for outer in allowed):
                yield Finding("ipam", f"the subnet {shown(text)}", text)


def host_ports(body: JSON, forbidden: tuple[tuple[int, int], ...], __: Ground) -> Iterator[Finding]:
    """Ports of the host that are not to be taken."""
    for _, port in _published(body):
        first, _dash, last = port.partition("-")
        low, high = (int(first), int(last or first)) if first.isdecimal() else (0, 0)
        if any(start <= high and low <= end for start, end in forbidden):
            yield Finding("ports", f"the host port {port}")


def host_addresses(body: JSON, allowed: tuple[str, ...], _: Ground) -> Iterator[Finding]:
    """Addresses of the host that are not to be listened on; none written means all of them."""
    for address, port in _published(body):
        if not any(fnmatchcase(address, pattern) for pattern in allowed):
            said = "every address of the host" if address == _EVERYWHERE else f"the host's address {address}"
            yield Finding("ports", f"port {port or 'chosen by the engine'} on {said}", address)


def _published(body: JSON) -> Iterator[tuple[str, str]]:
    """Address and port (or range, "" where the engine chooses) of every binding."""
    for bindings in (json_value(body, "HostConfig", "PortBindings") or {}).values():
        for binding in bindings or ():
            yield str(binding.get("HostIp") or _EVERYWHERE), str(binding.get("HostPort") or "")


def _within(inner: str, outer: str) -> bool:
    try:
        small, large = ipaddress.ip_network(inner, strict=False), ipaddress.ip_network(outer, strict=False)
    except ValueError:
        return False
    return small.version == large.version and small.subnet_of(large)  # type: ignore[arg-type]
