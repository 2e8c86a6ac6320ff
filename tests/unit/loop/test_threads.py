# ruff: noqa: ARG002, D102 - protocols document their methods and fix their arguments
"""The executor for real engines: workers, readers, events."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import EngineError, EngineUnreachableError
from reconciler.executor import WORKERS, Finished, Happened, ThreadedExecutor
from reconciler.model.operation import Operation
from tests.support.planning import unguarded

if TYPE_CHECKING:
    from collections.abc import Iterator


class TinyEngine:
    """Starts and stops containers that are always running; stopping takes until `gate` opens."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.quiet = threading.Event()
        self.stream: Iterator[dict[str, Any]] = iter(())
        self.clone_fails = False

    def clone(self) -> TinyEngine:
        if self.clone_fails:
            raise EngineUnreachableError("no answer")
        return self

    def close(self) -> None:
        self.quiet.set()

    def start_container(self, container: str) -> None:
        """Started already."""

    def stop_container(self, container: str) -> None:
        self.gate.wait(10)

    def inspect_container(self, container: str) -> dict[str, Any]:
        return {"Id": container}

    def events(self) -> Iterator[dict[str, Any]]:
        return self.stream


@pytest.fixture
def engine() -> TinyEngine:
    return TinyEngine()


@pytest.fixture
def executor(engine: TinyEngine) -> Iterator[ThreadedExecutor]:
    made = ThreadedExecutor(engine, time.monotonic)  # type: ignore[arg-type]
    yield made
    engine.gate.set()
    made.close(wait=True)


def operation(verb: str, number: int = 1) -> Operation:
    kind: Any = f"container.{verb}"
    return Operation(f"{kind}:{number}", kind, f"c{number}", "shop", "web", number, target=f"c{number}")


def soon() -> float:
    return time.monotonic() + 10


def test_the_end_of_an_operation_is_a_signal(executor: ThreadedExecutor) -> None:
    """With the container as it was right afterwards."""
    executor.submit([operation("start")], unguarded)
    signals = executor.wait(soon())
    assert [item.inspected for item in signals if isinstance(item, Finished)] == [{"Id": "c1"}]
    assert executor.wait(time.monotonic()) == []


def test_readers_do_not_wait_for_workers(engine: TinyEngine, executor: ThreadedExecutor) -> None:
    """While every worker is busy with a long stop, the engine can still be read."""
    executor.submit([operation("stop", number) for number in range(WORKERS + 1)], unguarded)
    began = time.monotonic()
    assert executor.gather(lambda _engine, key: key, ["a", "b"]) == ["a", "b"]
    assert executor.gather(lambda _engine, key: key, ["a"]) == ["a"]
    assert time.monotonic() - began < 5
    assert not engine.gate.is_set()


def test_an_engine_that_cannot_be_reached_ends_the_wait(engine: TinyEngine, executor: ThreadedExecutor) -> None:
    """A worker without a connection does not leave its operation in flight for ever."""
    engine.clone_fails = True
    executor.submit([operation("start")], unguarded)
    with pytest.raises(EngineUnreachableError):
        executor.wait(soon())


def test_a_storm_of_events_does_not_keep_the_loop_waiting(engine: TinyEngine, executor: ThreadedExecutor) -> None:
    """Signals are collected for a moment, not for as long as they keep coming."""

    def storm() -> Iterator[dict[str, Any]]:
        while not engine.quiet.wait(0.0005):
            yield {"Actor": {"ID": "c1"}}

    engine.stream = storm()
    executor.watch(lambda _operation, _text: None)
    began = time.monotonic()
    signals = executor.wait(soon())
    engine.quiet.set()
    assert signals[0] == Happened("c1")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("error", [None, EngineError("reset")])
def test_a_lost_stream_is_a_reason_to_look_at_everything(
    engine: TinyEngine, executor: ThreadedExecutor, error: Exception | None
) -> None:
    """Whether it ends or breaks; an event without a container says nothing."""

    def stream() -> Iterator[dict[str, Any]]:
        yield {}
        yield {"id": "c2"}
        if error:
            raise error

    engine.stream = stream()
    executor.watch(lambda _operation, _text: None)
    signals = executor.wait(soon())
    while Happened("") not in signals:
        signals += executor.wait(soon())
    assert signals == [Happened("c2"), Happened("")]
