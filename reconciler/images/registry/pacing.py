"""When a registry may be asked again: one host's trouble is no other's, and its own word on it counts."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from reconciler.errors import RegistryError

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 300.0
LONGEST_WAIT = 86400.0
AT_ONCE = 8
"""How many questions a `Pacing` lets under way to a host at once: where it hangs, all others learn it from these.

Our own client and the engine's have a `Pacing` each (`Patience`), so a host gets at most twice as many.
"""
WORTH = 5.0
"""A host is left alone for half to all of so many times as long as it kept us waiting in vain, up to LONGEST_PAUSE."""
_DOUBLINGS = 10
_WINDOW = 21600.0
_REMAINING = re.compile(r"\s*(\d{1,9})(?:\s*;\s*w=(\d{1,9}))?")


@dataclass
class _Host:
    failures: int = 0
    trouble: RegistryError | None = None
    left: int | None = None
    left_until: float = 0.0
    turns: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE))

    @property
    def paused_until(self) -> float:
        """When it may be asked again, 0 where it may be now."""
        return (self.trouble.retry_at or 0.0) if self.trouble else 0.0


class Pacing:
    """What is known of each host's patience. Thread-safe. `clock` is seconds since the epoch, `chance` from 0 to 1."""

    def __init__(self, clock: Callable[[], float], chance: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._chance = chance
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, host: str, source: str, *, downloads_left: int = 0) -> Iterator[None]:
        """Wait until few enough others ask the host; RegistryError as `check`, by what those have learned."""
        with self._lock:
            turns = self._hosts.setdefault(host, _Host()).turns
        with turns:
            self.check(host, source, downloads_left=downloads_left)
            yield

    def check(self, host: str, source: str, *, downloads_left: int = 0) -> None:
        """RegistryError where the host is not to be asked yet, or too few downloads are left there."""
        with self._lock:
            known = self._hosts.get(host, _Host())
            now = self._clock()
            if known.trouble is not None and known.paused_until > now:
                raise _again(known.trouble, source)
            if known.left is not None and known.left < downloads_left and known.left_until > now:
                raise RegistryError(
                    f"{host} allows {known.left} more downloads for now, and they are kept for pulls",
                    reason="RegistryRateLimited",
                    source=source,
                    hint="log in with docker login for a higher limit, or wait",
                    retry_at=known.left_until,
                )

    def answered(self, host: str, headers: Mapping[str, str]) -> None:
        """The host answered as it should; `ratelimit-remaining` says how many downloads are left, in which window.

        A pause that has begun meanwhile stays: the question was under way before it.
        """
        with self._lock:
            known = self._hosts.setdefault(host, _Host())
            if known.paused_until <= self._clock():
                known.failures, known.trouble = 0, None
            if match := _REMAINING.match(headers.get("ratelimit-remaining", "")):
                known.left = int(match[1])
                known.left_until = self._clock() + float(match[2] or _WINDOW)

    def failed(self, host: str, error: RegistryError, retry_after: str = "", took: float = 0.0) -> RegistryError:
        """The error with the time from which the host is asked again: its own (RFC 9110, Retry-After) or ours.

        `took` is for how many seconds an answer was waited for. Questions that were under way together fail once, and
        the longest of their pauses holds.
        """
        with self._lock:
            known, now = self._hosts.setdefault(host, _Host()), self._clock()
            known.failures += known.paused_until <= now
            said = seconds_of(retry_after, now)
            before, until = known.paused_until, now + (self._pause(known.failures, took) if said is None else said)
            error.retry_at = max(before, until)
            if until >= before:
                known.trouble = error
            return error

    def _pause(self, failures: int, took: float) -> float:
        wanted = max(WORTH * took, FIRST_PAUSE * 2.0 ** min(failures - 1, _DOUBLINGS))
        return min(LONGEST_PAUSE, wanted) * (0.5 + self._chance() / 2)


@dataclass(frozen=True)
class Patience:
    """What all who ask registries from one process share: by their own client (`ours`), and through the engine."""

    ours: Pacing = field(default_factory=lambda: Pacing(time.time))
    engines: Pacing = field(default_factory=lambda: Pacing(time.time))


def seconds_of(retry_after: str, now: float) -> float | None:
    """The seconds that a Retry-After header asks for, at most a day; None where it says nothing that can be read."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_WAIT)
    try:
        asked = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return min(max(asked, 0.0), LONGEST_WAIT)


def _again(trouble: RegistryError, source: str) -> RegistryError:
    """The same trouble for another reference, which nobody asked for."""
    return RegistryError(
        trouble.message, reason=trouble.reason, source=source, hint=trouble.hint, retry_at=trouble.retry_at
    )
