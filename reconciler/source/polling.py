"""When a repository is asked again. Pure: the time and chance are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.errors import SourceError
from reconciler.model.settings import GitSource

JITTER = 0.05
MOST = 600.0
_PATIENT = ("SourceUnreachable", "SourceUnauthorized")


@dataclass(frozen=True)
class Poll:
    """When to ask (seconds, on the clock of `now`), and how often in a row nobody answered. `Poll(now)` is at once."""

    at: float
    failures: int = 0


def next_poll(
    settings: GitSource, last: Poll, outcome: SourceError | None, now: float, random: Callable[[], float]
) -> Poll:
    """When to ask after an answer (None) or an error; `random` gives numbers from 0 up to 1.

    An interval later, give or take 5 %. A forge that does not answer or lets nobody in is asked ever more rarely: the
    interval doubles up to ten minutes, or stays where it is longer. Other errors are about what the repository holds,
    which the next commit may change.
    """
    silent = outcome is not None and outcome.reason in _PATIENT
    failures = last.failures + 1 if silent else 0
    wait = settings.interval
    if failures:
        wait = max(wait, min(MOST, wait * 2.0 ** min(failures - 1, 32)))
    return Poll(now + wait * (1 + JITTER * (2 * random() - 1)), failures)
