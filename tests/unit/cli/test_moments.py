from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from reconciler.cli.moments import iso, moment, span


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 s"),
        (4.52, "4.5 s"),
        (45.0, "45 s"),
        (60.0, "1 min"),
        (83.2, "1 min 23 s"),
        (3600.0, "1 h"),
        (7500.0, "2 h 5 min"),
        (86400.0 * 3 + 3600 * 4, "3 d 4 h"),
    ],
)
def test_a_duration_has_at_most_two_units(value: float, text: str) -> None:
    """What is read at night is short, and says its unit."""
    assert span(value) == text


def test_a_moment_names_its_zone() -> None:
    """Nobody has to guess whose clock it is."""
    assert moment(1795230727.9) == "2026-11-21 03:12:07 UTC"
    assert moment(1795230727.9, timezone(timedelta(hours=1), "CET")) == "2026-11-21 04:12:07 CET"


def test_scripts_read_rfc_3339_or_null() -> None:
    """What never happened is no time."""
    assert iso(1795230727.5) == "2026-11-21T03:12:07.500Z"
    assert (iso(0.0), iso(None)) == (None, None)
