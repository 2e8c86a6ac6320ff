"""Going back where a literal name had to be freed first: the old container is made again, as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.engine.simulated import Behaviour
from reconciler.errors import EngineError
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SPEC = """
services:
  web:
    image: example/web:1.0
    container_name: the-web
    hostname: {hostname}
    environment: {{V: "{version}"}}
    networks:
      front: {{aliases: [shopfront]}}
      back: {{ipv4_address: 10.9.0.7}}
    volumes: [/cache]
networks:
  front: {{}}
  back: {{ipam: {{config: [{{subnet: 10.9.0.0/24}}]}}}}
"""


def bad_two(_image: str, config: Mapping[str, Any]) -> Behaviour:
    return Behaviour(exit_after=0.1, exit_code=9) if "V=2" in (config.get("Env") or []) else Behaviour()


def shape(world: World) -> dict[str, Any]:
    """What makes the container what it is, ids aside."""
    found = world.engine.inspect_container("the-web")
    networks = found["NetworkSettings"]["Networks"]
    return {
        "env": found["Config"]["Env"],
        "hostname": found["Config"]["Hostname"],
        "labels": found["Config"]["Labels"],
        "cache": [mount["Name"] for mount in found["Mounts"]],
        "aliases": {name: set(one["Aliases"]) - {found["Id"][:12]} for name, one in networks.items()},
        "address": networks["shop_back"]["IPAddress"],
        "state": found["State"]["Status"],
    }


def test_a_bad_version_under_a_literal_name_is_undone(tmp_path: Path) -> None:
    """Same definition, networks, addresses and anonymous volume; the run fails and says why."""
    world = World(tmp_path)
    world.behaviours = bad_two
    assert world.converge(world.project(SPEC.format(version=1, hostname="web"))).succeeded
    before = shape(world)
    report = world.converge(world.project(SPEC.format(version=2, hostname="web")))
    assert [failure.reason for failure in report.failures] == ["Exited"]
    assert shape(world) == before
    assert world.converge(world.project(SPEC.format(version=3, hostname="web"))).succeeded


def test_a_new_container_that_cannot_be_created_is_undone_too(tmp_path: Path) -> None:
    """Where even the create fails, the old one comes back."""
    world = World(tmp_path)
    assert world.converge(world.project(SPEC.format(version=1, hostname="web"))).succeeded
    before = shape(world)

    def refuse(call: Any, moment: str) -> Exception | None:
        new = call.name == "create_container" and "V=2" in call.args[1]["Env"]
        return EngineError("no space left on device", status=500) if new and moment == "before" else None

    world.engine.fault = refuse
    assert not world.converge(world.project(SPEC.format(version=2, hostname="web"))).succeeded
    assert shape(world) == before
