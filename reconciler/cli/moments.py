"""Times as people and scripts read them. What it is given are the engine's times, seconds since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

_MINUTE = 60
_HOUR = 3600
_DAY = 86400


def moment(time: float, zone: tzinfo | None = UTC) -> str:
    """`2026-11-21 03:12:07 UTC` in that time zone; None is the one of this machine."""
    return datetime.fromtimestamp(time, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def iso(time: float | None) -> str | None:
    """`2026-11-21T03:12:07.500Z` (RFC 3339), None for what never happened (None or 0.0)."""
    if not time:
        return None
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def span(value: float) -> str:
    """A duration in its two largest units: `4.5 s`, `45 s`, `1 min 30 s`, `2 h 5 min`, `3 d 4 h`."""
    if value < _MINUTE:
        return f"{value:.1f}".removesuffix(".0") + " s"
    for size, unit, part, of in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", 1, "s")):
        if value >= size:
            rest = int(value % size // part)
            return f"{int(value // size)} {unit}" + (f" {rest} {of}" if rest else "")
    raise AssertionError
