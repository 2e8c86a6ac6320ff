"""One thread that follows the engine's events for months: it connects again whenever the stream ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

from reconciler.engine.events import Event, read_event
from reconciler.engine.shared import SharedEngine
from reconciler.errors import EngineError, EngineUnreachableError
from reconciler.logs import get_logger

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


class EventStream:
    """Follows the events of an engine. `on_event` hears each one, `on_turn` that the stream was lost or is back.

    Both are called in its thread. After a turn nothing is known of what happened in between.
    """

    def __init__(self, engine: SharedEngine, on_event: Callable[[Event], None], on_turn: Callable[[], None]) -> None:
        self._engine = engine
        self._on_event = on_event
        self._on_turn = on_turn
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self.trouble: EngineError | None = None

    def start(self) -> None:
        """Begin to follow; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """Follow no more. The stream ends with the engine's connections (`SharedEngine.disconnect`)."""
        self._closed.set()

    def join(self) -> None:
        """Wait for the thread to end."""
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._closed.is_set():
            began = monotonic()
            trouble = self._follow()
            self._engine.follow(followed=False)
            self._turn(trouble)
            pause = FIRST_PAUSE if monotonic() - began > LONGEST_PAUSE else min(2 * pause, LONGEST_PAUSE)
            self._closed.wait(pause)

    def _follow(self) -> EngineError:
        """Follow one stream to its end; why it ended. After one that was lost the engine may be another version."""
        try:
            if self.trouble:
                self._introduce()
            stream = self._engine.events()
            self._engine.follow(followed=True)
            self._turn(None)
            for raw in stream:
                self._on_event(read_event(raw))
        except EngineError as error:
            return error
        return EngineUnreachableError("the engine has ended its stream of events")

    def _introduce(self) -> None:
        before = self._engine.info().version
        self._engine.introduce()
        now = self._engine.info().version
        if now != before:
            get_logger().info("the engine is of another version", before=before, now=now)

    def _turn(self, trouble: EngineError | None) -> None:
        if not self._closed.is_set():
            self.trouble = trouble
            self._on_turn()
