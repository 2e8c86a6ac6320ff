"""Connections to one engine that threads take turns with: one is one thread's for the length of a call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reconciler.engine.protocol import Engine
from reconciler.errors import EngineError, EngineUnreachableError

MOST_IDLE = 16
CLOSED = "the connections to the engine are closed"


class Connections:
    """Clones of `engine`, made when all others are busy, kept for the next call; at most 16 lie idle. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: list[Engine] = []
        self._streaming: set[Engine] = set()
        self._closed = False
        self._lock = threading.Lock()

    @contextmanager
    def borrowed(self) -> Iterator[Engine]:
        """A connection for one call. After one that got no answer it is closed, else given back."""
        connection = self._take()
        try:
            yield connection
        except EngineUnreachableError:
            connection.close()
            raise
        except EngineError:
            self._give_back(connection)
            raise
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)

    def events(self) -> Iterator[dict[str, Any]]:
        """`Engine.events` on a connection of its own, which is closed at the end of the stream.

        EngineUnreachableError where all is closed already: nobody would end it.
        """
        connection = self._engine.clone()
        try:
            self._begin(connection)
            stream = connection.events()
        except BaseException:
            self._end(connection)
            raise
        return self._streamed(connection, stream)

    def renew(self, engine: Engine) -> None:
        """From now on clone this one; what is idle is closed. EngineUnreachableError, and it is closed, as `events`."""
        with self._lock:
            self._engine = engine
            idle, self._idle = self._idle, []
            unwanted = (engine,) if self._closed else ()
        for connection in (*idle, *unwanted):
            connection.close()
        if unwanted:
            raise EngineUnreachableError(CLOSED)

    def close(self) -> None:
        """Close what is idle, and what is lent when it comes back; streams that other threads read end."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            streaming = tuple(self._streaming)
        for connection in (*idle, *streaming):
            connection.close()

    def _take(self) -> Engine:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._engine.clone()

    def _give_back(self, connection: Engine) -> None:
        with self._lock:
            if len(self._idle) < MOST_IDLE and not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _begin(self, connection: Engine) -> None:
        with self._lock:
            if self._closed:
                raise EngineUnreachableError(CLOSED)
            self._streaming.add(connection)

    def _streamed(self, connection: Engine, stream: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        try:
            yield from stream
        finally:
            self._end(connection)

    def _end(self, connection: Engine) -> None:
        with self._lock:
            self._streaming.discard(connection)
        connection.close()
