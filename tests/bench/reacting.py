"""How soon the running service acts on its own: after a container died, and after a spec was saved.

Alone: BENCH_ONLY=reacting. `reconcile serve` is a process of its own over a folder with one project of 30 services. The
time counts from the engine's own `die` event, or from the moment when the spec was written, until the line of the log
in which a pass says what it decided, and until the one that says the first operation has begun. Beside it stands how
long the engine itself takes to answer the inspect of a container from its `die` event on: nothing can be known before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench import api, contenders

SERVICES, LEAST = 30, 10
BARS = {"event to decision, ms": 100.0, "event to first call": None, "spec saved to first call": 400.0}
_PATIENCE = 120.0
_REST = 0.5  # seconds before each round: engine and service have nothing else to do


@dataclass(frozen=True)
class Samples:
    """Milliseconds, one for each round; `load` is the machine's over the last minute when they had been taken."""

    decided: tuple[float, ...]
    called: tuple[float, ...]
    spec: tuple[float, ...]
    inspected: tuple[float, ...]
    load: float


@dataclass(frozen=True)
class Service:
    """The running service: where its specs and its log lie. `stop` ends it and leaves its containers."""

    project: str
    spec: Path
    log: Path
    stop: Callable[[], object] = lambda: None

    def save(self, values: Mapping[int, str]) -> float:
        """Write a spec in which some services have another value; when that was."""
        document = json.loads(contenders.spec(SERVICES, "1"))
        for number, value in values.items():
            document["services"][f"s{number:02d}"]["environment"]["VALUE"] = value
        text = json.dumps({"name": self.project, **document})
        saved = time.time()
        self.spec.write_text(text)
        return saved

    def kill(self, number: int) -> float:
        """`docker kill` of a service's container; when the engine says that it died."""
        container, asked = self.container(number), time.time()
        api.call("POST", f"/containers/{container}/kill")
        for _ in range(100):
            for event in api.events(asked - 1, time.time()):
                if (event["Action"], event["Actor"]["ID"]) == ("die", container):
                    return float(event["timeNano"]) / 1e9
        raise RuntimeError(f"the engine has no event of the death of {container}")

    def container(self, number: int) -> str:
        """The id of a service's container."""
        (row,) = [row for row in api.containers(self.project) if f"-s{number:02d}-" in row["Names"][0]]
        return str(row["Id"])

    def lines(self) -> list[dict[str, Any]]:
        """Its log."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def settled_after(self, begun: int) -> list[dict[str, Any]]:
        """The lines from that one on, once there is one of a pass that found all in sync after work was done."""
        ends = time.monotonic() + _PATIENCE
        while time.monotonic() < ends:
            found = self.lines()[begun:]
            ended = next((at for at, line in enumerate(found) if line["event"] == "work ended"), len(found))
            if any(line.get("decided") == "in sync" for line in found[ended:]):
                return found
            time.sleep(0.1)
        raise RuntimeError(f"the service does not come to rest: {self.log.read_text()[-2000:]}")

    def reaction(self, act: Callable[[], float]) -> tuple[float, float]:
        """Milliseconds from what the act says until work was decided on, and until an operation began."""
        before = len(self.lines())
        time.sleep(_REST)
        happened = act()
        lines = self.settled_after(before)
        return _after(happened, lines, _decided), _after(happened, lines, _begun)


def _after(happened: float, lines: list[dict[str, Any]], wanted: Callable[[Mapping[str, Any]], bool]) -> float:
    first = next(line for line in lines if wanted(line))
    return (datetime.fromisoformat(first["timestamp"]).timestamp() - happened) * 1000


def _decided(line: Mapping[str, Any]) -> bool:
    return line["event"] == "pass" and "container." in str(line.get("decided"))


def _begun(line: Mapping[str, Any]) -> bool:
    return line["event"] == "started" and str(line.get("text")).startswith("container.")


@contextmanager
def serving() -> Iterator[Service]:
    """The service with all containers up."""
    with tempfile.TemporaryDirectory(prefix="rcb-") as folder:
        place = Path(folder)
        (place / "specs").mkdir()
        service = Service(contenders.fresh_project("reacting"), place / "specs" / "shop.yaml", place / "log")
        settings = {
            "sources": [{"directory": "specs"}],
            "state_dir": "state",
            "socket": "s.sock",
            "log": {"format": "json", "level": "debug"},
        }
        (place / "config.yaml").write_text(json.dumps(settings))
        service.save({})
        command = [sys.executable, "-m", "reconciler", "serve", "--config", str(place / "config.yaml")]
        with service.log.open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            service.settled_after(0)
            yield replace(service, stop=partial(_end, process))
        finally:
            _end(process)
            api.remove_project(service.project)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()


def measure(rounds: int) -> Samples:
    """At least ten rounds, each with another container."""
    rounds = max(rounds, LEAST)
    print(f"reacting: bringing up {SERVICES} containers", file=sys.stderr, flush=True)
    with serving() as service:
        events = [service.reaction(partial(service.kill, number)) for number in range(rounds)]
        wanted = [dict.fromkeys(range(number + 1), "2") for number in range(rounds)]
        specs = [service.reaction(partial(service.save, values)) for values in wanted]
        service.stop()
        inspected = _inspecting([service.container(number) for number in range(rounds)])
    decided, called = zip(*events, strict=True)
    return Samples(decided, called, tuple(took for _, took in specs), inspected, os.getloadavg()[0])


def _inspecting(containers: list[str]) -> tuple[float, ...]:
    """How long the engine takes until it tells of a container that has just died, nobody else asking: milliseconds."""
    found = []
    with ThreadPoolExecutor(1) as killer:  # the engine answers a kill only when all is over
        for container in containers:
            time.sleep(_REST)
            with api.following(container, "die") as events:
                killed = killer.submit(api.call, "POST", f"/containers/{container}/kill")
                events.readline()
                began = time.perf_counter()
                api.call("GET", f"/containers/{container}/json")
                found.append((time.perf_counter() - began) * 1000)
            killed.result()
    return tuple(found)


def report(samples: Samples) -> None:
    """Prints the medians, the slowest, and whether the bars are met."""
    print(f"\nreacting, {SERVICES} containers, {os.cpu_count()} cores, load {samples.load:.1f}")
    found = (samples.decided, samples.called, samples.spec)
    for (what, bar), taken in zip(BARS.items(), found, strict=True):
        verdict = "" if bar is None else f"bar {bar:<5.0f} {'met' if median(taken) <= bar else 'MISSED'} "
        print(f"{what:<26} {median(taken):>7.0f}   {verdict}(worst {max(taken):.0f}, of {len(taken)})")
    print(f"{'die to inspect, raw':<26} {median(samples.inspected):>7.0f}   (worst {max(samples.inspected):.0f})")
