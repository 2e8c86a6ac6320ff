"""`reconcile serve` on a simulated engine of this process, in real time, on which things happen that nobody asked for.

    python -m tests.soak.simulated serve -f DIR ...

The command line, the hub, the threads and the control socket are the service's own; only the connection is not to a
real engine. Each line on stdin lets one thing happen to one container: its name is a function of `outside`.
"""

from __future__ import annotations

import os
import random
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.cli.main import run
from reconciler.engine import docker
from reconciler.engine.simulated import outside
from tests.support import live

if TYPE_CHECKING:
    from reconciler.engine.simulated import SimulatedEngine
    from tests.support.live import LiveWorld

LOOK_SECONDS = 1.0  # the simulated engine's own share of an idle second stays small


def main() -> int | None:
    """The exit code of the command line."""
    live.LONGEST_LOOK = LOOK_SECONDS
    world = live.live_world()
    state = world.engine.world
    state.info = replace(state.info, id=f"soak-{os.getpid()}")
    threading.Thread(target=_heed, args=(world,), name="outside", daemon=True).start()
    docker.connect = lambda *_: live.connect(world)  # the one thing that is not the program's own
    return run(sys.argv[1:])


def _heed(world: LiveWorld) -> None:
    chance = random.Random(0)  # noqa: S311 - it chooses containers, it keeps no secret
    for line in sys.stdin:
        with world.changed() as engine:
            running = sorted(box.name for box in engine.world.containers.values() if box.status == "running")
            if running:
                _happen(engine, line.strip(), chance.choice(running))


def _happen(engine: SimulatedEngine, what: str, container: str) -> None:
    match what:
        case "rename":
            outside.rename(engine, container, f"renamed-{engine.world.made}")
        case "update":
            outside.update(engine, container, Memory=1 << 26)
        case "disconnect":
            networks = engine.inspect_container(container)["NetworkSettings"]["Networks"]
            if networks:
                outside.disconnect(engine, next(iter(networks)), container)
        case _:
            getattr(outside, what)(engine, container)


if __name__ == "__main__":
    sys.exit(main())
