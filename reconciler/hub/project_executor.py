"""The executor of one project that lives as long as the service: its own workers on the shared engine."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial

from reconciler.engine.protocol import Engine
from reconciler.engine.shared import SharedEngine
from reconciler.executor import (
    WORKERS,
    Finished,
    Guard,
    Happened,
    Key,
    OnProgress,
    Signals,
    Value,
    execute,
    ignore,
)
from reconciler.hub.workers import Workers
from reconciler.model.operation import Operation

MOST_TOUCHED = 1000
READERS = 4  # more would only wait for each other here: what takes time is the reading itself
READERS_FROM_AFAR = 8


class ProjectExecutor:
    """Runs one project's operations, hears of its containers. One thread at a time waits; any may do the rest.

    Made by `EngineHub.executor`, which tells it what happened.
    """

    def __init__(self, engine: SharedEngine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock
        self._on_progress: OnProgress = ignore
        self._signals: Signals[Finished | Happened] = Signals()
        self._workers = Workers(WORKERS, "engine")
        self._lanes = READERS if engine.info().shares_files else READERS_FROM_AFAR
        self._readers = Workers(self._lanes, "reader")
        self._lock = threading.Lock()
        self._watching = False
        self._touched = {""}

    def now(self) -> float:
        """The engine's time, in seconds since the epoch."""
        return self._clock()

    def submit(self, operations: Iterable[Operation], guard: Guard) -> None:
        """Begin each operation on the next free one of the project's workers."""
        for operation in operations:
            future = self._workers.submit(partial(self._work, operation, guard))
            future.add_done_callback(self._report)

    def gather(self, call: Callable[[Engine, Key], Value], keys: Iterable[Key]) -> list[Value]:
        """The call's result for each key, on all readers, in order. The first error is raised."""
        wanted = list(keys)
        if len(wanted) <= 1:
            return [call(self._engine, key) for key in wanted]
        turns = iter(enumerate(wanted))
        found: dict[int, Value] = {}

        def read() -> None:
            for turn, key in turns:
                found[turn] = call(self._engine, key)

        readers = [self._readers.submit(read) for _ in wanted[: self._lanes]]
        try:
            for reader in readers:
                reader.result()
        finally:
            deque(turns, maxlen=0)  # what no reader has begun by then is nobody's to read
        return [found[turn] for turn in range(len(wanted))]

    def wait(self, until: float | None) -> list[Finished | Happened]:
        """What ended or happened; see `Signals.collect`. `wake` ends it early."""
        return self._signals.collect(None if until is None else max(0.0, until - self._clock()))

    def wake(self) -> None:
        """End a wait of another thread, which then looks at everything again."""
        self.happened("")

    def watch(self, on_progress: OnProgress) -> None:
        """From now on also report what happens to the project's containers, and the output of pulls and builds."""
        with self._lock:
            self._on_progress, self._watching = on_progress, True

    def unwatch(self) -> None:
        """Nobody waits any more: what happens is only noted as touched."""
        with self._lock:
            self._on_progress, self._watching = ignore, False
        self._signals.clear()

    def happened(self, container: str) -> None:
        """Something happened to a container; "": the stream of events was lost or is back, or somebody wants a look."""
        with self._lock:
            self._touched = self._touched | {container} if len(self._touched) < MOST_TOUCHED else {""}
            watching = self._watching
        if watching:
            self._signals.put(Happened(container))

    def touched(self) -> frozenset[str]:
        """Ids of the containers that events named since the last time; with "" any may have changed."""
        with self._lock:
            found, self._touched = frozenset(self._touched), set()
        return found if self._engine.followed else frozenset({""})

    def settle(self) -> None:
        """Wait until nothing is in flight any more."""
        self._workers.settle()

    def close(self, *, wait: bool) -> None:
        """Begin nothing more; with `wait` return after the operations in flight."""
        self._workers.cancel()
        self._readers.cancel()
        if wait:
            self.settle()

    def _work(self, operation: Operation, guard: Guard) -> Finished:
        def progress(text: str) -> None:
            self._on_progress(operation, text)

        return execute(self._engine, operation, progress, self._clock, guard)

    def _report(self, future: Future[Finished]) -> None:
        if not future.cancelled():
            self._signals.put(future.exception() or future.result())
