from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from math import inf
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.following.windows import check_window, is_open, opens_at

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = "* 2-4 * * 1-5"


def at(text: str, *, fold: int = 0) -> float:
    """The Unix time of a moment on Berlin's clocks; `fold` 1 is the second time that they show it."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-03-02 01:59:59.9", "2026-03-02 02:00"),
        ("2026-03-02 02:00", None),
        ("2026-03-02 04:59:59.9", None),
        ("2026-03-02 05:00", "2026-03-03 02:00"),
        ("2026-03-06 05:00", "2026-03-09 02:00"),
        ("2026-03-07 03:00", "2026-03-09 02:00"),
    ],
)
def test_a_window_is_open_in_the_minutes_that_match(now: str, opens: str | None) -> None:
    """2:00 to 4:59 on working days, by the clock of the zone; where it is open, it opens now."""
    assert opens_at(NIGHTS, at(now), BERLIN) == at(opens or now)
    assert is_open(NIGHTS, at(now), BERLIN) == (opens is None)


def test_minutes_that_a_clock_skips_are_not_there() -> None:
    """On 29 March 2026 three o'clock follows on two in Berlin."""
    assert opens_at("* 2 * * *", at("2026-03-29 01:59"), BERLIN) == at("2026-03-30 02:00")
    assert opens_at("30 2 * * *", at("2026-03-29 01:59"), BERLIN) == at("2026-03-30 02:30")
    assert opens_at("* 2-4 * * *", at("2026-03-29 01:59"), BERLIN) == at("2026-03-29 03:00")


def test_minutes_that_come_twice_are_open_twice() -> None:
    """On 25 October 2026 the hour from two to three comes twice in Berlin, and what is between them counts."""
    assert opens_at("10 2 * * *", at("2026-10-25 02:30"), BERLIN) == at("2026-10-25 02:10", fold=1)
    assert opens_at("30 2 * * *", at("2026-10-25 02:00", fold=1), BERLIN) == at("2026-10-25 02:30", fold=1)
    assert is_open("10 2 * * *", at("2026-10-25 02:10"), BERLIN)
    assert is_open("10 2 * * *", at("2026-10-25 02:10", fold=1), BERLIN)
    assert opens_at("10 2 * * *", at("2026-10-25 02:11", fold=1), BERLIN) == at("2026-10-26 02:10")


def test_days_of_the_month_and_of_the_week_are_either() -> None:
    """Where neither begins with a star, as in cron; where one does, both."""
    assert opens_at("0 0 13 * 5", at("2026-03-10 00:01"), BERLIN) == at("2026-03-13 00:00")
    assert opens_at("0 0 13 * 1", at("2026-03-10 00:01"), BERLIN) == at("2026-03-13 00:00")
    assert opens_at("0 0 */13 * 1", at("2026-03-10 00:01"), BERLIN) == at("2026-04-27 00:00")


@pytest.mark.parametrize(
    "window",
    [
        NIGHTS,
        "* * * * *",
        "*/15 0-6,22 * JAN-MAR MON-FRI",
        "0 0 29 2 *",
        "0 0 L * *",
        "0 0 * * 1#5",
        "0 0 30 2 MON",
        "0 0 * 2 MON#5",
    ],
)
def test_windows_that_come(window: str) -> None:
    """Once in 28 years is often enough."""
    check_window(window)
    assert opens_at(window, at("2026-03-01 00:00"), BERLIN) < at("2060-01-01 00:00")


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ("", "'' is not a line of cron: it has 0 fields, not 5"),
        ("@daily", "'@daily' is not a line of cron: it has 1 fields, not 5"),
        ("0 * 2 * * *", "'0 * 2 * * *' is not a line of cron: it has 6 fields, not 5"),
        ("60 * * * *", "'60 * * * *' is not a line of cron: bad minute"),
        ("* 4-2 * * *", "'* 4-2 * * *' is not a line of cron: bad hour"),
        ("* * * * WORK", "'* * * * WORK' is not a line of cron: bad day-of-week"),
        ("* * 30 2 *", "'* * 30 2 *' is not a line of cron: bad day-of-month"),
        ("* * */31 * MON#5", "'* * */31 * MON#5' never comes"),
        ("* * * 2 MON#9", "'* * * 2 MON#9' is not a line of cron: bad day-of-week"),
        ("* * " + "1," * 100 + "1 * *", "the window is longer than 200 characters"),
    ],
)
def test_what_is_no_window_is_named(window: str, said: str) -> None:
    """The field that is wrong, and a line whose minutes never come."""
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        check_window(window)


def test_a_minute_that_a_clock_skips_is_not_open() -> None:
    """In Beirut summer time begins at midnight: that hour is not there, and the window opens a day later."""
    zone, skipped = ZoneInfo("Asia/Beirut"), 1_521_928_800
    assert f"{datetime.fromtimestamp(skipped, zone):%Y-%m-%d %H:%M}" == "2018-03-25 01:00"
    assert not is_open("* 0 25-31 3 *", skipped, zone)
    assert opens_at("* 0 25-31 3 *", skipped - 60, zone) == skipped + 23 * 3600


FIELDS = st.tuples(
    st.sampled_from(["*", "0", "*/7", "10-20", "59"]),
    st.sampled_from(["*", "0", "2", "1-3", "23", "*/5"]),
    st.sampled_from(["*", "1", "25-31", "*/2", "L"]),
    st.sampled_from(["*", "3", "10", "MAR-OCT"]),
    st.sampled_from(["*", "SUN", "1-5", "0#5", "5L"]),
)
ZONES = st.sampled_from(["Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Beirut", "UTC"])
AROUND_2018 = st.integers(1_514_764_800, 1_546_300_800)


def _matches(window: str, moment: float, zone: ZoneInfo) -> bool:
    """Whether the clock on the wall shows a minute of the window: cron without a time zone."""
    wall = datetime.fromtimestamp(moment // 60 * 60, zone).replace(tzinfo=None, fold=0)
    return next(CronSim(window, wall - timedelta(seconds=1)), None) == wall


@settings(deadline=None)
@given(FIELDS, ZONES, AROUND_2018, st.integers(0, 2000))
def test_windows_agree_with_the_clock_on_the_wall(fields: tuple[str, ...], name: str, now: int, later: int) -> None:
    """Open exactly in the minutes that the wall shows, and closed in all before the window opens.

    The fifth Sunday of March, at 2 in Berlin, is a minute that the clock skips each time: never.
    """
    window, zone = " ".join(fields), ZoneInfo(name)
    opens = opens_at(window, now, zone)
    assert is_open(window, now, zone) == _matches(window, now, zone)
    begins = opens > now and opens % 60 == 0 and opens != inf and _matches(window, opens, zone)
    assert opens in {now, inf} or begins
    between = now + 60 * later
    assert between >= opens or not _matches(window, between, zone)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=20), st.text("0123456789*/-,L#WMONJA ", max_size=25)))
def test_any_text_is_a_window_or_is_refused(text: str) -> None:
    """Nothing but ValueError is raised, and what is a window opens."""
    try:
        check_window(text)
    except ValueError:
        return
    assert opens_at(text, 0.0, UTC) < float("inf")
