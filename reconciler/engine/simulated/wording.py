"""The `Status` text of a row of GET /containers/json, such as `Up 3 seconds (healthy)`."""

from __future__ import annotations

from reconciler.engine.protocol import JSON
from reconciler.engine.times import seconds

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_WEEK = 7 * _DAY
_MONTH = 30 * _DAY
_YEAR = 365 * _DAY


def status_text(document: JSON, now: float) -> str:
    """What the engine says of a container (its inspect JSON) at `now`."""
    state = document["State"]
    status = state["Status"]
    if status == "created":
        return "Created"
    if status in {"running", "paused"}:
        return f"Up {duration(now - seconds(state['StartedAt']))}{_remark(state)}"
    ago = f"({state['ExitCode']}) {duration(now - seconds(state['FinishedAt']))} ago"
    return f"{'Restarting' if status == 'restarting' else 'Exited'} {ago}"


def duration(passed: float) -> str:
    """A duration in the engine's words, rounded as it rounds."""
    whole = int(max(passed, 0))
    minutes, hours = whole // _MINUTE, int(passed / _HOUR + 0.5)
    if whole < 1:
        return "Less than a second"
    if whole < _MINUTE:
        return f"{whole} second{'s' if whole > 1 else ''}"
    if minutes < _MINUTE:
        return f"{minutes} minutes" if minutes > 1 else "About a minute"
    if hours == 1:
        return "About an hour"
    return _long(whole, hours)


def _long(whole: int, hours: int) -> str:
    if hours < 2 * _DAY // _HOUR:
        return f"{hours} hours"
    if whole < 2 * _WEEK:
        return f"{whole // _DAY} days"
    if whole < 2 * _MONTH:
        return f"{whole // _WEEK} weeks"
    return f"{whole // _MONTH} months" if whole < 2 * _YEAR else f"{whole // _YEAR} years"


def _remark(state: JSON) -> str:
    if state["Status"] == "paused":
        return " (Paused)"
    health = (state.get("Health") or {}).get("Status")
    if health == "starting":
        return " (health: starting)"
    return f" ({health})" if health in {"healthy", "unhealthy"} else ""
