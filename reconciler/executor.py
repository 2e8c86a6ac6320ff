"""Carry out operations: one operation, one engine call. Decides nothing; says how each call ended."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

from reconciler.engine.events import read_event
from reconciler.engine.protocol import Engine, Progress
from reconciler.errors import EngineError, PolicyError
from reconciler.model.observed import json_value
from reconciler.model.operation import Operation
from reconciler.model.redaction import hidden_names, hide_values, secret_entries
from reconciler.observer import inspect_or_none

WORKERS = 16
READERS = 8  # their own, because a worker may be busy for as long as a pull or a grace period takes
COALESCE = 0.002
COALESCE_AT_MOST = 0.05
SETTLING = {
    "container.create",
    "container.copy",
    "container.start",
    "container.stop",
    "container.kill",
    "container.exec",
    "container.http",
    "network.connect",
    "network.disconnect",
}
_OF_A_CONTAINER = ("container", "network.connect", "network.disconnect")
_SAID = 200
OnProgress = Callable[[Operation, str], None]
Guard = Callable[[Operation], None]  # raises PolicyError for what is not to reach the engine
Key = TypeVar("Key")
Value = TypeVar("Value")
Signal = TypeVar("Signal")


@dataclass(frozen=True)
class Finished:
    """How an operation ended: `error` None is success; `inspected` its container at `seen_at`, right afterwards.

    `ended_at` is the engine's time when the call had ended, in seconds since the epoch. `container` is empty where
    nothing is known of the container it concerns, or where it concerns none.
    """

    operation: Operation
    seconds: float
    error: EngineError | PolicyError | None = None
    container: str = ""
    inspected: Mapping[str, Any] | None = None
    seen_at: float = 0.0
    ended_at: float = 0.0


@dataclass(frozen=True)
class Happened:
    """An engine event about a container: look at it again. An empty id means that the event stream was lost."""

    container: str


class Executor(Protocol):
    """Where operations are submitted and their ends collected."""

    def submit(self, operations: Iterable[Operation], guard: Guard) -> None:
        """Begin each operation that the guard lets through; one that it does not has failed."""
        ...

    def wait(self, until: float | None) -> list[Finished | Happened]:
        """Everything that ended or happened; waits for the first until that engine time (None: for ever)."""
        ...

    def now(self) -> float:
        """The engine's time, in seconds since the epoch."""
        ...


class SessionExecutor(Executor, Protocol):
    """What a session needs of its executor besides."""

    def gather(self, call: Callable[[Engine, Key], Value], keys: Iterable[Key]) -> list[Value]:
        """The call's result for each key, in order."""
        ...

    def watch(self, on_progress: OnProgress) -> None:
        """From now on also report engine events, and the output of pulls and builds."""
        ...

    def unwatch(self) -> None:
        """Nobody waits any more: what was not collected is forgotten."""
        ...

    def touched(self) -> frozenset[str]:
        """Ids of the containers that events named since this was asked last; with "" any may have changed."""
        ...

    def settle(self) -> None:
        """Wait until nothing is in flight any more."""
        ...

    def close(self, *, wait: bool) -> None:
        """Give the connections back, after the operations in flight where `wait` says so."""
        ...


def perform(engine: Engine, operation: Operation, progress: Progress, guard: Guard) -> str:
    """Make the engine call of an operation; the id of the container it concerns, or "".

    The only way of any operation to any engine: the guard sees each of them here, with its final payload.
    """
    guard(operation)
    payload, target = operation.payload, operation.target
    calls: dict[str, Callable[[], str | None]] = {
        "image.pull": lambda: engine.pull_image(payload["reference"], payload["platform"], progress),
        "image.build": lambda: engine.build_image(payload["build"], payload["tags"], payload["platform"], progress),
        "image.tag": lambda: engine.tag_image(payload["image"], payload["repository"], payload["tag"]),
        "network.create": lambda: engine.create_network(payload["name"], payload["body"]) and None,
        "network.remove": lambda: engine.remove_network(target),
        "network.connect": lambda: engine.connect_network(payload["network"], target, payload["endpoint"]),
        "network.disconnect": lambda: engine.disconnect_network(payload["network"], target),
        "volume.create": lambda: engine.create_volume(payload["name"], payload["body"]),
        "volume.remove": lambda: engine.remove_volume(target),
        "container.create": lambda: engine.create_container(payload["name"], payload["body"], payload["platform"]),
        "container.copy": lambda: engine.copy_files(target, payload["files"]),
        "container.start": lambda: engine.start_container(target),
        "container.stop": lambda: engine.stop_container(target),
        "container.remove": lambda: engine.remove_container(target),
        "container.kill": lambda: engine.kill_container(target, payload["signal"]),
        "container.exec": lambda: _run_inside(engine, target, payload["command"], payload["timeout"]),
        "container.http": lambda: engine.http_post(target, payload["port"], payload["path"]),
    }
    return calls[operation.kind]() or (target if operation.kind.startswith(_OF_A_CONTAINER) else "")


def execute(
    engine: Engine, operation: Operation, progress: Progress, clock: Callable[[], float], guard: Guard
) -> Finished:
    """Perform an operation and look at its container once, whether or not it succeeded.

    The engine's error may repeat what it was given: values that look secret are taken out here, for every reader.
    """
    began = monotonic()
    error: EngineError | PolicyError | None = None
    container = operation.target if operation.kind.startswith(_OF_A_CONTAINER) else ""
    try:
        container = perform(engine, operation, progress, guard)
    except (EngineError, PolicyError) as caught:
        error = caught
    ended_at = clock()
    inspected, seen_at = None, ended_at
    if container and operation.kind in SETTLING:
        try:
            inspected = inspect_or_none(engine, container)
        except EngineError:
            container = ""
    if error is not None:
        error.message = hide_values(error.message, _environment(operation, inspected))
        container = container if inspected else ""
    return Finished(operation, monotonic() - began, error, container, inspected, seen_at, ended_at)


