"""The virtual time of a simulated engine, and the Engine API's way of writing times.

A clock belongs to whoever drives the simulation: a forecast, a test, a controller on `simulated://`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z
ZERO_TIME = "0001-01-01T00:00:00Z"

_TIME = re.compile(r"(?P<whole>[^.]+?)(?P<fraction>\.\d+)?(?P<zone>Z|[+-]\d\d:\d\d)")


class VirtualClock:
    """Seconds since the epoch that pass only when told to, and never backwards."""

    def __init__(self, start: float = START) -> None:
        self._now = start

    def now(self) -> float:
        """The virtual time, in seconds since the epoch."""
        return self._now

    def advance_to(self, t: float) -> None:
        """Make it `t`; a time that has passed already changes nothing."""
        self._now = max(self._now, t)

    def advance(self, dt: float) -> None:
        """Let `dt` seconds pass."""
        self.advance_to(self._now + dt)


def timestamp(t: float) -> str:
    """The time as the Engine API writes it (RFC 3339, UTC), in microseconds."""
    return datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(text: str) -> float:
    """The seconds since the epoch of an Engine API time; 0 for none and for the engine's zero time."""
    match = _TIME.fullmatch(text)
    if match is None or text.startswith("0001-"):
        return 0.0
    zone = match["zone"].replace("Z", "+00:00")
    return datetime.fromisoformat(match["whole"] + zone).timestamp() + float(match["fraction"] or 0)
