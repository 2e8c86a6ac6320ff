"""Health checks: when the next probe that matters is due, and what it makes of State.Health.

Times are the Engine API's: Config.Healthcheck in nanoseconds, Interval and Timeout 30 s and Retries 3 unless set. The
first probe comes one interval after the start; since API 1.44 StartInterval is used while starting inside StartPeriod.
"""

from __future__ import annotations

import math

from reconciler.engine.protocol import JSON
from reconciler.engine.simulated.configuration import has_probe
from reconciler.engine.simulated.state import Box, Document, World
from reconciler.engine.times import seconds, timestamp

_NANO = 1_000_000_000
_INTERVAL = 30.0
_START_INTERVAL = 5.0
_RETRIES = 3
_LOG_LENGTH = 5
_SLACK = 1e-5


def begin(world: World, box: Box, at: float) -> None:
    """The process has just started: health is `starting`, the log of earlier probes stays."""
    box.probe_at = None
    if not has_probe(box.document["Config"]):
        return
    log = (box.state.get("Health") or {}).get("Log") or []
    box.state["Health"] = {"Status": "starting", "FailingStreak": 0, "Log": log}
    arm(world, box, at)


def end(box: Box) -> None:
    """The process ended or was paused: an engine calls a check that does not run `unhealthy`."""
    box.probe_at = None
    if health := box.state.get("Health"):
        health["Status"] = "unhealthy"


def arm(world: World, box: Box, after: float) -> None:
    """Set when the next probe after that time is due whose result can change anything."""
    health = box.state.get("Health")
    if not health or not has_probe(box.document["Config"]):
        box.probe_at = None
        return
    started = seconds(box.state["StartedAt"])
    target = _next_turn(box, health, started, after)
    interval = _interval(world, box, health, after - started)
    box.probe_at = None if target is None else _on_grid(after, interval, target)


def probe(world: World, box: Box, at: float) -> None:
    """Run the probe that is due."""
    health, started = box.state["Health"], seconds(box.state["StartedAt"])
    passed = _passes(box, at - started)
    entry = {"Start": timestamp(at), "End": timestamp(at), "ExitCode": 0 if passed else 1}
    health["Log"] = [*health["Log"], {**entry, "Output": box.behaviour.probe_output}][-_LOG_LENGTH:]
    before = health["Status"]
    _judge(box, health, at - started, passed=passed)
    box.changed = True
    if health["Status"] != before:
        world.log(at, f"health_status: {health['Status']}", box)
    arm(world, box, at)


def _judge(box: Box, health: Document, up: float, *, passed: bool) -> None:
    check = box.document["Config"]["Healthcheck"]
    if passed:
        health |= {"Status": "healthy", "FailingStreak": 0}
        return
    if health["Status"] == "starting" and up < _seconds(check, "StartPeriod", 0.0):
        return
    health["FailingStreak"] += 1
    if health["FailingStreak"] >= (check.get("Retries") or _RETRIES):
        health["Status"] = "unhealthy"


def _passes(box: Box, up: float) -> bool:
    first, last = box.behaviour.healthy_after, box.behaviour.unhealthy_after
    return first is not None and up >= first - _SLACK and (last is None or up < last - _SLACK)


def _next_turn(box: Box, health: JSON, started: float, after: float) -> float | None:
    """From when on a probe matters: at once while undecided, else when the behaviour changes; None: never."""
    first, last = box.behaviour.healthy_after, box.behaviour.unhealthy_after
    if health["Status"] == "healthy" and not health["FailingStreak"]:
        return None if last is None else started + last
    if health["Status"] == "unhealthy":
        over = last is not None and after - started >= last - _SLACK
        return None if first is None or over else started + first
    return started


def _on_grid(after: float, interval: float, target: float) -> float:
    first = after + interval
    return first + max(0, math.ceil((target - first - _SLACK) / interval)) * interval


def _interval(world: World, box: Box, health: JSON, up: float) -> float:
    check = box.document["Config"]["Healthcheck"]
    starting = health["Status"] == "starting" and up < _seconds(check, "StartPeriod", 0.0)
    if starting and world.info.supports("1.44"):
        return _seconds(check, "StartInterval", _START_INTERVAL)
    return _seconds(check, "Interval", _INTERVAL)


def _seconds(check: JSON, field: str, default: float) -> float:
    return (check.get(field) or 0) / _NANO or default
