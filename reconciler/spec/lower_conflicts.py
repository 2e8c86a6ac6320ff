"""What a valid document asks for and no engine can start (Compose prints it, and fails at `up`). For `lowering`."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.errors import SpecError
from reconciler.spec.lower_rollout import replicas
from reconciler.spec.lower_scope import Scope
from reconciler.spec.namespaces import joined

_UNSHARED = ("private", "none")


def conflicts(scope: Scope) -> Iterator[SpecError]:
    """The errors of one service: host ports that its replicas cannot share, an IPC namespace that it cannot join."""
    yield from _host_ports(scope)
    yield from _shared_memory(scope)


def _host_ports(scope: Scope) -> Iterator[SpecError]:
    count = replicas(scope.spec)
    for index, port in enumerate(scope.spec.get("ports") or ()):
        first, _, last = port.get("published", "").partition("-")
        if first in ("", "0") or int(last or first) - int(first) + 1 >= count:
            continue
        named = f"host ports {first}-{last}" if last else f"host port {first}"
        wide = f"{first}-{int(first) + count - 1}:{port['target']}"
        message = f"services.{scope.name}.ports: {count} replicas cannot share {named}"
        hint = f'publish a range ("{wide}") or no host port ("{port["target"]}")'
        yield SpecError(message, source=scope.source(f"ports[{index}]") or None, hint=hint)


def _shared_memory(scope: Scope) -> Iterator[SpecError]:
    """Only a container that shares its IPC namespace can be joined: engines keep it private unless told."""
    owner = joined(scope.spec).get("ipc")
    other = scope.document["services"].get(owner)
    if other is not None and (other.get("ipc") or "private") in _UNSHARED:
        message = f"services.{scope.name}.ipc: service {owner!r} does not share its IPC namespace"
        hint = f"write ipc: shareable in services.{owner}"
        yield SpecError(message, source=scope.source("ipc") or None, hint=hint)
