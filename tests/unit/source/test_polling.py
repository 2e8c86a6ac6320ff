"""When a repository is asked again, without waiting for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import SourceError, SourceReason
from reconciler.model.settings import GitRef, GitSource
from reconciler.source.polling import MOST, Poll, next_poll


def polled(interval: float) -> GitSource:
    return GitSource("shop", "https://forge/shop", GitRef("branch", "main"), interval=interval)


def waits(interval: float, reasons: list[SourceReason | None]) -> list[float]:
    """The time to each next poll after these outcomes, without jitter."""
    poll, found = Poll(1000.0), []
    for reason in reasons:
        outcome = SourceError("no", reason=reason) if reason else None
        poll = next_poll(polled(interval), poll, outcome, 1000.0, lambda: 0.5)
        found.append(poll.at - 1000.0)
    return found


def test_silence_is_asked_ever_more_rarely() -> None:
    """The interval doubles up to ten minutes, and is itself again after an answer."""
    assert waits(60, ["SourceUnreachable"] * 6) == [60, 120, 240, 480, 600, 600]
    assert waits(60, ["SourceUnreachable", "SourceUnauthorized", None, "SourceUnreachable"]) == [60, 120, 60, 60]


def test_a_long_interval_stays() -> None:
    assert waits(3600, ["SourceUnreachable"] * 3) == [3600] * 3


@pytest.mark.parametrize("reason", ["SourceInvalid", "SourceTooLarge", "SourceUnsigned"])
def test_what_the_next_commit_may_heal_is_asked_as_ever(reason: SourceReason) -> None:
    assert waits(60, [reason] * 4) == [60] * 4


@given(
    st.floats(1, 86400),
    st.integers(0, 10_000),
    st.sampled_from([None, "SourceUnreachable", "SourceInvalid"]),
    st.floats(0, 1, exclude_max=True),
)
def test_the_wait_is_never_far_from_the_interval(
    interval: float, failures: int, reason: SourceReason | None, chance: float
) -> None:
    """However often nobody answered: at least the interval, at most ten minutes or that, give or take 5 %."""
    outcome = SourceError("no", reason=reason) if reason else None
    poll = next_poll(polled(interval), Poll(0.0, failures), outcome, 0.0, lambda: chance)
    assert interval * 0.95 <= poll.at <= max(MOST, interval) * 1.05
