"""What is done to a running container because its spec opted in: a signal, a command inside it, a request to it."""

from __future__ import annotations

import signal as signals
from collections.abc import Sequence

from reconciler.engine.simulated import lifecycle
from reconciler.engine.simulated.state import (
    BAD_REQUEST,
    OCCUPIED,
    Box,
    World,
    find_container,
    has_container,
    refusal,
)
from reconciler.errors import EngineError

_FIRST_OK, _FIRST_BAD = 200, 400


def running(world: World, reference: str) -> Box | None:
    """The container where it runs and is not frozen; None where there is nothing to drain."""
    box = find_container(world, reference) if has_container(world, reference) else None
    return box if box is not None and box.status == "running" else None


def kill(world: World, reference: str, signal: str) -> None:
    """Send a signal; 400 where there is none of that name. SIGKILL and the stop signal end the process.

    As the engine does, it counts as stopped by hand: its restart policy is off.
    """
    box = find_container(world, reference) if has_container(world, reference) else None
    if box is None or box.status not in OCCUPIED:
        return
    sent = _number(box, signal)
    box.stopped_by_hand = box.stopped_by_hand or not _handles(box) or sent == lifecycle.stop_signal(box)
    if sent == signals.SIGKILL:
        lifecycle.end_process(world, box, world.clock.now(), lifecycle.KILLED)
    elif sent == lifecycle.stop_signal(box):
        _end_after(world, box, box.behaviour.stop_after, lifecycle.obeyed_code(box))
    else:
        drained(world, box)


def check_time(box: Box, command: Sequence[str], timeout_seconds: float) -> None:
    """EngineError where the command takes longer than that."""
    if box.behaviour.drain_seconds > timeout_seconds:
        message = f"{command[0]} did not end within {timeout_seconds:g} s"
        hint = "nothing ended the command: it may go on in the container until that is stopped"
        raise EngineError(message, source=box.name, hint=hint, code="DrainTimedOut")


def http_post(world: World, reference: str, port: int, path: str) -> None:
    """The container takes the request, or EngineError; one that does not run has nothing to drain."""
    box = running(world, reference)
    if box is None:
        return
    status = box.behaviour.http_status
    if not _FIRST_OK <= status < _FIRST_BAD:
        reason = f"it answered {status}" if status else "nothing listens there"
        raise EngineError(f"POST port {port} {path} failed: {reason}", source=box.name, code="DrainFailed")
    drained(world, box)


def drained(world: World, box: Box) -> None:
    """The process was told that it will be stopped."""
    if box.status == "running":
        _end_after(world, box, box.behaviour.drained_after, 0)


def _end_after(world: World, box: Box, seconds: float | None, code: int) -> None:
    if seconds is None:
        return
    at = world.clock.now() + seconds
    if box.exit_at is None or at < box.exit_at:
        box.exit_at, box.exit_code = at, code


def _handles(box: Box) -> bool:
    return bool(box.document["Config"].get("StopSignal"))


def _number(box: Box, name: str) -> int:
    number = lifecycle.signal_number(name)
    if number is None:
        raise refusal(BAD_REQUEST, f"cannot kill container: {box.name}: invalid signal: {name}")
    return number
