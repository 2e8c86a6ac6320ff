"""Durations as the Compose Spec writes them ("Specifying durations"): Go's grammar plus days and weeks.

Used by the canonical form of every time in a spec, by `x-reconcile`, and by the lowering.
"""

from __future__ import annotations

import re
from fractions import Fraction

from reconciler.spec.nodes import shown

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]*)", re.ASCII)
_LONGEST = 2**63 - 1
_LONGEST_TEXT = 100


def parse_duration(text: str) -> int:
    """The duration in nanoseconds, such as 90_000_000_000 for `1m30s`; ValueError with what is wrong with it."""
    sign, body = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if body == "0":
        return 0
    if not body or len(body) > _LONGEST_TEXT:
        raise ValueError(_malformed(text))
    total, at = Fraction(0), 0
    while at < len(body):
        part = _PART.match(body, at)
        if part is None:
            raise ValueError(_malformed(text))
        total += Fraction(part[1]) * _unit(part[2], text)
        at = part.end()
    if total > _LONGEST:
        raise ValueError(f"duration {shown(text)} is too long")
    return sign * int(total)


def parse_seconds(text: str) -> float:
    """The duration in seconds, such as 90.0 for `1m30s`; ValueError as `parse_duration`."""
    return parse_duration(text) / _UNITS["s"]


def format_duration(nanoseconds: int) -> str:
    """The duration as Go prints it: `1m30s`, `24h0m0s`, `1.5s`, `200ms`, `0s`."""
    if nanoseconds == 0:
        return "0s"
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    for unit in ("ns", "µs", "ms"):
        if rest < 1000 * _UNITS[unit]:
            return f"{sign}{_decimal(rest, _UNITS[unit])}{unit}"
    minutes, seconds = divmod(rest, _UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{clock}{_decimal(seconds, _UNITS['s'])}s"


def _unit(unit: str, text: str) -> int:
    if not unit:
        raise ValueError(f"duration {shown(text)} has no unit (write {text + 's'!r} for seconds)")
    if unit not in _UNITS:
        raise ValueError(f"duration {shown(text)} has an unknown unit {unit!r} (known: ns, us, ms, s, m, h, d, w)")
    return _UNITS[unit]


def _decimal(amount: int, unit: int) -> str:
    whole, part = divmod(amount, unit)
    if not part:
        return str(whole)
    digits = len(str(unit)) - 1
    return f"{whole}.{part:0{digits}d}".rstrip("0")


def _malformed(text: str) -> str:
    return f"{shown(text)} is not a duration (write it as 10s, 1m30s or 1.5h)"
