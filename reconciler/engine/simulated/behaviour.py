"""What an image does when it runs, and how long the engine's calls take: the assumptions of a simulation, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Behaviour:
    """One image's behaviour, times in seconds after each start.

    Without more said it starts, stays up, passes every health probe and obeys its stop signal at once.

    `start_error` is the engine's message of a start that fails (a command that does not exist). The process ends by
    itself `exit_after` s with `exit_code`; None: never. Health probes pass from `healthy_after` on (None: never) and
    fail again from `unhealthy_after` on; `probe_output` is what they print. On its stop signal it ends after
    `stop_after` s (None: it ignores the signal and is killed when the grace period is over) with `stop_code` (None:
    128 and the signal's number, as a process without a handler). `logs` is its output. It writes to the paths `writes`
    of its writable layer as it starts.

    A drain command takes `drain_seconds` and ends with `drain_code`, having printed `drain_output`; a drain request is
    answered with `http_status` (0: nothing listens). Told to drain in any way, by a signal that is not its stop signal
    too, it goes on as before, or ends by itself with 0 after `drained_after` s.
    """

    start_error: str | None = None
    exit_after: float | None = None
    exit_code: int = 0
    healthy_after: float | None = 0.0
    unhealthy_after: float | None = None
    probe_output: str = ""
    stop_after: float | None = 0.0
    stop_code: int | None = None
    logs: str = ""
    writes: tuple[str, ...] = ()
    drain_seconds: float = 0.0
    drain_code: int = 0
    drain_output: str = ""
    http_status: int = 200
    drained_after: float | None = None


Behaviours = Callable[[str, Mapping[str, Any]], Behaviour]


@dataclass(frozen=True)
class Costs:
    """How long calls take, in seconds of virtual time: about what a quiet engine on two cores needs.

    Stopping also takes what the process takes to end. Pulls and builds cost nothing unless told: nobody knows before.
    """

    create: float = 0.01
    copy: float = 0.02
    start: float = 0.2
    stop: float = 0.1
    remove: float = 0.01
    network: float = 0.05
    drain: float = 0.02
    volume: float = 0.01
    pull: float = 0.0
    build: float = 0.0


FREE = Costs(create=0, start=0, stop=0, remove=0, network=0, drain=0, volume=0)
