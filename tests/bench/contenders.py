"""Who is measured: the raw calls (`limit`), `docker compose`, and `reconcile`, all three on the same definition.

Each has a project of its own. Nobody's stop may wait for a grace period, or the figures would say nothing about the
client: the container's stop signal is SIGKILL for all of them.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.bench import api

IMAGE = "reconciler-demo/base:1"
COMMAND = ["sleep", "infinity"]


@dataclass(frozen=True)
class Sample:
    """One run: wall and client CPU seconds, and the peak resident set in MB (0: not a process of its own)."""

    wall: float
    cpu: float = 0.0
    rss: float = 0.0


class Contender(Protocol):
    """Brings a project of N services to `VALUE=value`, from wherever it is."""

    name: str
    project: str

    def begin(self) -> None:
        """Takes a new project name: what the engine may keep of an earlier round must not be in the way."""
        ...

    def converge(self, value: str, **fields: object) -> Sample:
        """One run with these fields besides, measured."""
        ...


_rounds = itertools.count(1)


def fresh_project(name: str) -> str:
    """A project name that no other round and no other bench uses."""
    return f"reconciler-bench-{os.getpid()}-{next(_rounds)}-{name}"


CHECK = {"test": ["CMD", "true"], "interval": "500ms", "timeout": "5s", "retries": 3}
HEALTHCHECK = {"Test": ["CMD", "true"], "Interval": 500_000_000, "Timeout": 5_000_000_000, "Retries": 3}
ROLL = {"healthcheck": CHECK, "deploy": {"update_config": {"order": "start-first", "monitor": "0s"}}}


def spec(services: int, value: str, **fields: object) -> str:
    """The definition, as a Compose file (JSON is YAML): N services of one replica, without gates that Compose lacks.

    `fields` are more fields of every service, by their Compose names.
    """
    service: dict[str, object] = {
        "image": IMAGE,
        "command": COMMAND,
        "environment": {"VALUE": value},
        "stop_signal": "SIGKILL",
        "deploy": {"update_config": {"monitor": "0s"}},
        "x-reconcile": {"rollout": {"min_running": "0s"}},
        **fields,
    }
    return json.dumps({"services": {f"s{number:02d}": service for number in range(services)}}, indent=1)


def run(command: list[str]) -> Sample:
    """Runs a command to its end and measures the process with its children. Raises RuntimeError where it fails."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            tail = output.read().decode(errors="replace")[-2000:]
            message = f"{' '.join(command)}: exit code {process.returncode}\n{tail}"
            raise RuntimeError(message)
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


class Program:
    """A contender that is a command: it is given the Compose file and a project name."""

    def __init__(self, name: str, services: int, folder: Path, command: list[str]) -> None:
        self.name = name
        self.project = ""
        self._services = services
        self._file = folder / name / "compose.yaml"
        self._file.parent.mkdir()
        self._command = command

    def begin(self) -> None:
        """Takes a new project name."""
        self.project = fresh_project(self.name)

    def converge(self, value: str, **fields: object) -> Sample:
        """One run of the command on the definition with that value, and these fields besides."""
        self._file.write_text(spec(self._services, value, **fields))
        return run([part.format(file=self._file, project=self.project) for part in self._command])


class Limit:
    """Only the calls that cannot be left out, `workers` at a time, over kept connections."""

    name = "limit"

    def __init__(self, services: int, workers: int = 8) -> None:
        self.project = ""
        self._services = [f"s{number:02d}" for number in range(services)]
        self.workers = {"cold": workers, "update": workers, "roll": workers}

    def begin(self) -> None:
        """Takes a new project name."""
        self.project = fresh_project(self.name)

    def converge(self, value: str, **fields: object) -> Sample:
        """Create and start where nothing is there; create, start, stop, remove where something is, without any gate."""
        old = {row["Labels"]["com.docker.compose.service"]: row["Id"] for row in api.containers(self.project)}
        before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        if not old:
            labels = {"com.docker.compose.project": self.project}
            api.call("POST", "/networks/create", {"Name": f"{self.project}_default", "Labels": labels})
        phase = "roll" if fields else "update" if old else "cold"
        workers = self.workers[phase]

        def replace(service: str) -> None:
            self._replace(service, value, old.get(service), checked="healthcheck" in fields)

        api.in_parallel(replace, self._services, workers)
        wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
        return Sample(wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)

    def _replace(self, service: str, value: str, old: str | None, *, checked: bool) -> None:
        body = self._body(service, value, checked=checked)
        made = api.call("POST", f"/containers/create?name={self.project}-{service}-{value}", body)
        api.call("POST", f"/containers/{made['Id']}/start")
        if old:
            api.call("POST", f"/containers/{old}/stop")
            api.call("DELETE", f"/containers/{old}")

    def _body(self, service: str, value: str, *, checked: bool) -> dict[str, object]:
        network = f"{self.project}_default"
        return {
            **({"Healthcheck": HEALTHCHECK} if checked else {}),
            "Image": IMAGE,
            "Cmd": COMMAND,
            "Env": [f"VALUE={value}"],
            "StopSignal": "SIGKILL",
            "Labels": {"com.docker.compose.project": self.project, "com.docker.compose.service": service},
            "HostConfig": {"NetworkMode": network},
            "NetworkingConfig": {"EndpointsConfig": {network: {"Aliases": [service]}}},
        }


def reconcile_command() -> list[str]:
    """This program, as a user runs it."""
    return [str(Path(sys.executable).with_name("reconcile"))]


def compose_command() -> list[str]:
    """`docker compose`, or the binary that COMPOSE names; [] where there is none."""
    command = [found] if (found := os.environ.get("COMPOSE")) else ["docker", "compose"]
    absent = subprocess.run([*command, "version"], capture_output=True, check=False).returncode
    return [] if absent else command


def reconcile(services: int, folder: Path) -> Program:
    """A converge by this program."""
    return Program("reconcile", services, folder, [*reconcile_command(), "-f", "{file}", "-p", "{project}"])


def compose(services: int, folder: Path) -> Program | None:
    """`docker compose up -d --wait`, or None where there is none."""
    arguments = ["-f", "{file}", "-p", "{project}", "up", "--detach", "--wait"]
    command = compose_command()
    return Program("compose", services, folder, [*command, *arguments]) if command else None
