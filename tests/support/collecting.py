"""Versions deployed on a simulated engine, and what a pass over their images says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.collecting import Collected
    from reconciler.model.project import Project
    from tests.support.world import World

DAY = 24 * 3600.0
WEB = """
services:
  web:
    image: example/web:{}
    x-reconcile: {{rollout: {{min_running: 0s}}}}
    deploy: {{update_config: {{monitor: 0s}}}}
"""
BUILT = """
services:
  web:
    build: {{context: ., dockerfile_inline: "FROM scratch\\nLABEL v={}"}}
    x-reconcile: {{rollout: {{min_running: 0s}}}}
    deploy: {{update_config: {{monitor: 0s}}}}
"""


def deploy(world: World, *versions: int, text: str = WEB, name: str = "shop") -> Project:
    """The project as it stands after these versions, one after the other; each gets layers of its own."""
    project = world.project("services: {}\n", name)
    for version in versions:
        project = world.project(text.format(version), name)
        assert world.converge(project).succeeded
        for picture in world.engine.world.images.values():
            picture.document.setdefault("RootFS", {"Layers": [picture.document["Id"]]})
    return project


def later(world: World, seconds: float = DAY) -> World:
    world.engine.advance_to(world.clock.now() + seconds)
    return world


def gone(found: Collected) -> list[str]:
    """The first names of the images that went."""
    return [verdict.names[0] for verdict in found.verdicts if verdict.goes]


def reasons(found: Collected) -> dict[str, str]:
    """Why the others stay, by their first names."""
    return {verdict.names[0]: verdict.reason for verdict in found.verdicts if not verdict.goes}


def local(world: World) -> set[str]:
    """The tags that the engine has."""
    return {tag for row in world.engine.list_images() for tag in row["RepoTags"] or ()}


def removals(world: World) -> list[Any]:
    return [call.args[0] for call in world.engine.calls if call.name == "remove_image"]
