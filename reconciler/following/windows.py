"""Windows in which images may change: a line of cron, whose matching minutes are open.

`* 2-4 * * 1-5` is open from 2:00 to 4:59 on working days, by the clock on the wall of a time zone: where it is put
back, the minutes that come twice are open twice; those that it skips are not there. As in Debian's cron, days of the
month and days of the week mean either where neither begins with a star.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo

from cronsim import CronSim, CronSimError

LONGEST_WINDOW = 200
_FIELDS = 5
_MINUTE = 60


def check_window(text: str) -> None:
    """ValueError where the text is no line of five fields, or one whose minutes never come, such as 30 February."""
    if len(text) > LONGEST_WINDOW:
        raise ValueError(f"the window is longer than {LONGEST_WINDOW} characters")
    if len(text.split()) != _FIELDS:
        raise ValueError(f"{text!r} is not a line of cron: it has {len(text.split())} fields, not {_FIELDS}")
    try:
        found = next(_minutes(text, 0.0, UTC), None)
    except CronSimError as error:
        raise ValueError(f"{text!r} is not a line of cron: {str(error).lower()}") from None
    if found is None:
        raise ValueError(f"{text!r} never comes")


def is_open(window: str, now: float, zone: tzinfo) -> bool:
    """Whether the minute of `now` (Unix time) is one of the window's, in that time zone."""
    return opens_at(window, now, zone) == now


def opens_at(window: str, now: float, zone: tzinfo) -> float:
    """The Unix time from which the window is open: `now` where it is; else the begin of its next minute.

    Infinity for a window that does not open within 50 years.
    """
    return max(now, next(_minutes(window, now, zone), float("inf")))


def _minutes(window: str, now: float, zone: tzinfo) -> Iterator[float]:
    """The begins of the window's minutes from that of `now` on, without those that the clock on the wall never shows.

    cronsim passes over minutes that a clock skips or repeats, as cron does with jobs, unless the line has seconds.
    """
    before = datetime.fromtimestamp(now // _MINUTE * _MINUTE - 1, zone)
    return (minute.timestamp() for minute in CronSim(f"0 {window}", before) if _is_shown(minute, zone))


def _is_shown(minute: datetime, zone: tzinfo) -> bool:
    shown = datetime.fromtimestamp(minute.timestamp(), zone)
    return shown.replace(tzinfo=None, fold=0) == minute.replace(tzinfo=None, fold=0)
