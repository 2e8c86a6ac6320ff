"""Grammar of `devices` and `gpus` (Compose Spec, "devices" and "gpus"): short forms to long ones. For `canonical`."""

from __future__ import annotations

from typing import Any

from reconciler.spec.forms import Spot, whole
from reconciler.spec.nodes import NOWHERE, MalformedError, Table, shown

ALL = -1
_PARTS = 3
_ALL_ACCESS = "rwm"


def parse_device(text: str) -> dict[str, str]:
    """`HOST[:CONTAINER[:PERMISSIONS]]` in long form. The target defaults to the source, permissions to all.

    MalformedError where it has more parts, or no source.
    """
    source, *others = text.split(":")
    if not source or len(others) >= _PARTS:
        raise MalformedError(f"{shown(text)} is not HOST:CONTAINER:PERMISSIONS", "write it with source: and target:")
    target, permissions = (*others, "", "")[:2]
    permissions = permissions if len(others) > 1 else _ALL_ACCESS
    return {"source": source, "target": target or source, "permissions": permissions}


def device_count(value: Any, spot: Spot) -> Any:
    """A number of devices, also as text; `all` is -1."""
    return ALL if value == "all" else whole(value, spot)


def complete_request(request: Table) -> Table:
    """The request, which asks for all devices where it says neither `count` nor `device_ids`.

    MalformedError where it says both.
    """
    if "count" in request and "device_ids" in request:
        raise MalformedError("has both count and device_ids", "remove one of the two")
    if "count" not in request and "device_ids" not in request:
        request.put("count", ALL, NOWHERE)
    return request
