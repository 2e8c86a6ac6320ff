"""What the classic builder left of each step goes with what was built, and nothing that is an image of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.collecting import BUILT, WEB, deploy, gone, later, removals
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, state=tmp_path / "state")
    yield world
    world.close()


def test_the_steps_of_a_classic_build_go_with_it(world: World) -> None:
    """They have no names, and what was built on them is gone; one that somebody named ends the row."""
    project = deploy(world, 1, 2, 3, text=BUILT)
    oldest = _oldest_build(world)
    steps = [_step(world, f"step-{letter}") for letter in "cba"]
    for child, parent in zip([oldest, *steps], steps, strict=False):
        world.engine.world.images[child].document["Parent"] = parent
    world.engine.world.images[steps[2]].document["RepoTags"] = ["mine:1"]
    assert len(gone(later(world).collect(project))) == 1
    assert [step in world.engine.world.images for step in steps] == [False, False, True]


def test_a_step_that_a_container_uses_ends_the_row(world: World) -> None:
    """The engine refuses to remove it, which is no failure."""
    project = deploy(world, 1, 2, 3, text=BUILT)
    first, second = _step(world, "one"), _step(world, "two")
    world.engine.world.images[_oldest_build(world)].document["Parent"] = first
    world.engine.world.images[first].document["Parent"] = second
    world.engine.create_container("debug", {"Image": first})
    found = later(world).collect(project)
    assert (len(gone(found)), found.errors) == (1, ())
    assert {first, second} <= world.engine.world.images.keys()
    assert removals(world)[-1] == first


def test_a_step_that_is_labelled_keep_stays(world: World) -> None:
    """As any image that is."""
    project = deploy(world, 1, 2, 3, text=BUILT)
    step = _step(world, "one")
    world.engine.world.images[_oldest_build(world)].document["Parent"] = step
    world.engine.world.images[step].document["Config"]["Labels"] = {"io.reconciler.keep": "1"}
    assert len(gone(later(world).collect(project))) == 1
    assert step in world.engine.world.images


@pytest.mark.parametrize("why", ["base", "rollback"])
def test_a_step_that_is_an_image_of_its_own_stays(world: World, why: str) -> None:
    """What the build started from, and what a service can go back to, have no name once another image has taken it."""
    other = world.project(WEB.format(1), "other")
    assert world.converge(other).succeeded
    nameless = world.engine.world.images[world.engine.inspect_image("example/web:1")["Id"]]
    project = deploy(world, 1, 2, 3, text=BUILT)
    oldest, step = _oldest_build(world), nameless.document["Id"] if why == "rollback" else _step(world, "base")
    if why == "rollback":
        assert world.converge(world.project("services: {}\nx-reconcile: {allow_empty: true}\n", "other")).succeeded
        nameless.document.update(RepoTags=[], RepoDigests=[])
        nameless.retagged = True
    else:
        found = {"io.reconciler.build-bases": json.dumps({"base:1": step})}
        world.engine.world.images[oldest].document["Config"]["Labels"] |= found
    world.engine.world.images[oldest].document["Parent"] = step
    assert len(gone(later(world).collect(project))) == 1
    assert step in world.engine.world.images


def test_what_a_pulled_image_was_built_on_is_not_ours(world: World) -> None:
    """Only the steps of builds that carry our key are."""
    project = deploy(world, 1, 2, 3)
    step = _step(world, "one")
    world.engine.world.images[world.engine.inspect_image("example/web:1")["Id"]].document["Parent"] = step
    assert gone(later(world).collect(project)) == ["example/web:1"]
    assert step in world.engine.world.images


def _oldest_build(world: World) -> str:
    """The id of the first image, labelled as a real builder labels it."""
    known = world.memory().images
    oldest = min(known, key=lambda key: known[key].first_seen)
    world.engine.world.images[oldest].document["Config"]["Labels"] = {"io.reconciler.build-key": "0" * 64}
    return oldest


def _step(world: World, content: str) -> str:
    """The id of a nameless image."""
    world.engine.pull_image(f"example/step:{content}", None, lambda _line: None)
    found = world.engine.world.images[world.engine.inspect_image(f"example/step:{content}")["Id"]]
    found.document.update(RepoTags=[], RepoDigests=[])
    found.retagged = True
    return str(found.document["Id"])
