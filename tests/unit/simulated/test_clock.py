from __future__ import annotations

import pytest

from reconciler.engine.simulated import VirtualClock
from reconciler.engine.times import seconds, timestamp


def test_the_clock_moves_only_when_told_and_only_forwards() -> None:
    """Virtual time is the driver's, and never goes back."""
    clock = VirtualClock(100.0)
    clock.advance(1.5)
    clock.advance_to(50.0)
    assert clock.now() == 101.5


def test_every_new_clock_starts_at_the_same_instant() -> None:
    """So that two runs of one forecast print the same."""
    assert VirtualClock().now() == VirtualClock().now() == seconds("2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T09:26:16.192632104Z", 1795253176.192632),
        ("2026-11-21T11:26:16+02:00", 1795253176.0),
        ("0001-01-01T00:00:00Z", 0.0),
        ("", 0.0),
    ],
)
def test_engine_times_are_read(text: str, expected: float) -> None:
    """Nanoseconds and zones as engines write them; the zero time is 0."""
    assert seconds(text) == pytest.approx(expected, abs=1e-5)


def test_times_survive_being_written_and_read() -> None:
    """To the microsecond."""
    assert seconds(timestamp(1795253176.192632)) == pytest.approx(1795253176.192632, abs=1e-6)
