"""`deploy.resources` and `ulimits` (Compose Spec) to the Resources of HostConfig (Engine API)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from reconciler.spec.lower_scope import compact
from reconciler.spec.sizes import parse_bytes

NANO = 1e9


def resources(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Limits, the reservation of memory, and ulimits. Reserved CPUs have no counterpart on a single engine."""
    asked = (spec.get("deploy") or {}).get("resources") or {}
    limits, reservations = asked.get("limits") or {}, asked.get("reservations") or {}
    return compact(
        {
            "Memory": _bytes(limits.get("memory")),
            "NanoCpus": nano_cpus(limits.get("cpus") or 0),
            "PidsLimit": limits.get("pids"),
            "MemoryReservation": _bytes(reservations.get("memory")),
            "Ulimits": [_ulimit(name, limit) for name, limit in sorted((spec.get("ulimits") or {}).items())],
        }
    )


def nano_cpus(cpus: float | str) -> int:
    """Billionths of a CPU, in the single precision that Compose computes them in: 3.14159 CPUs are 3141590016."""
    return int(_single(_single(float(cpus)) * NANO))


def _single(number: float) -> float:
    rounded: float = struct.unpack("f", struct.pack("f", number))[0]
    return rounded


def _bytes(text: str | int | None) -> int:
    return parse_bytes(str(text)) if text else 0


def _ulimit(name: str, limit: int | Mapping[str, int]) -> dict[str, Any]:
    if isinstance(limit, Mapping):
        return {"Name": name, "Soft": limit.get("soft", 0), "Hard": limit.get("hard", 0)}
    return {"Name": name, "Soft": limit, "Hard": limit}
