"""`healthcheck` (Compose Spec) to `Healthcheck` (Engine API, HealthConfig; times in nanoseconds)."""

from __future__ import annotations

from typing import Any

from reconciler.spec.durations import parse_duration
from reconciler.spec.lower_scope import Scope, compact

TIMES = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start_period": "StartPeriod",
    "start_interval": "StartInterval",
}


def healthcheck(scope: Scope) -> dict[str, Any]:
    """The HealthConfig, {} without one. What it leaves out the engine takes from the image's own health check."""
    spec = scope.spec.get("healthcheck") or {}
    if spec.get("start_interval") and not spec.get("start_period"):
        message = "healthcheck.start_interval needs healthcheck.start_period"
        raise scope.refuse("healthcheck.start_interval", message, "set start_period: the interval holds during it only")
    times = {field: parse_duration(spec[key]) for key, field in TIMES.items() if spec.get(key)}
    test = ["NONE"] if spec.get("disable") else spec.get("test")
    return compact({"Test": test, "Retries": spec.get("retries"), **times})
