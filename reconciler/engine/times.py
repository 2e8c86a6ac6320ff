"""The Engine API's way of writing times (RFC 3339, in nanoseconds), and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

ZERO_TIME = "0001-01-01T00:00:00Z"
_TIME = re.compile(r"(?P<whole>[^.]+?)(?P<fraction>\.\d+)?(?P<zone>Z|[+-]\d\d:\d\d)")


def timestamp(t: float) -> str:
    """The time as the Engine API writes it (RFC 3339, UTC), in microseconds, cut off as a clock does."""
    whole, fraction = divmod(int(t * 1_000_000), 1_000_000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:06d}Z"


@lru_cache(maxsize=4096)  # the same few times stand in every row and every inspect
def seconds(text: str) -> float:
    """The seconds since the epoch of an Engine API time; 0 for none and for the engine's zero time."""
    match = _TIME.fullmatch(text)
    if match is None or text.startswith("0001-"):
        return 0.0
    zone = match["zone"].replace("Z", "+00:00")
    return datetime.fromisoformat(match["whole"] + zone).timestamp() + float(match["fraction"] or 0)
