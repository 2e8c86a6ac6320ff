"""How long a project that failed is left alone before it is tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

JITTER = 0.1
_ENOUGH = 64


@dataclass(frozen=True)
class Backoff:
    """Waiting times in seconds: `first`, doubling with every failure in a row up to `most`."""

    first: float = 1.0
    most: float = 600.0

    def delay(self, failures: int, random: Callable[[], float]) -> float:
        """The time to wait after so many failures in a row (at least one), give or take 10 %.

        `random` gives numbers from 0 up to 1: with jitter, what failed together is not tried again together.
        """
        whole = min(self.most, self.first * 2.0 ** min(failures - 1, _ENOUGH))
        return whole * (1 - JITTER + 2 * JITTER * random())
