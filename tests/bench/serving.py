"""What a long-lived process pays for 500 containers: a look at the lists, a pass, a pass that inspects all, memory.

Alone: BENCH_ONLY=serving. One project of 10 services by 50 replicas, made through the raw API of what the program's own
forecast says, so that it is in sync. 30 of them run; to the process that is measured all the others look as if they
did, for 500 running ones would leave nothing of this machine to measure on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time, time
from typing import TYPE_CHECKING, Any, cast

from tests.bench import api, contenders

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.engine.protocol import Engine
    from reconciler.hub import EngineHub
    from reconciler.model.project import Project
    from reconciler.session import Session

SERVICES, REPLICAS, RUNNING = 10, 50, 30
BARS = {"look, CPU ms": 60.0, "pass, wall ms": 100.0, "full pass, wall ms": 400.0, "RSS, MB": 120.0}
_STARTED = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Figures:
    """Milliseconds, medians of the rounds; `rss` in MB, after all of them."""

    look_cpu: float
    look_wall: float
    pass_cpu: float
    pass_wall: float
    full_cpu: float
    full_wall: float
    rss: float


class Upright:
    """The engine, on which whatever was created and not started looks as if it ran."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        """Any other call, as it is."""
        return getattr(self._engine, name)

    def clone(self) -> Engine:
        """Another connection."""
        return cast("Engine", Upright(self._engine.clone()))

    def list_containers(self) -> list[dict[str, Any]]:
        """All rows."""
        rows = self._engine.list_containers()
        for row in rows:
            if row["State"] == "created":
                row.update(State="running", Status="Up 3 hours (healthy)")
        return rows

    def inspect_container(self, container: str) -> dict[str, Any]:
        """The inspect document."""
        document = self._engine.inspect_container(container)
        if document["State"]["Status"] == "created":
            document["State"].update(Status="running", Running=True, StartedAt=_STARTED)
            document["State"]["Health"] = {"Status": "healthy", "FailingStreak": 0, "Log": []}
        return document


def spec() -> str:
    """The definition."""
    service = {
        "image": contenders.IMAGE,
        "command": contenders.COMMAND,
        "environment": {f"SETTING_{number}": f"value {number}" for number in range(12)},
        "labels": {f"com.example.label-{number}": f"value {number}" for number in range(4)},
        "healthcheck": {**contenders.CHECK, "interval": "30s"},
        "stop_signal": "SIGKILL",
        "restart": "unless-stopped",
        "deploy": {"replicas": REPLICAS, "resources": {"limits": {"memory": "64m"}}},
    }
    return json.dumps({"services": {f"s{number:02d}": service for number in range(SERVICES)}})


def _project(folder: Path, name: str) -> Project:
    from reconciler.loading import Selection, load_specs

    selection = Selection(str(folder), (str(folder / "compose.yaml"),), name)
    return load_specs(selection, {}).projects[0]


def _opened(name: str, state: Path) -> tuple[EngineHub, Session]:
    from reconciler.engine.docker import connect
    from reconciler.hub import EngineHub
    from reconciler.lock import project_lock
    from reconciler.session import Session
    from reconciler.store import Store

    engine = connect()
    offset = engine.info().clock_offset
    hub = EngineHub(cast("Engine", Upright(engine)), lambda: time() + offset)
    hub.start()
    return hub, Session(hub.engine, hub.executor(name), project_lock, "default", Store.open(state))


def _make(project: Project, state: Path) -> None:
    """Make through the raw API what a converge would."""
    hub, session = _opened(project.name, state)
    operations = session.forecast(project).report.operations
    hub.close(wait=True)
    for operation in operations:
        if operation.kind == "network.create":
            body = {**operation.payload["body"], "Name": operation.payload["name"]}
            api.call("POST", "/networks/create", body)
    creates = {item.payload["name"]: item.payload["body"] for item in operations if item.kind == "container.create"}

    def create(name: str) -> None:
        api.call("POST", f"/containers/create?name={name}", json.loads(json.dumps(creates[name], default=dict)))

    api.in_parallel(create, creates, 8)
    api.in_parallel(lambda name: api.call("POST", f"/containers/{name}/start"), sorted(creates)[:RUNNING], 4)


def _timed(call: Callable[[], object], rounds: int) -> tuple[float, float]:
    """CPU of all threads and wall, median milliseconds."""
    samples = []
    for _ in range(rounds):
        cpu, wall = process_time(), perf_counter()
        call()
        samples.append((process_time() - cpu, perf_counter() - wall))
    return median(cpu for cpu, _ in samples) * 1000, median(wall for _, wall in samples) * 1000


def _one_pass(session: Session, project: Project, *, full: bool) -> None:
    with session.prepare(project, full=full) as forecast:
        assert forecast.report.in_sync, forecast.report
        session.carry_out(forecast, lambda _: None, lambda: False, None)


def hold(folder: Path, name: str, rounds: int) -> Figures:
    """The figures of this process, which holds the project in a session."""
    hub, session = _opened(name, folder / "state")
    project = _project(folder, name)
    _one_pass(session, project, full=True)
    hub.look()
    look = _timed(hub.look, rounds)
    idle = _timed(lambda: _one_pass(session, project, full=False), rounds)
    full = _timed(lambda: _one_pass(session, project, full=True), rounds)
    rss = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    hub.close(wait=True)
    return Figures(*look, *idle, *full, int(rss.split()[1]) / 1024)


def measure(rounds: int) -> Figures:
    """Makes the containers, measures in a process of its own, removes them."""
    name = contenders.fresh_project("serving")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "compose.yaml").write_text(spec())
        print(f"serving: making {SERVICES * REPLICAS} containers", file=sys.stderr, flush=True)
        try:
            _make(_project(Path(folder), name), Path(folder, "state"))
            command = [sys.executable, "-m", "tests.bench.serving", folder, name, str(rounds)]
            found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        finally:
            api.remove_project(name)
    return Figures(**json.loads(found))


def report(figures: Figures) -> None:
    """Prints the figures and whether the bars are met."""
    print(f"\nserving {SERVICES * REPLICAS} containers of one project in sync, {os.cpu_count()} cores")
    print(f"look {figures.look_cpu:.0f} ms CPU, {figures.look_wall:.0f} ms wall", end="; ")
    print(f"pass {figures.pass_cpu:.0f} and {figures.pass_wall:.0f}", end="; ")
    print(f"full pass {figures.full_cpu:.0f} and {figures.full_wall:.0f}")
    values = (figures.look_cpu, figures.pass_wall, figures.full_wall, figures.rss)
    for (what, bar), value in zip(BARS.items(), values, strict=True):
        print(f"{what:<26} {value:>7.0f}   bar {bar:<5.0f} {'met' if value <= bar else 'MISSED'}")


if __name__ == "__main__":
    print(json.dumps(asdict(hold(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))))
