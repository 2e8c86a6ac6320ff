"""Limits (Compose Spec, `mem_*`, `cpu*`, `deploy.resources`, `ulimits`) to Resources of HostConfig (Engine API)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from reconciler.spec.lower_scope import Scope, compact
from reconciler.spec.sizes import parse_bytes

NANO = 1e9
MAX_CPUS = 1_000_000
MAX_SWAPPINESS = 100
PERCENT = 100  # the engine counts hundredths of a percent

NUMBERS = {
    "cgroup_parent": "CgroupParent",
    "cpu_count": "CpuCount",
    "cpu_period": "CpuPeriod",
    "cpu_quota": "CpuQuota",
    "cpu_rt_period": "CpuRealtimePeriod",
    "cpu_rt_runtime": "CpuRealtimeRuntime",
    "cpu_shares": "CpuShares",
    "cpuset": "CpusetCpus",
    "oom_kill_disable": "OomKillDisable",
}


def resources(scope: Scope) -> dict[str, Any]:
    """Limits, the reservation of memory, and ulimits. Reserved CPUs have no counterpart on a single engine.

    Where `deploy.resources` says a limit too, it is the same (`consistency`). Raises SpecError for what engines refuse.
    """
    spec = scope.spec
    asked = (spec.get("deploy") or {}).get("resources") or {}
    limits, reservations = asked.get("limits") or {}, asked.get("reservations") or {}
    found = compact(
        {
            **{field: spec.get(key) for key, field in NUMBERS.items()},
            "CpuPercent": (spec.get("cpu_percent") or 0) * PERCENT,
            "Memory": _bytes(limits.get("memory") or spec.get("mem_limit")),
            "MemoryReservation": _bytes(reservations.get("memory") or spec.get("mem_reservation")),
            "MemorySwap": _bytes(spec.get("memswap_limit")),
            "MemorySwappiness": _bytes(spec.get("mem_swappiness")),
            "NanoCpus": nano_cpus(_cpus(scope, limits.get("cpus") or spec.get("cpus") or 0)),
            "PidsLimit": limits.get("pids") or spec.get("pids_limit"),
            "Ulimits": [_ulimit(name, limit) for name, limit in sorted((spec.get("ulimits") or {}).items())],
        }
    )
    _refuse_contradictions(scope, found)
    return found


def _refuse_contradictions(scope: Scope, found: Mapping[str, Any]) -> None:
    """What every engine answers with 400 (Engine API, Resources)."""
    memory, swap = found.get("Memory", 0), found.get("MemorySwap", 0)
    if swap > 0 and not memory:
        raise scope.refuse("memswap_limit", "memswap_limit needs a limit of memory", "set mem_limit too")
    if 0 < swap < memory:
        hint = "it counts memory and swap together"
        raise scope.refuse("memswap_limit", "memswap_limit is below the limit of memory", hint)
    if found.get("MemorySwappiness", 0) > MAX_SWAPPINESS:
        raise scope.refuse("mem_swappiness", "mem_swappiness is a percentage", "use 1 to 100")
    both = found.keys() & {"CpuQuota", "CpuPeriod"}
    if found.get("NanoCpus") and both:
        key = "cpu_quota" if "CpuQuota" in both else "cpu_period"
        raise scope.refuse(key, f"{key} cannot stand together with a limit of CPUs", "remove one of the two")


def _cpus(scope: Scope, asked: float) -> float:
    if asked > MAX_CPUS:
        message = f"a limit of {asked:g} CPUs is more than any machine has"
        raise scope.refuse(
            "cpus" if "cpus" in scope.spec else "deploy.resources.limits.cpus", message, "write a number such as 0.5"
        )
    return asked


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
