"""A list of the engine's that many read: asked for once, and given to all until something happened."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import Any

MOST_AGE = (
    10.0  # seconds: not everything that happens is an event, and an engine drops events that nobody takes in time
)

Rows = list[dict[str, Any]]


class Listing:
    """The rows that `read` returns. Thread-safe; they are the same objects for all, and nobody's to change.

    `is_followed` says whether somebody calls `invalidate` when something happens: an answer is kept only then.
    """

    def __init__(self, read: Callable[[], Rows], is_followed: Callable[[], bool]) -> None:
        self._read = read
        self._is_followed = is_followed
        self._lock = threading.Lock()
        self._flight: Future[Rows] | None = None
        self._answer: Rows | None = None
        self._read_at = 0.0

    def rows(self) -> Rows:
        """The last answer, else a new one; who asks while one is under way gets that. Raises what `read` raises."""
        with self._lock:
            if self._answer is not None and self._is_followed() and monotonic() < self._read_at + MOST_AGE:
                return self._answer
            flight = self._flight or Future[Rows]()
            mine, self._flight = self._flight is None, flight
        if mine:
            self._fly(flight)
        return flight.result()

    def invalidate(self) -> None:
        """Something happened: neither the last answer nor one that is under way is for those who ask from now on."""
        with self._lock:
            self._answer = self._flight = None

    def _fly(self, flight: Future[Rows]) -> None:
        read_at = monotonic()
        try:
            rows = self._read()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the answer gets it, this thread among them
            self._land(flight, None, read_at)
            flight.set_exception(error)
        else:
            self._land(flight, rows, read_at)
            flight.set_result(rows)

    def _land(self, flight: Future[Rows], rows: Rows | None, read_at: float) -> None:
        with self._lock:
            if self._flight is flight:
                self._flight, self._answer, self._read_at = None, rows, read_at
