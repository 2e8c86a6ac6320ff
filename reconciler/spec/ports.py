"""`ports` (Compose Spec, "Ports"): `[HOST_IP:][HOST[-HOST]:]CONTAINER[-CONTAINER][/PROTOCOL]` -> long form.

Called by `canonical`. Ranges of equal length expand to one entry each; a host range for one container port stays one
entry, from which the engine chooses.
"""

from __future__ import annotations

import ipaddress
import re

from reconciler.spec.nodes import MalformedError, shown

LongPort = dict[str, str | int]

_SPEC = re.compile(r"(?:(?:\[(?P<ip6>[^\]]*)\]|(?P<ip>[^:\[\]]*)):)?(?:(?P<host>[^:]*):)?(?P<container>[^:]*)")
_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+))?", re.ASCII)
_PROTOCOLS = ("tcp", "udp", "sctp")
_HIGHEST = 65535
_HINT = 'write "8080:80", "127.0.0.1:8080:80" or "8000-8010:8000-8010/udp"'


def parse_port(text: str) -> list[LongPort]:
    """The long form of one short entry, one per container port; MalformedError with what is wrong with it."""
    address, protocol = _split_protocol(text)
    ip, host, container = _split_address(address, text)
    first, last = _port_range(container, "container port", text)
    if first == 0:
        raise MalformedError(f"port {shown(text)}: the container port must be 1 to {_HIGHEST}", _HINT)
    published = _published(host, last - first + 1, text)
    return [
        _long(target, published[index] if published else "", ip, protocol)
        for index, target in enumerate(range(first, last + 1))
    ]


def check_protocol(protocol: str) -> str:
    """The protocol in lower case; MalformedError for one that the engine does not know."""
    if protocol.lower() not in _PROTOCOLS:
        raise MalformedError(f"protocol {shown(protocol)} is not one of {', '.join(_PROTOCOLS)}")
    return protocol.lower()


def check_address(address: str) -> str:
    """The host address as it is; MalformedError for a name or anything else that is no address."""
    try:
        ipaddress.ip_address(address.replace("%", "no zone"))
    except ValueError:
        raise MalformedError(
            f"{shown(address)} is not an IP address", "a published port takes an address, not a name"
        ) from None
    return address


def check_published(published: str) -> str:
    """A host port or range as it is; MalformedError where it is none."""
    _port_range(published, "host port", published)
    return published


def _split_protocol(text: str) -> tuple[str, str]:
    address, *rest = text.split("/")
    return address, check_protocol(rest[0]) if rest and rest[0] else "tcp"


def _split_address(address: str, text: str) -> tuple[str, str, str]:
    match = _SPEC.fullmatch(address)
    if match is None:
        raise MalformedError(
            f"port {shown(text)} has too many colons", "put an IPv6 address in brackets: [::1]:8080:80"
        )
    ip, host, container = match["ip6"] or match["ip"] or "", match["host"], match["container"]
    if host is None:
        if match["ip6"]:
            raise MalformedError(f"port {shown(text)} has an address but no container port", _HINT)
        return "", ip, container
    return (check_address(ip) if ip else ""), host, container


def _published(host: str, targets: int, text: str) -> list[str]:
    """The host port of each container port; empty where none is asked for."""
    if not host:
        return []
    first, last = _port_range(host, "host port", text)
    if last - first + 1 == targets:
        return [str(port) for port in range(first, last + 1)]
    if targets == 1:
        return [f"{first}-{last}"]
    raise MalformedError(
        f"port {shown(text)}: the host and container ranges differ in length", "make both ranges equally long"
    )


def _port_range(text: str, name: str, spec: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text)
    first = int(match[1][:6]) if match else -1
    last = int(match[2][:6]) if match and match[2] else first
    if not 0 <= first <= last <= _HIGHEST:
        raise MalformedError(f"port {shown(spec)}: {shown(text)} is not a {name}", _HINT)
    return first, last


def _long(target: int, published: str, ip: str, protocol: str) -> LongPort:
    port: LongPort = {"mode": "ingress", "target": target, "protocol": protocol}
    if ip:
        port["host_ip"] = ip
    if published:
        port["published"] = published
    return port
