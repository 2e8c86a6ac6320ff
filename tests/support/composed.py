"""What `docker compose` leaves on a simulated engine: its names and labels, and nothing of ours.

A project that the program made, stripped of what the program adds, is one that Compose made: the containers are the
same otherwise, which the suites on real engines show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.store import Store

if TYPE_CHECKING:
    from tests.support.world import World

PREFIX = "io.reconciler."
COMPOSE = "com.docker.compose."


def compose_up(world: World, text: str, name: str = "shop") -> None:
    """Run what this spec asks for as `docker compose up` would have; nothing of it is remembered."""
    assert world.converge(world.project(text, name)).succeeded
    for box in world.engine.world.containers.values():
        own = box.document["Config"].get("Labels") or {}
        if own.get(f"{PREFIX}project") == name:
            given = f"{name}-{own[f'{PREFIX}service']}-{own[f'{PREFIX}slot']}"
            box.document["Name"] = "/" + own.get(f"{PREFIX}name", given)
            box.document["Config"]["Labels"] = _without_ours(own)
    for wire in world.engine.world.networks.values():
        wire.document["Labels"] = _without_ours(wire.document.get("Labels") or {})
    for volume in world.engine.world.volumes.values():
        volume["Labels"] = _without_ours(volume.get("Labels") or {})
    world.store.close()
    world.store = Store.in_memory()


def one_off(world: World, service: str, project: str = "shop") -> str:
    """Start what `docker compose run` starts; its id."""
    return _add(world, f"{project}-{service}-run-0123456789ab", project, service, 1, oneoff="True")


def leftover(world: World, service: str, number: int, project: str = "shop") -> str:
    """What a failed `docker compose up` leaves: made to replace a replica, never started; its id."""
    name = f"0123456789ab_{project}-{service}-{number}"
    body = _body(project, service, number, replace=f"{project}-{service}-{number}")
    return str(world.engine.create_container(name, body))


def replica(world: World, service: str, number: int, project: str = "shop", **labels: str) -> str:
    """Another replica, started; its id."""
    return _add(world, f"{project}-{service}-{number}", project, service, number, **labels)


def _add(world: World, name: str, project: str, service: str, number: int, **labels: str) -> str:
    container = world.engine.create_container(name, _body(project, service, number, **labels))
    world.engine.start_container(container)
    return str(container)


def _body(project: str, service: str, number: int, **labels: str) -> dict[str, Any]:
    own = {"project": project, "service": service, "container-number": str(number), "oneoff": "False", **labels}
    return {"Image": "example/web:1.0", "Labels": {COMPOSE + key: value for key, value in own.items()}}


def _without_ours(labels: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if not key.startswith(PREFIX)}
