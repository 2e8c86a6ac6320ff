"""Carry out operations: one operation, one engine call. Decides nothing; says how each call ended."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol, TypeVar

from reconciler.engine.protocol import Engine, Progress
from reconciler.errors import EngineError
from reconciler.model.operation import Operation
from reconciler.observer import inspect_or_none

WORKERS = 16
SETTLING = {"container.create", "container.start", "container.stop", "network.connect"}
OnProgress = Callable[[Operation, str], None]
Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Finished:
    """How an operation ended: `error` None is success; `inspected` its container at `seen_at`, right afterwards."""

    operation: Operation
    seconds: float
    error: EngineError | None = None
    container: str = ""
    inspected: Mapping[str, Any] | None = None
    seen_at: float = 0.0


@dataclass(frozen=True)
class Happened:
    """An engine event about a container: look at it again. An empty id means that the event stream was lost."""

    container: str


class Executor(Protocol):
    """Where operations are submitted and their ends collected."""

    def submit(self, operations: Iterable[Operation]) -> None:
        """Begin each operation."""
        ...

    def wait(self, until: float | None) -> list[Finished | Happened]:
        """Everything that ended or happened; waits for the first until that engine time (None: for ever)."""
        ...

    def now(self) -> float:
        """The engine's time, in seconds since the epoch."""
        ...


class SessionExecutor(Executor, Protocol):
    """What a whole command needs of its executor besides."""

    def gather(self, call: Callable[[Engine, Key], Value], keys: Iterable[Key]) -> list[Value]:
        """The call's result for each key, in order."""
        ...

    def watch(self, on_progress: OnProgress) -> None:
        """From now on also report engine events, and the output of pulls and builds."""
        ...

    def close(self, *, wait: bool) -> None:
        """Give the connections back, after the operations in flight where `wait` says so."""
        ...


def perform(engine: Engine, operation: Operation, progress: Progress) -> str:
    """Make the engine call of an operation; the id of the container it concerns, or ""."""
    payload, target = operation.payload, operation.target
    calls: dict[str, Callable[[], str | None]] = {
        "image.pull": lambda: engine.pull_image(payload["reference"], payload["platform"], progress),
        "image.build": lambda: engine.build_image(payload["build"], payload["tags"], payload["platform"], progress),
        "image.tag": lambda: engine.tag_image(payload["image"], payload["repository"], payload["tag"]),
        "network.create": lambda: engine.create_network(payload["name"], payload["body"]) and None,
        "network.remove": lambda: engine.remove_network(target),
        "network.connect": lambda: engine.connect_network(payload["network"], target, payload["endpoint"]),
        "volume.create": lambda: engine.create_volume(payload["name"], payload["body"]),
        "container.create": lambda: engine.create_container(payload["name"], payload["body"], payload["platform"]),
        "container.start": lambda: engine.start_container(target),
        "container.stop": lambda: engine.stop_container(target),
        "container.remove": lambda: engine.remove_container(target),
    }
    return calls[operation.kind]() or (target if operation.kind.startswith(("container", "network.connect")) else "")


def execute(engine: Engine, operation: Operation, progress: Progress, clock: Callable[[], float]) -> Finished:
    """Perform an operation and look at its container once, whether or not it succeeded."""
    began = monotonic()
    error, container = None, operation.target if operation.kind.startswith("container") else ""
    try:
        container = perform(engine, operation, progress)
    except EngineError as caught:
        error = caught
    inspected, seen_at = None, clock()
    if container and operation.kind in SETTLING:
        try:
            inspected = inspect_or_none(engine, container)
        except EngineError as caught:
            error = error or caught
    if error is not None and operation.kind == "container.create" and inspected is None:
        container = ""
    return Finished(operation, monotonic() - began, error, container, inspected, seen_at)


def _ignore(_operation: Operation, _text: str) -> None:
    """Nobody listens yet."""


class ThreadedExecutor:
    """Runs operations on a pool of workers, each with its own connection. For real engines."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock
        self._on_progress: OnProgress = _ignore
        self._signals: queue.SimpleQueue[Finished | Happened] = queue.SimpleQueue()
        self._local = threading.local()
        self._clones: list[Engine] = []
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="engine")
        self._events: Engine | None = None

    def now(self) -> float:
        """The engine's time, in seconds since the epoch."""
        return self._clock()

    def submit(self, operations: Iterable[Operation]) -> None:
        """Queue each operation for the next free worker."""
        for operation in operations:
            self._pool.submit(self._work, operation)

    def gather(self, call: Callable[[Engine, Key], Value], keys: Iterable[Key]) -> list[Value]:
        """The call's result for each key, on all workers, in order. The first error is raised."""
        wanted = list(keys)
        if len(wanted) == 1:
            return [call(self._engine, wanted[0])]
        return list(self._pool.map(lambda key: call(self._connection(), key), wanted))

    def wait(self, until: float | None) -> list[Finished | Happened]:
        """Collect signals; after the first, whatever else is there within a moment."""
        timeout = None if until is None else max(0.0, until - self._clock())
        try:
            signals = [self._signals.get(timeout=timeout)]
        except queue.Empty:
            return []
        while True:
            try:
                signals.append(self._signals.get(timeout=COALESCE))
            except queue.Empty:
                return signals

    def watch(self, on_progress: OnProgress) -> None:
        """Subscribe to the engine's events on a connection and thread of their own."""
        self._on_progress = on_progress
        if self._events is not None:
            return
        self._events = self._engine.clone()
        stream = self._events.events()
        threading.Thread(target=self._follow, args=(stream,), name="events", daemon=True).start()

    def close(self, *, wait: bool) -> None:
        """Give the connections back, after the operations in flight where `wait` says so."""
        self._pool.shutdown(wait=wait, cancel_futures=True)
        for engine in [*self._clones, *([self._events] if self._events else [])]:
            engine.close()

    def _follow(self, stream: Iterator[dict[str, Any]]) -> None:
        try:
            for event in stream:
                container = (event.get("Actor") or {}).get("ID") or event.get("id") or ""
                if container:
                    self._signals.put(Happened(container))
        except EngineError:
            self._signals.put(Happened(""))
            return
        self._signals.put(Happened(""))

    def _connection(self) -> Engine:
        if not hasattr(self._local, "engine"):
            self._local.engine = self._engine.clone()
            self._clones.append(self._local.engine)
        return self._local.engine  # type: ignore[no-any-return]

    def _work(self, operation: Operation) -> None:
        def progress(text: str) -> None:
            self._on_progress(operation, text)

        self._signals.put(execute(self._connection(), operation, progress, self._clock))


COALESCE = 0.002
