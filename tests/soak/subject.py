"""One service under soak: its process and what the kernel says of it, its specs, its answers."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from reconciler.service.client import RunningService, find_service
from reconciler.service.messages import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).parents[2]
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STOP_SECONDS = 60
_PATIENCE = 120.0


@dataclass(frozen=True)
class Figures:
    """What a process uses: bytes of resident memory, threads, descriptors, seconds of CPU so far."""

    rss: int
    threads: int
    descriptors: int
    cpu: float


def figures(pid: int) -> Figures:
    """Those of a running process (proc(5))."""
    process = Path(f"/proc/{pid}")
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return Figures(
        rss=int((process / "statm").read_text().split()[1]) * _PAGE,
        threads=int(fields[17]),
        descriptors=len(list((process / "fd").iterdir())),
        cpu=(int(fields[11]) + int(fields[12])) / _TICKS,
    )


def typical(samples: list[Figures]) -> Figures:
    """The median of each figure; the CPU of the last."""
    return Figures(
        int(median(one.rss for one in samples)),
        int(median(one.threads for one in samples)),
        int(median(one.descriptors for one in samples)),
        samples[-1].cpu,
    )


@dataclass
class Specs:
    """A folder of projects, each with some services of one definition; `make` gives the fields of a service."""

    folder: Path
    projects: int
    services: int
    make: Callable[[int], dict[str, Any]]
    prefix: str
    releases: dict[tuple[int, int], int] = field(default_factory=dict)
    spoilt: set[int] = field(default_factory=set)

    def write_all(self) -> None:
        """The next release of everything."""
        for project in range(self.projects):
            for service in range(self.services):
                self._next(project, service)
            self._write(project)

    def edit(self, chance: random.Random) -> None:
        """The next release of one service; or a spec that is none, in force until its project's next edit."""
        project = chance.randrange(self.projects)
        if chance.random() < 0.1 and project not in self.spoilt:
            self.spoilt.add(project)
            self._path(project).write_text("services: {web: {imge: x}}\n")
            return
        self._next(project, chance.randrange(self.services))
        self._write(project)

    def _next(self, project: int, service: int) -> None:
        self.releases[project, service] = self.releases.get((project, service), 0) + 1

    def _write(self, project: int) -> None:
        self.spoilt.discard(project)
        services = {f"s{number}": self.make(self.releases[project, number]) for number in range(self.services)}
        whole = self._path(project).with_suffix(".tmp")
        whole.write_text(json.dumps({"name": f"{self.prefix}{project}", "services": services}, indent=1))
        whole.rename(self._path(project))

    def _path(self, project: int) -> Path:
        return self.folder / f"{self.prefix}{project}.yaml"


@dataclass
class Subject:
    """A running service. `happen` lets one thing happen to what it keeps, `pause` is the time between two of them."""

    name: str
    specs: Specs
    process: subprocess.Popen[str]
    socket: str
    log: Path
    happen: Callable[[Subject], None]
    pause: float
    due: float = 0.0
    events: int = 0

    def disturb(self, now: float) -> None:
        """Let what is due happen."""
        if now >= self.due:
            self.due = now + self.pause
            self.events += 1
            self.happen(self)

    def take(self) -> Figures:
        """What it uses now."""
        return figures(self.process.pid)

    def rollouts(self) -> dict[str, int]:
        """The number of each project's newest rollout, by the service's own word."""
        past = RunningService(self.socket).history((), (), 1)
        return {name: max((record.number for record in records), default=0) for name, records in past.projects}

    def trouble(self, before: Mapping[str, int]) -> Iterator[str]:
        """What keeps it from being in sync, with a rollout of each project after those of before."""
        service = find_service(self.socket)
        if service is None:
            yield "nobody listens at its socket"
            return
        report = service.status((), (), deep=False)
        if len(report.projects) != self.specs.projects:
            yield f"{len(report.projects)} projects instead of {self.specs.projects}"
        yield from (f"{error.source}: {error.message}" for error in report.errors)
        yield from (f"{project.name} is not in sync" for project in report.projects if not project.in_sync)
        yield from (
            f"{name} has seen no rollout" for name, last in self.rollouts().items() if last <= before.get(name, 0)
        )

    def wait_in_sync(self, before: Mapping[str, int]) -> str:
        """Until nothing is in `trouble`; what still is after a long time."""
        until = time.monotonic() + _PATIENCE
        while trouble := list(self._trouble(before)):
            if self.process.poll() is not None:
                return f"it has ended with {self.process.returncode}"
            if time.monotonic() > until:
                return f"{len(trouble)} troubles, the first: {trouble[0]}"
            time.sleep(1)
        return ""

    def _trouble(self, before: Mapping[str, int]) -> Iterator[str]:
        try:
            yield from self.trouble(before)
        except ServiceError as error:
            yield str(error)

    def end(self) -> str:
        """SIGTERM; what is wrong with how it ends."""
        self.process.terminate()
        try:
            code = self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return f"still there {_STOP_SECONDS} s after SIGTERM"
        return "" if code == 0 else f"exit {code}"


def start(module: str, folder: Path) -> tuple[subprocess.Popen[str], str, Path]:
    """`serve` of the program's module on a folder's `specs`: the process, its socket and its log."""
    socket, log = str(folder / "socket"), folder / "log"
    words = ("--socket", socket, "--state-dir", str(folder / "state"), "--log-format", "json")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("RECONCILER_", "COMPOSE_"))}
    with log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "serve", "-f", str(folder / "specs"), *words],
            env={**kept, "PYTHONPATH": str(ROOT), "MALLOC_ARENA_MAX": "2"},  # as unit and image have it
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            text=True,
        )
    return process, socket, log
