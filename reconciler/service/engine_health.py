"""Whether the engine answers, and when the service asks it next what changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reconciler.service.backoff import Backoff
from reconciler.service.telling import error_text


@dataclass
class EngineHealth:
    """`error` is what it said last, "" where it answers; `due` the engine's time of the next look at all of it.

    `resync` is in seconds; `random` gives numbers from 0 up to 1. Whether it answers is told once.
    """

    resync: float
    backoff: Backoff
    random: Callable[[], float]
    log: Any
    error: str = ""
    due: float = 0.0
    failures: int = 0
    looking: bool = False

    def begins(self, now: float) -> bool:
        """Whether a look is due; then it is under way from now on."""
        begins = not self.looking and self.due <= now
        self.looking = self.looking or begins
        return begins

    def failed(self, error: Exception, now: float) -> None:
        """Nothing is known of it, so nothing is decided until it answers; it is asked again, later and later."""
        self.failures += 1
        self.due = now + min(self.backoff.delay(self.failures, self.random), self.resync)
        if not self.error:
            self.log.warning("engine does not answer", error=error_text(error))
        self.error = error_text(error)

    def answered(self) -> bool:
        """Whether that is news."""
        news, self.failures, self.error = bool(self.error), 0, ""
        if news:
            self.log.info("engine answers again")
        return news
