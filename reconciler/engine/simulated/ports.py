"""Published ports: bound at start, given back at exit (Engine API, HostConfig.PortBindings).

As the engine does, only ports that Config.ExposedPorts names are bound, and a taken one fails the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.engine.simulated.endpoints import SHARED
from reconciler.engine.simulated.state import SERVER_ERROR, Box, Document, World, holders, refusal
from reconciler.errors import EngineError

EPHEMERAL = range(49153, 65536)
_EVERYWHERE = ("0.0.0.0", "::")


def bind_all(world: World, box: Box) -> None:
    """Fill NetworkSettings.Ports; 500 `PortInUse` where a host port is taken by another running container."""
    mode = str(box.document["HostConfig"]["NetworkMode"])
    if mode in {"host", "none"} or mode.startswith(SHARED):
        return
    taken = _taken(world, box)
    bound: dict[str, list[Document] | None] = {}
    for port in box.document["Config"].get("ExposedPorts") or {}:
        bindings = (box.document["HostConfig"].get("PortBindings") or {}).get(port)
        bound[port] = [one for binding in bindings for one in _bind(box, port, binding, taken)] if bindings else None
    box.document["NetworkSettings"]["Ports"] = bound


def rows(box: Box) -> list[Document]:
    """The `Ports` of a row of GET /containers/json; a range that is only exposed is port 0 there."""
    found: list[Document] = []
    for port, bindings in (box.document["NetworkSettings"].get("Ports") or {}).items():
        number, _, protocol = port.partition("/")
        private = {"PrivatePort": int(number) if number.isdecimal() else 0, "Type": protocol or "tcp"}
        found += [{"IP": one["HostIp"], "PublicPort": int(one["HostPort"]), **private} for one in bindings or []]
        found += [] if bindings else [private]
    return found


def _bind(box: Box, port: str, binding: Document, taken: set[tuple[str, int, str]]) -> Iterator[Document]:
    protocol = port.partition("/")[2] or "tcp"
    address = binding.get("HostIp") or ""
    number = _number(str(binding.get("HostPort") or ""), address, protocol, taken)
    if number is None:
        wanted = f"{address or _EVERYWHERE[0]}:{binding.get('HostPort')}"
        raise _conflict(box, wanted)
    for one in (address,) if address else _EVERYWHERE:
        taken.add((one, number, protocol))
        yield {"HostIp": one, "HostPort": str(number)}


def _number(asked: str, address: str, protocol: str, taken: set[tuple[str, int, str]]) -> int | None:
    first, _, last = asked.partition("-")
    candidates = range(int(first), int(last or first) + 1) if asked not in {"", "0"} else EPHEMERAL
    return next((number for number in candidates if _free(number, address, protocol, taken)), None)


def _free(number: int, address: str, protocol: str, taken: set[tuple[str, int, str]]) -> bool:
    others = {one for one, port, kind in taken if port == number and kind == protocol}
    if address in {"", *_EVERYWHERE}:
        return not others
    return not others & {address, *_EVERYWHERE}


def _taken(world: World, box: Box) -> set[tuple[str, int, str]]:
    found = set()
    for other in holders(world):
        ports: dict[str, Any] = other.document["NetworkSettings"].get("Ports") or {}
        for port, bindings in ports.items():
            protocol = port.partition("/")[2] or "tcp"
            found |= {(one["HostIp"], int(one["HostPort"]), protocol) for one in bindings or [] if other is not box}
    return found


def _conflict(box: Box, wanted: str) -> EngineError:
    cause = f"Bind for {wanted} failed: port is already allocated"
    message = f"driver failed programming external connectivity on endpoint {box.name} ({box.id}): {cause}"
    return refusal(SERVER_ERROR, message, code="PortInUse", hint="free the port or publish another one")
