from __future__ import annotations

import pytest

from reconciler.engine.simulated.wording import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "Less than a second"),
        (0.9, "Less than a second"),
        (1.9, "1 second"),
        (59.9, "59 seconds"),
        (60, "About a minute"),
        (150, "2 minutes"),
        (3600, "About an hour"),
        (5 * 3600, "5 hours"),
        (47 * 3600, "47 hours"),
        (3 * 86400, "3 days"),
        (20 * 86400, "2 weeks"),
        (100 * 86400, "3 months"),
        (900 * 86400, "2 years"),
    ],
)
def test_durations_are_in_the_engines_words(seconds: float, text: str) -> None:
    """As the list's Status has them: whole units, rounded down from minutes on but for hours."""
    assert duration(seconds) == text
