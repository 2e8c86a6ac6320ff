"""Threads that live for as long as there is something to do, and no longer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import Any, TypeVar

Value = TypeVar("Value")


class Workers:
    """Makes calls in at most `most` threads, each begun when it is needed and ended when nothing is left."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._under_way: set[Future[Any]] = set()
        self._threads = 0

    def submit(self, call: Callable[[], Value]) -> Future[Value]:
        """Make the call as soon as a thread is free; its result, or what it raised."""
        future: Future[Value] = Future()
        with self._lock:
            self._waiting.append((future, call))
            self._under_way.add(future)
            begin = self._threads < self._most
            self._threads += begin
        if begin:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        return future

    def settle(self) -> None:
        """Wait until every call that was submitted has ended."""
        with self._lock:
            under_way = tuple(self._under_way)
        wait_for(under_way)

    def cancel(self) -> None:
        """Do not begin what has not begun yet."""
        with self._lock:
            waiting = tuple(self._waiting)
        for future, _ in waiting:
            future.cancel()

    def _work(self) -> None:
        while job := self._next():
            future, call = job
            if future.set_running_or_notify_cancel():
                _fulfil(future, call)
            with self._lock:
                self._under_way.discard(future)

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._threads -= 1
            return None


def _fulfil(future: Future[Value], call: Callable[[], Value]) -> None:
    try:
        value = call()
    except BaseException as error:  # noqa: BLE001 - it belongs to whoever asks for the result
        future.set_exception(error)
    else:
        future.set_result(value)