def _run_inside(engine: Engine, container: str, command: Sequence[str], timeout_seconds: float) -> None:
    """Run a drain command: one that fails is an error, which names its program and not its arguments."""
    code, output = engine.exec_in_container(container, command, timeout_seconds)
    if code:
        said = output.strip().splitlines()
        last = f": {said[-1].strip()[:_SAID]}" if said else ""
        hint = "it is not run again: what it did in part cannot be undone"
        raise EngineError(
            f"{command[0]} exited with {code}{last}", source=container[:12], code="DrainFailed", hint=hint
        )


def ignore(_operation: Operation, _text: str) -> None:
    """Nobody listens."""


def _environment(operation: Operation, inspected: Mapping[str, Any] | None) -> list[str]:
    """What may hold a secret that an error of this operation repeats, as `NAME=value`."""
    build = operation.payload.get("build")
    arguments = [f"{name}={value}" for name, value in build.args] if build else []
    config = json_value(operation.payload, "body") or json_value(inspected or {}, "Config") or {}
    return [*arguments, *secret_entries(config.get("Env") or (), hidden_names(config.get("Labels") or {}))]


class Signals(Generic[Signal]):
    """What ended or happened, put by any thread and collected by one."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Signal | BaseException] = queue.SimpleQueue()

    def put(self, signal: Signal | BaseException) -> None:
        """For whoever collects next. An exception is raised there."""
        self._queue.put(signal)

    def collect(self, timeout: float | None) -> list[Signal]:
        """Everything there is; waits for the first, in seconds (None: for ever), then for more within a moment.

        Raises what a worker met besides a refused operation, such as EngineUnreachableError.
        """
        found = self._next(timeout)
        signals, closes_at = [*found], monotonic() + COALESCE_AT_MOST
        while found and monotonic() < closes_at:
            found = self._next(COALESCE)
            signals += found
        return signals

    def clear(self) -> None:
        """Forget what was not collected."""
        with suppress(queue.Empty):
            while True:
                self._queue.get_nowait()

    def _next(self, timeout: float | None) -> list[Signal]:
        try:
            found = self._queue.get(timeout=timeout)
        except queue.Empty:
            return []
        if isinstance(found, BaseException):
            raise found
        return [found]


class ThreadedExecutor:
    """Runs operations on a pool of workers, each with its own connection. For real engines and one command."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock
        self._on_progress: OnProgress = ignore
        self._signals: Signals[Finished | Happened] = Signals()
        self._local = threading.local()
        self._clones: list[Engine] = []
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="engine")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._under_way: set[Future[Finished]] = set()
        self._events: Engine | None = None

    def now(self) -> float:
        """The engine's time, in seconds since the epoch."""
        return self._clock()

    def submit(self, operations: Iterable[Operation], guard: Guard) -> None:
        """Queue each operation for the next free worker."""
        for operation in operations:
            future = self._pool.submit(self._work, operation, guard)
            self._under_way.add(future)
            future.add_done_callback(self._report)

    def gather(self, call: Callable[[Engine, Key], Value], keys: Iterable[Key]) -> list[Value]:
        """The call's result for each key, on all readers, in order. The first error is raised."""
        wanted = list(keys)
        if len(wanted) == 1:
            return [call(self._engine, wanted[0])]
        return list(self._readers.map(lambda key: call(self._connection(), key), wanted))

    def wait(self, until: float | None) -> list[Finished | Happened]:
        """Collect signals; see `Signals.collect`."""
        return self._signals.collect(None if until is None else max(0.0, until - self._clock()))

    def watch(self, on_progress: OnProgress) -> None:
        """Subscribe to the engine's events on a connection and thread of their own."""
        self._on_progress = on_progress
        if self._events is not None:
            return
        self._events = self._engine.clone()
        stream = self._events.events()
        threading.Thread(target=self._follow, args=(stream,), name="events", daemon=True).start()

    def unwatch(self) -> None:
        """Nobody waits any more."""
        self._on_progress = ignore
        self._signals.clear()

    def touched(self) -> frozenset[str]:
        """Any may have changed: events are heard while somebody waits only."""
        return frozenset({""})

    def settle(self) -> None:
        """Wait until nothing is in flight any more."""
        wait_for(tuple(self._under_way))

    def close(self, *, wait: bool) -> None:
        """Give the connections back, after the operations in flight where `wait` says so."""
        self._pool.shutdown(wait=wait, cancel_futures=True)
        self._readers.shutdown(wait=wait, cancel_futures=True)
        for engine in [*self._clones, *([self._events] if self._events else [])]:
            engine.close()

    def _follow(self, stream: Iterator[dict[str, Any]]) -> None:
        try:
            for event in stream:
                if container := read_event(event).container:
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

    def _report(self, future: Future[Finished]) -> None:
        self._under_way.discard(future)
        if not future.cancelled():
            self._signals.put(future.exception() or future.result())

    def _work(self, operation: Operation, guard: Guard) -> Finished:
        def progress(text: str) -> None:
            self._on_progress(operation, text)

        return execute(self._connection(), operation, progress, self._clock, guard)
