"""The two services: 200 services on a simulated engine, 30 containers on the real one."""

from __future__ import annotations

import contextlib
import os
import random
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.soak.subject import Specs, Subject, start

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = {"rollout": {"min_running": "500ms", "settle": "0s"}}
DEPLOY = {"update_config": {"monitor": "500ms"}, "rollback_config": {"monitor": "500ms"}}
SIMULATED = ("die", "die", "kill", "remove", "pause", "rename", "update", "disconnect")
REAL = ("kill", "kill", "remove", "pause", "rename", "update")
EDITS = 0.2
LOCKS = Path("/run/lock")


@contextlib.contextmanager
def simulated(folder: Path) -> Iterator[Subject]:
    """20 projects of 10 services; something happens twice a second."""
    prefix = f"soak{uuid.uuid4().hex[:6]}"
    specs = _specs(folder, 20, 10, prefix, lambda release: {**_common(release), "image": "example/soak:1"})
    process, socket, log = start("tests.soak.simulated", folder)
    chance = random.Random(1)  # noqa: S311 - it chooses what happens, it keeps no secret

    def happen(subject: Subject) -> None:
        if chance.random() < EDITS:
            subject.specs.edit(chance)
            return
        assert process.stdin
        process.stdin.write(f"{chance.choice(SIMULATED)}\n")
        process.stdin.flush()

    with _ended(Subject("simulated, 200 services", specs, process, socket, log, happen, 0.5)) as subject:
        yield subject


@contextlib.contextmanager
def real(folder: Path) -> Iterator[Subject]:
    """5 projects of 3 services of 2 replicas on the default engine; something happens every two seconds."""
    from docker import APIClient

    prefix = f"soak{uuid.uuid4().hex[:6]}"
    specs = _specs(folder, 5, 3, prefix, _sleeper)
    api = APIClient(base_url=os.environ.get("DOCKER_HOST"), version="auto")
    process, socket, log = start("reconciler", folder)
    chance = random.Random(2)  # noqa: S311 - as above

    def happen(subject: Subject) -> None:
        if chance.random() < EDITS:
            subject.specs.edit(chance)
            return
        running = [row["Id"] for row in _ours(api, prefix) if row["State"] == "running"]
        if running:
            _happen(api, chance.choice(REAL), chance.choice(running))

    try:
        with _ended(Subject("real, 30 containers", specs, process, socket, log, happen, 2.0)) as subject:
            yield subject
    finally:
        _sweep(api, prefix)
        api.close()


def _specs(folder: Path, projects: int, services: int, prefix: str, make: Any) -> Specs:
    (folder / "specs").mkdir(parents=True)
    specs = Specs(folder / "specs", projects, services, make, prefix)
    specs.write_all()
    return specs


def _common(release: int) -> dict[str, Any]:
    return {"environment": {"RELEASE": str(release)}, "deploy": dict(DEPLOY), "x-reconcile": QUICK}


def _sleeper(release: int) -> dict[str, Any]:
    common = _common(release)
    return {
        **common,
        "image": "reconciler-demo/base:1",
        "command": ["sleep", "86400"],
        "stop_signal": "SIGKILL",
        "deploy": {**common["deploy"], "replicas": 2},
    }


@contextlib.contextmanager
def _ended(subject: Subject) -> Iterator[Subject]:
    try:
        yield subject
    finally:
        if subject.process.poll() is None:
            subject.end()
        for lock in LOCKS.glob(f"reconciler-*-{subject.specs.prefix}*.lock"):
            lock.unlink()


def _happen(api: Any, what: str, container: str) -> None:
    """What people do on a host; somebody else may have been faster."""
    from docker.errors import APIError

    with contextlib.suppress(APIError):
        match what:
            case "remove":
                api.remove_container(container, force=True, v=True)
            case "rename":
                api.rename(container, f"renamed-{uuid.uuid4().hex[:8]}")
            case "update":
                api.update_container(container, mem_limit="64m", memswap_limit="64m")
            case _:
                getattr(api, what)(container)


def _ours(api: Any, prefix: str) -> list[dict[str, Any]]:
    found = api.containers(all=True, filters={"label": "io.reconciler.project"})
    return [row for row in found if row["Labels"]["io.reconciler.project"].startswith(prefix)]


def _sweep(api: Any, prefix: str) -> None:
    for row in _ours(api, prefix):
        api.remove_container(row["Id"], force=True, v=True)
    for network in api.networks(filters={"label": "io.reconciler.project"}):
        if network["Labels"]["io.reconciler.project"].startswith(prefix):
            api.remove_network(network["Id"])
