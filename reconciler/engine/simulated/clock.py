"""The virtual time of a simulated engine.

A clock belongs to whoever drives the simulation: a forecast, a test, a controller on `simulated://`.
"""

from __future__ import annotations

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z


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
