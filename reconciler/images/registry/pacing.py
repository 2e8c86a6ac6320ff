"""When a registry may be asked again: one host's trouble is no other's, and its own word on it counts."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from reconciler.errors import RegistryError

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 300.0
LONGEST_WAIT = 86400.0
_DOUBLINGS = 10
_WINDOW = 21600.0
_REMAINING = re.compile(r"\s*(\d{1,9})(?:\s*;\s*w=(\d{1,9}))?")


@dataclass
class _Host:
    failures: int = 0
    trouble: RegistryError | None = None
    left: int | None = None
    left_until: float = 0.0


class Pacing:
    """What is known of each host's patience. Thread-safe. `clock` is seconds since the epoch, `chance` from 0 to 1."""

    def __init__(self, clock: Callable[[], float], chance: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._chance = chance
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    def check(self, host: str, source: str, *, downloads_left: int = 0) -> None:
        """RegistryError where the host is not to be asked yet, or too few downloads are left there."""
        with self._lock:
            known = self._hosts.get(host, _Host())
            now = self._clock()
            if known.trouble is not None and (known.trouble.retry_at or 0.0) > now:
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
        """The host answered as it should; `ratelimit-remaining` says how many downloads are left, in which window."""
        with self._lock:
            known = self._hosts.setdefault(host, _Host())
            known.failures, known.trouble = 0, None
            if match := _REMAINING.match(headers.get("ratelimit-remaining", "")):
                known.left = int(match[1])
                known.left_until = self._clock() + float(match[2] or _WINDOW)

    def failed(self, host: str, error: RegistryError, retry_after: str = "") -> RegistryError:
        """The error with the time from which the host is asked again: its own (RFC 9110, Retry-After) or ours."""
        with self._lock:
            known = self._hosts.setdefault(host, _Host())
            known.failures += 1
            said = seconds_of(retry_after, self._clock())
            error.retry_at = self._clock() + (self._pause(known.failures) if said is None else said)
            known.trouble = error
            return error

    def _pause(self, failures: int) -> float:
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, _DOUBLINGS))
        return longest * (0.5 + self._chance() / 2)


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
