"""Times in messages that the core makes: it may know no clock and no time zone."""

from __future__ import annotations

_DAY = 86_400
_DAYS_OF_400_YEARS = 146_097


def utc_text(seconds: float) -> str:
    """`2026-11-21 03:12 UTC` of a time in seconds since the epoch, in the proleptic Gregorian calendar (ISO 8601)."""
    days, rest = divmod(int(seconds), _DAY)
    year, month, day = _date(days)
    return f"{year:04}-{month:02}-{day:02} {rest // 3600:02}:{rest // 60 % 60:02} UTC"


def _date(days: int) -> tuple[int, int, int]:
    """Year, month and day, that many days after 1970-01-01; counted from March, leap days end their years."""
    eras, days = divmod(days + 719_468, _DAYS_OF_400_YEARS)
    year = (days - days // 1460 + days // 36_524 - days // 146_096) // 365
    days -= 365 * year + year // 4 - year // 100
    month = (5 * days + 2) // 153
    day = days - (153 * month + 2) // 5 + 1
    return eras * 400 + year + month // 10, (month + 2) % 12 + 1, day
