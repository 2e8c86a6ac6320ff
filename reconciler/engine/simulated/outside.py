"""What somebody else does to an engine behind the controller's back: `docker pause`, `kill`, `rm -f` and the like.

For simulations and tests only: the controller's own verbs are the protocol's.
"""

from __future__ import annotations

from typing import Any

from reconciler.engine.simulated import attachments, endpoints, health, layers, lifecycle
from reconciler.engine.simulated.containers import discard
from reconciler.engine.simulated.engine import SimulatedEngine
from reconciler.engine.simulated.state import (
    CONFLICT,
    LIVE,
    OCCUPIED,
    find_container,
    named_container,
    refusal,
)
from reconciler.engine.times import ZERO_TIME

_KILLED = 137


def pause(engine: SimulatedEngine, container: str) -> None:
    """`docker pause`: the process freezes; its health check counts as unhealthy."""
    box, now = find_container(engine.world, container), engine.clock.now()
    if box.status != "running":
        raise refusal(CONFLICT, f"Container {box.id} is not running")
    health.end(box)
    box.remaining = None if box.exit_at is None else box.exit_at - now
    box.clear_timers()
    box.state.update(Status="paused", Paused=True)
    engine.world.log(now, "pause", box)


def unpause(engine: SimulatedEngine, container: str) -> None:
    """`docker unpause`: it goes on where it stopped."""
    box, now = find_container(engine.world, container), engine.clock.now()
    if box.status != "paused":
        raise refusal(CONFLICT, f"Container {box.id} is not paused")
    box.state.update(Status="running", Paused=False)
    box.exit_at = None if box.remaining is None else now + box.remaining
    health.arm(engine.world, box, now)
    engine.world.log(now, "unpause", box)


def die(engine: SimulatedEngine, container: str, code: int = _KILLED) -> None:
    """The process ends, as if it crashed: the restart policy applies."""
    box = find_container(engine.world, container)
    if box.status in OCCUPIED:
        lifecycle.end_process(engine.world, box, engine.clock.now(), code)


def kill(engine: SimulatedEngine, container: str) -> None:
    """`docker kill`: the process ends at once, and no policy restarts it."""
    box = find_container(engine.world, container)
    if box.status not in OCCUPIED:
        raise refusal(CONFLICT, f"Cannot kill container: {container}: Container {box.id} is not running")
    box.stopped_by_hand = True
    lifecycle.end_process(engine.world, box, engine.clock.now(), _KILLED)


def remove(engine: SimulatedEngine, container: str) -> None:
    """`docker rm -f`."""
    box, now = find_container(engine.world, container), engine.clock.now()
    endpoints.leave_all(box)
    discard(engine.world, box, now)


def rename(engine: SimulatedEngine, container: str, name: str) -> None:
    """`docker rename`; 409 where the name is taken."""
    box = find_container(engine.world, container)
    if named_container(engine.world, name):
        raise refusal(
            CONFLICT, f'Error when allocating new name: Conflict. The container name "/{name}" is already in use'
        )
    box.document["Name"] = f"/{name}"
    engine.world.log(engine.clock.now(), "rename", box)


def connect(engine: SimulatedEngine, network: str, container: str, **endpoint: Any) -> None:
    """`docker network connect`."""
    attachments.connect(engine.world, network, container, endpoint)


def disconnect(engine: SimulatedEngine, network: str, container: str) -> None:
    """`docker network disconnect`."""
    attachments.disconnect(engine.world, network, container)


def update(engine: SimulatedEngine, container: str, **host_config: Any) -> None:
    """`docker update`: resources and restart policy, changed in place, as HostConfig has them (`Memory=1 << 26`)."""
    box = find_container(engine.world, container)
    box.document["HostConfig"].update(host_config)
    engine.world.log(engine.clock.now(), "update", box)


def write(engine: SimulatedEngine, container: str, path: str) -> None:
    """`docker exec` of something that makes a file in the writable layer."""
    layers.write(find_container(engine.world, container), path)


def fill(engine: SimulatedEngine, volume: str, size: int) -> None:
    """What containers have written to a volume, in bytes."""
    engine.world.volume_sizes[volume] = size


def restart_engine(engine: SimulatedEngine) -> None:
    """The engine goes down and comes up: processes end, then containers start whose policy says so.

    `always` also starts one that was stopped by hand; `unless-stopped` does not.
    """
    world, now = engine.world, engine.clock.now()
    before = {box.id for box in world.containers.values() if box.status in LIVE}
    for box in [box for box in world.containers.values() if box.id in before]:
        lifecycle.halt(world, box, now)
    for box in world.containers.values():
        policy = (box.document["HostConfig"].get("RestartPolicy") or {}).get("Name")
        started = box.state["StartedAt"] != ZERO_TIME
        if started and (policy == "always" or (box.id in before and policy in {"unless-stopped", "on-failure"})):
            lifecycle.start_container(world, box.id)
