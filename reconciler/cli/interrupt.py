"""Ctrl-C during a converge: the first asks it to stop after the operations in flight, the second abandons them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = "stopping after the operations in flight; press again to abandon"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signal(stop: threading.Event, say: Callable[[str], None]) -> Iterator[None]:
    """SIGINT or SIGTERM sets `stop` and says so; another one raises KeyboardInterrupt in the main thread."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        say(STOPPING)

    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
