"""Properties of what bounds the loop: suspensions, and a memory that forgets, over random projects and drift."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.observed import Observed
from reconciler.model.project import Project
from reconciler.model.step import Step
from reconciler.model.tidying import known_services, tidied
from reconciler.observer import Observer
from reconciler.planner.plan import plan
from tests.simulation.test_planner_properties import (
    DRIFTS,
    SEVERAL,
    converge_until_cut_off,
    drift,
    make_world,
    projects,
)
from tests.support.world import World

MANY = settings(SEVERAL, max_examples=20)


def seen(world: World, project: Project, memory: Memory) -> Observed:
    """The engine as a pass reads it."""
    gather = world.session()._executor.gather  # as a session does
    observer = Observer(
        world.engine, world.engine.info(), project, "default", gather, world.clock.now, lambda: memory.made, {}
    )
    observer.resync()
    return observer.observed()


def lives(world: World, service: str) -> list[tuple[str, str]]:
    """Each container of a service, and since when it is as it is."""
    rows = [row for row in world.rows() if row["Labels"]["io.reconciler.service"] == service]
    inspected = (world.engine.inspect_container(row["Id"]) for row in rows)
    return [(raw["Id"], repr(raw["State"])) for raw in inspected]


@MANY
@given(projects(), projects(), DRIFTS, st.data())
def test_nothing_is_done_to_what_is_suspended(
    first: Project, second: Project, drifts: list[tuple[str, int]], data: st.DataObject
) -> None:
    """Whatever changes and whatever happens: its containers stay as they are, and nobody fails for it."""
    world = make_world()
    assert world.converge(first).succeeded
    drift(world, drifts)
    name = data.draw(st.sampled_from([item.name for item in (*first.services, *second.services)]))
    world.session().suspend("shop", name, "", "alice")
    before = lives(world, name)
    report = world.converge(second)
    assert lives(world, name) == before
    assert not [item for item in report.operations if item.service == name and item.kind.startswith("container")]
    assert not [item for item in report.conditions if item.stalls and item.service == name]
    world.session().resume("shop", name, "alice")
    assert world.converge(second).succeeded
    assert world.plan(second).operations == ()


@MANY
@given(projects(), projects(), DRIFTS)
def test_a_suspended_project_stands_still(first: Project, second: Project, drifts: list[tuple[str, int]]) -> None:
    """Not one call changes anything, and a later resume ends where an undisturbed run does."""
    world = make_world()
    assert world.converge(first).succeeded
    drift(world, drifts)
    calls = len(world.engine.calls)
    world.session().suspend("shop", None, "", "alice")
    assert world.converge(second).succeeded
    assert len(world.engine.calls) == calls
    world.session().resume("shop", None, "alice")
    assert world.converge(second).succeeded
    assert world.plan(second).operations == ()


@MANY
@given(projects(), projects(), DRIFTS, st.integers(0, 60))
def test_what_memory_forgets_changes_no_decision(
    first: Project, second: Project, drifts: list[tuple[str, int]], at: int
) -> None:
    """Also of a run that was cut off in the middle: the next pass decides the same without it."""
    world = make_world()
    world.converge(first)
    converge_until_cut_off(world, second, at, "after")
    drift(world, drifts)
    memory = world.memory()
    found = seen(world, second, memory)
    desired = Desired(second, hash_key=world.engine.info().id)

    def step(known: Memory) -> Step:
        quarantined = frozenset(known.failures)
        known = replace(known, quarantined=quarantined, earlier=known.attempted)
        return plan(desired, found, known, world.clock.now())

    assert step(tidied(memory, second, found, known_services(second, found))) == step(memory)
