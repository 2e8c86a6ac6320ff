"""A container's life: start, stop, exits by itself, restarts with back-off, and what is due next.

Restart policies follow HostConfig.RestartPolicy (Engine API): the wait is 100 ms, doubled after each exit up to a
minute, and starts over once the process stayed up for 10 s. Stopped by hand, none restarts.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from reconciler.engine.simulated import endpoints, health, ipc, layers, ports
from reconciler.engine.simulated.containers import discard
from reconciler.engine.simulated.state import (
    BAD_REQUEST,
    CONFLICT,
    LIVE,
    OCCUPIED,
    Box,
    World,
    find_container,
    has_container,
    refusal,
)
from reconciler.engine.times import seconds, timestamp
from reconciler.errors import EngineError

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 60.0
_STEADY = 10.0
_GRACE = 10.0
_NEVER_RAN = 128
_NOT_FOUND = 127
KILLED = 137
_FIRST_PID = 1000


def start_container(world: World, reference: str) -> None:
    """Start it; started already is success. On failure it stays as it was, with State.Error and an ExitCode."""
    box = find_container(world, reference)
    if box.status == "paused":
        raise refusal(CONFLICT, "cannot start a paused container, try unpause instead")
    if box.status in LIVE:
        return
    box.stopped_by_hand, box.backoff = False, 0.0
    box.document["RestartCount"] = 0
    _run(world, box, world.clock.now())


def begin_stop(world: World, reference: str) -> float:
    """Send the stop signal; how many seconds the process takes to end, 0 where there is nothing to stop."""
    if not has_container(world, reference):
        return 0.0
    box = find_container(world, reference)
    if box.status not in LIVE:
        return 0.0
    box.stopped_by_hand = True
    if box.status == "restarting" or stop_signal(box) == signal.SIGKILL:
        return 0.0
    wait = box.behaviour.stop_after
    return _grace(box) if wait is None else min(wait, _grace(box))


def finish_stop(world: World, reference: str) -> None:
    """The process has ended, by its stop signal or killed after the grace period; gone or stopped is success."""
    if not has_container(world, reference):
        return
    box, at = find_container(world, reference), world.clock.now()
    if box.status == "restarting":
        box.restart_at = None
        box.state.update(Status="exited", Running=False, Restarting=False)
    elif box.status in OCCUPIED:
        halt(world, box, at, _stop_code(box))
    else:
        return
    world.log(at, "stop", box)


def apply_due(world: World, box: Box, at: float) -> None:
    """Make the change that is due for this container at that time."""
    if box.restart_at == at:
        _restart(world, box, at)
    elif box.exit_at == at:
        end_process(world, box, at, box.behaviour.exit_code if box.exit_code is None else box.exit_code)
    else:
        health.probe(world, box, at)


def end_process(world: World, box: Box, at: float, code: int) -> None:
    """The process ended by itself: the restart policy decides what comes next."""
    ran = at - seconds(box.state["StartedAt"])
    again = _restarts(box, code)
    halt(world, box, at, code)
    if again:
        box.backoff = min(box.backoff * 2, _LONGEST_WAIT) if box.backoff and ran < _STEADY else _FIRST_WAIT
        box.document["RestartCount"] += 1
        box.restart_at = at + box.backoff
        box.state.update(Status="restarting", Running=True, Restarting=True)
    elif box.document["HostConfig"].get("AutoRemove"):
        discard(world, box, at)


def halt(world: World, box: Box, at: float, code: int = KILLED) -> None:
    """Its process is no more: addresses and ports are free again."""
    endpoints.leave_all(box)
    health.end(box)
    box.clear_timers()
    box.state.update(Status="exited", Running=False, Paused=False, Restarting=False, Pid=0, ExitCode=code)
    box.state["FinishedAt"] = timestamp(at)
    world.log(at, "die", box)


def stop_signal(box: Box) -> int:
    """The number of the signal that asks the process to end (Config.StopSignal, SIGTERM unless set or known)."""
    return signal_number(str(box.document["Config"].get("StopSignal") or "SIGTERM")) or signal.SIGTERM


def signal_number(name: str) -> int | None:
    """The number of a signal as the Engine API takes it (`15`, `TERM`, `SIGTERM`), None where there is none."""
    asked = name.upper()
    known = {entry.name: int(entry) for entry in signal.Signals}
    if asked.isdigit():
        return int(asked) if int(asked) in known.values() else None
    return known.get(asked if asked.startswith("SIG") else f"SIG{asked}")


def obeyed_code(box: Box) -> int:
    """What the process ends with that obeys its stop signal."""
    code, sent = box.behaviour.stop_code, stop_signal(box)
    return code if code is not None and sent != signal.SIGKILL else _NEVER_RAN + sent


def _run(world: World, box: Box, at: float) -> None:
    box.behaviour = world.behaviour(str(box.document["Config"]["Image"]), box.document["Config"])
    box.changed = True
    _attempt(box, lambda: endpoints.join_all(world, box), _NEVER_RAN)
    _attempt(box, lambda: ports.bind_all(world, box), _NEVER_RAN)
    _attempt(box, lambda: ipc.join(world, box), _NEVER_RAN)
    _attempt(box, lambda: _execute(box), _NOT_FOUND)
    world.made += 1
    box.state.update(
        Status="running", Running=True, Restarting=False, Pid=_FIRST_PID + world.made, ExitCode=0, Error=""
    )
    box.state["StartedAt"] = timestamp(at)
    started = seconds(box.state["StartedAt"])
    box.exit_code = None
    _write(box)
    box.exit_at = None if box.behaviour.exit_after is None else started + box.behaviour.exit_after
    health.begin(world, box, started)
    world.log(at, "start", box)


def _write(box: Box) -> None:
    for path in box.behaviour.writes:
        layers.write(box, path)


def _execute(box: Box) -> None:
    if box.behaviour.start_error:
        raise refusal(BAD_REQUEST, box.behaviour.start_error)


def _attempt(box: Box, part: Callable[[], None], code: int) -> None:
    """One part of a start; where it fails, the container is left with the error and holds nothing."""
    try:
        part()
    except EngineError as error:
        endpoints.leave_all(box)
        box.clear_timers()
        box.state["Error"] = error.message
        box.state["ExitCode"] = box.state["ExitCode"] or code
        raise


def _restart(world: World, box: Box, at: float) -> None:
    box.restart_at = None
    try:
        _run(world, box, at)
    except EngineError:  # nobody called: it stays exited, and State.Error says why
        box.state.update(Status="exited", Running=False, Restarting=False, FinishedAt=timestamp(at))


def _restarts(box: Box, code: int) -> bool:
    policy = box.document["HostConfig"].get("RestartPolicy") or {}
    if box.stopped_by_hand:
        return False
    if policy.get("Name") == "on-failure":
        most = policy.get("MaximumRetryCount") or 0
        return code != 0 and (not most or box.document["RestartCount"] < most)
    return policy.get("Name") in {"always", "unless-stopped"}


def _grace(box: Box) -> float:
    asked = box.document["Config"].get("StopTimeout")
    return _GRACE if asked is None else float(asked)


def _stop_code(box: Box) -> int:
    wait = box.behaviour.stop_after
    if wait is None or wait > _grace(box):
        return KILLED
    return obeyed_code(box)
