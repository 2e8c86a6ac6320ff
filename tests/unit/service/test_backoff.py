"""How long what failed is left alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.service.backoff import Backoff


def test_it_doubles_from_a_second_to_ten_minutes() -> None:
    """Without jitter: 1, 2, 4 ... 512, 600, 600 seconds."""
    delays = [Backoff().delay(failures, lambda: 0.5) for failures in (1, 2, 3, 10, 11, 5000)]
    assert delays == [1.0, 2.0, 4.0, 512.0, 600.0, 600.0]


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True))
def test_jitter_is_a_tenth(failures: int, chance: float) -> None:
    """What failed together is not tried again together."""
    middle = Backoff().delay(failures, lambda: 0.5)
    assert 0.9 * middle <= Backoff().delay(failures, lambda: chance) <= 1.1 * middle
