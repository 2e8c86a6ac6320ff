"""Small values that say who wanted what, since when, and where a project came from."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.moments import utc_text
from reconciler.model.origin import Origin
from reconciler.model.suspension import Suspension


def test_a_suspension_says_by_whom_since_when_and_why() -> None:
    """What is not known is left out."""
    assert Suspension("the disk", "alice", 1_780_000_000.0).words() == (
        "suspended by alice since 2026-05-28 20:26 UTC: the disk"
    )
    assert Suspension("", "bob", 1.0).words() == "suspended by bob since 1970-01-01 00:00 UTC"
    assert Suspension("spec", "compose.yaml:3").words() == "suspended by compose.yaml:3"


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001 - as hypothesis wants them
def test_times_are_written_as_the_calendar_has_them(moment: datetime) -> None:
    """Every day of every year, leap days too."""
    known = moment.replace(tzinfo=UTC)
    assert utc_text(known.timestamp()) == known.strftime("%Y-%m-%d %H:%M UTC").rjust(20, "0")


def test_a_project_goes_only_with_the_source_that_it_came_from() -> None:
    """And only where its spec let what leaves it be removed."""
    origin = Origin("fleet", ("shop.yaml",), prune=True)
    assert origin.may_go_with("fleet")
    assert not origin.may_go_with("another")
    assert not Origin("fleet", ("shop.yaml",), prune=False).may_go_with("fleet")
