"""One program run within bounds: of time, of what it prints, and of what a guard sees it do."""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Ended = Literal["", "time", "output", "guard"]
STDERR_KEPT = 64 * 1024
_LOOK = 0.1  # seconds between two looks of the guard
_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Bounds:
    """The `seconds` it may run, and the bytes it may print (`output`), write into one file and have as data (`memory`).

    The `guard` is asked ten times a second whether it may go on.
    """

    seconds: float
    output: int
    file: int
    memory: int
    guard: Callable[[], bool] | None = None


@dataclass(frozen=True)
class Finished:
    """How a program ended: its exit code, what it printed, and which bound ended it ("": none)."""

    code: int
    out: bytes
    err: bytes
    ended: Ended = ""

    @property
    def good(self) -> bool:
        """Whether it ended by itself, and well."""
        return self.code == 0 and not self.ended


@dataclass
class _Streams:
    """What was read of a process so far, and where it stands."""

    deadline: float
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)


def run(command: Sequence[str], environment: Mapping[str, str], folder: Path, bounds: Bounds) -> Finished:
    """The program run to its end, in a process group of its own that is killed as a whole where a bound is met.

    It has no input. OSError where it cannot be started.
    """
    process = subprocess.Popen(  # noqa: S603 - a list, and never a shell
        command,
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    _limit(process.pid, bounds)
    streams = _Streams(time.monotonic() + bounds.seconds)
    try:
        ended = _read(process, streams, bounds)
    finally:
        _end(process)
    return Finished(process.returncode, bytes(streams.out), bytes(streams.err), ended)


def _limit(pid: int, bounds: Bounds) -> None:
    """Bounds that the kernel keeps, also when this process is gone. The program may have run for a moment by now."""
    seconds = int(bounds.seconds) + 1
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_CPU, (seconds, seconds))
        resource.prlimit(pid, resource.RLIMIT_DATA, (bounds.memory, bounds.memory))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (bounds.file, bounds.file))


def _read(process: subprocess.Popen[bytes], streams: _Streams, bounds: Bounds) -> Ended:
    """Read all that it prints until it has ended, or say which bound was met first."""
    with selectors.DefaultSelector() as selector:
        for pipe, read in ((process.stdout, streams.out), (process.stderr, streams.err)):
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ, read)
        while selector.get_map():
            for key, _ in selector.select(_LOOK):
                _take(selector, key, streams)
            ended = _bound_met(streams, bounds)
            if ended:
                return ended
    try:
        process.wait(max(0.0, streams.deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return "time"
    return "guard" if bounds.guard and not bounds.guard() else ""


def _take(selector: selectors.BaseSelector, key: selectors.SelectorKey, streams: _Streams) -> None:
    data = os.read(key.fd, _CHUNK)
    if not data:
        selector.unregister(key.fileobj)
    key.data.extend(data)
    del streams.err[:-STDERR_KEPT]


def _bound_met(streams: _Streams, bounds: Bounds) -> Ended:
    if time.monotonic() > streams.deadline:
        return "time"
    if len(streams.out) > bounds.output:
        return "output"
    return "guard" if bounds.guard and not bounds.guard() else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
