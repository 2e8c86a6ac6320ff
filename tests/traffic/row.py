"""One row of the table: a project, its load, and two roll-outs under it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench import api
from tests.traffic import project, rollers
from tests.traffic.image import IMAGE, PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSIONS = ("v1", "v2", "v3")
PAUSE = 2.0  # seconds of load before, between and after the roll-outs
_rows = count(1)


@dataclass(frozen=True)
class Row:
    """What is tried: `guard` names a roll-out of `project.ROLLOUTS`, or `compose`, or `idle` (no roll-out at all)."""

    proxy: str
    app: str
    guard: str
    retries: int = 0

    @property
    def roller(self) -> rollers.Roller:
        """Who makes the first version run and rolls out the others."""
        return rollers.compose if self.guard == "compose" else rollers.reconcile

    @property
    def barred(self) -> bool:
        """Whether not one request may be lost."""
        return self.guard not in ("none", "compose")


@dataclass(frozen=True)
class Outcome:
    """What came of a row: the client's figures (seconds), or why there are none."""

    row: Row
    total: int = 0
    failed: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    failed_at: list[float] = field(default_factory=list)
    p99: float = 0.0
    longest: float = 0.0
    seconds: float = 0.0
    error: str = ""

    def missed(self, requests: int) -> str:
        """Why the row does not count as kept; empty where it does."""
        if self.error:
            return self.error
        expected = VERSIONS[:1] if self.row.guard == "idle" else VERSIONS
        if absent := [version for version in expected if not self.versions.get(version)]:
            return f"no answer from {', '.join(absent)}"
        if self.total < requests:
            return f"only {self.total} requests"
        return f"{self.failed} lost" if self.row.barred and self.failed else ""


def measure(row: Row, requests: int, rate: float) -> Outcome:
    """Runs the row in a project of its own, and removes it. A roll-out that fails is an outcome with `error`."""
    name = f"reconciler-traffic-{os.getpid()}-{next(_rows)}"
    with tempfile.TemporaryDirectory(prefix="reconciler-traffic-") as folder:
        try:
            return Outcome(row, **_measured(row, Path(folder), name, requests, rate))
        except (RuntimeError, subprocess.SubprocessError) as error:
            return Outcome(row, error=str(error))
        finally:
            api.remove_project(name)


def _measured(row: Row, folder: Path, name: str, requests: int, rate: float) -> dict[str, Any]:
    _roll(row, folder, name, VERSIONS[0], row.roller)
    with _client(name, requests, rate) as client:
        time.sleep(PAUSE)
        for version in VERSIONS[1:]:
            _roll(row, folder, name, version, rollers.nobody if row.guard == "idle" else row.roller)
            time.sleep(PAUSE)
        said, complaint = client.communicate(timeout=700)
    if client.returncode:
        raise RuntimeError(f"the client failed: {complaint[-1000:]}")
    result: dict[str, Any] = json.loads(said)
    return result


def _roll(row: Row, folder: Path, name: str, version: str, roller: rollers.Roller) -> None:
    file = project.write(folder, version, proxy=row.proxy, app=row.app, guard=row.guard, retries=row.retries)
    roller(file, name)


@contextmanager
def _client(name: str, requests: int, rate: float) -> Iterator[subprocess.Popen[str]]:
    """The load, running. Closing its standard input lets it end; leaving early removes its container."""
    container = f"{name}-client"
    program = [PYTHON, "-S", "-m", "tests.traffic.client", "edge", "8080", str(requests), str(rate)]
    command = ["docker", "run", "--rm", "--interactive", "--name", container, "--network", f"{name}_default"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, IMAGE, *program], text=True, **pipes) as client:  # type: ignore[call-overload]
        try:
            if not client.stdout.readline():
                raise RuntimeError(f"the client did not reach the proxy: {client.stderr.read()[-1000:]}")
            yield client
        finally:
            if client.poll() is None:
                subprocess.run(["docker", "rm", "--force", container], capture_output=True, check=False)
