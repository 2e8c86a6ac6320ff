"""Superseded images are removed, and nothing else: whole programs on a simulated engine."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reconciler.engine.simulated import Call, Moment, outside
from reconciler.errors import EngineError, EngineUnreachableError, LockedError
from reconciler.explaining import RollbackError
from reconciler.model.ledger import Deployed
from reconciler.model.observed import RegistryAnswer
from tests.support.collecting import BUILT, WEB, deploy, gone, later, local, reasons, removals
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, state=tmp_path / "state")
    yield world
    world.close()


def test_all_but_the_last_two_stable_versions_go(world: World) -> None:
    """A day after they were replaced, under all their names, and never before."""
    project = deploy(world, 1, 2, 3, 4)
    assert gone(world.collect(project)) == []
    found = later(world).collect(project)
    assert gone(found) == ["example/web:1", "example/web:2"]
    assert reasons(found) == {
        "example/web:3": "web (shop) can go back to it",
        "example/web:4": "container shop-web-1-" + _rollout(world) + " uses it (running)",
    }
    assert local(world) == {"example/web:3", "example/web:4"}
    assert found.errors == ()
    assert {entry.last_used is None for entry in world.memory().images.values()} == {True, False}
    assert set(world.memory().images) == {row["Id"] for row in world.engine.list_images()}


def _rollout(world: World) -> str:
    return str(world.rows()[0]["Labels"]["io.reconciler.rollout"])


def test_a_dry_run_says_the_same_and_does_nothing(world: World) -> None:
    """No call that changes anything, and no entry of the ledger."""
    project = deploy(later(world), 1, 2, 3)
    later(world)
    before, memory = len(world.engine.calls), world.memory()
    found = world.collect(project, dry_run=True)
    assert gone(found) == ["example/web:1"]
    assert found.dry_run
    assert (len(world.engine.calls), world.memory()) == (before, memory)
    assert gone(world.collect(project)) == gone(found)


def test_a_second_pass_finds_nothing(world: World) -> None:
    """What is gone is in no ledger any more."""
    project = deploy(world, 1, 2, 3)
    assert gone(later(world).collect(project)) == ["example/web:1"]
    calls = len(world.engine.calls)
    assert gone(world.collect(project)) == []
    assert len(world.engine.calls) == calls


def test_builds_go_by_their_tags(world: World) -> None:
    """Each build is an image of its own under a tag that is never moved."""
    project = deploy(world, 1, 2, 3, text=BUILT)
    found = later(world).collect(project)
    assert [name.partition(":bk-")[0] for name in gone(found)] == ["shop-web"]
    assert len(world.engine.list_images()) == 2


def test_an_image_whose_tag_has_moved_goes_by_its_digest(world: World) -> None:
    """The spec's tag stays the same while the registry has one image after the other."""
    text = WEB.format(1).replace("x-reconcile", "pull_policy: always\n    x-reconcile")
    project = world.project(text)
    for version in (1, 2, 3):
        world.engine.world.registry = {"example/web:1": RegistryAnswer(f"sha256:{version:064x}")}
        assert world.converge(project).succeeded
    assert gone(later(world).collect(project)) == [f"example/web@sha256:{1:064x}"]
    assert local(world) == {"example/web:1"}


def test_a_stopped_container_and_somebody_elses_keep_their_images(world: World) -> None:
    """Also one that was only created."""
    project = deploy(world, 1, 2, 3, 4, 5)
    made = world.engine.create_container("theirs", {"Image": "example/web:1"})
    world.engine.start_container(made)
    outside.kill(world.engine, made)
    world.engine.create_container("new", {"Image": "example/web:2"})
    found = later(world).collect(project)
    assert gone(found) == ["example/web:3"]
    assert reasons(found)["example/web:1"] == "container theirs uses it (exited)"
    assert reasons(found)["example/web:2"] == "container new uses it (created)"


def test_an_image_that_gets_a_container_at_the_last_moment_stays(world: World) -> None:
    """Between the decision and the removal: found when everything is read again, or refused by the engine."""
    project = deploy(world, 1, 2, 3, 4)
    later(world)
    reads = 0

    def create_while_it_is_read_again(call: Call, moment: Moment) -> None:
        nonlocal reads
        reads += call == Call("list_images") and moment == "before"
        if reads == 2:
            world.engine.fault = None
            world.engine.create_container("late", {"Image": "example/web:1"})

    world.engine.fault = create_while_it_is_read_again
    found = world.collect(project)
    assert gone(found) == ["example/web:2"]
    assert reasons(found)["example/web:1"] == "container late uses it (created)"


def test_a_name_that_another_image_gets_at_the_last_moment_is_not_removed(world: World) -> None:
    """After everything was read: whoever gave it needs what it names now."""
    project = deploy(world, 1, 2, 3)
    new = world.engine.inspect_image("example/web:3")["Id"]
    later(world)

    def move_the_tag(call: Call, moment: Moment) -> None:
        if call == Call("inspect_image", ("example/web:1",)) and moment == "before":
            world.engine.fault = None
            world.engine.tag_image(new, "example/web", "1")

    world.engine.fault = move_the_tag
    found = world.collect(project)
    assert (gone(found), removals(world)) == ([], [])
    assert reasons(found)["example/web:1"] == "somebody else took its name example/web:1"


def test_what_the_engine_refuses_is_kept_in_its_words(world: World) -> None:
    """A container made after everything was read: 409, the image stays, and that is no failure."""
    project = deploy(world, 1, 2, 3)
    later(world)

    def create_right_before(call: Call, moment: Moment) -> None:
        if call.name == "remove_image" and moment == "before":
            world.engine.fault = None
            world.engine.create_container("late", {"Image": "example/web:1"})

    world.engine.fault = create_right_before
    found = world.collect(project)
    assert (gone(found), found.errors) == ([], ())
    assert "is using its referenced image" in reasons(found)["example/web:1"]
    assert "example/web:1" in local(world)


def test_what_fails_is_an_error_and_the_others_go(world: World) -> None:
    """An engine that cannot remove one image removes the next."""
    project = deploy(world, 1, 2, 3, 4)
    later(world)

    def full(call: Call, moment: Moment) -> Exception | None:
        broken = call.name == "remove_image" and call.args[0] == "example/web:1" and moment == "before"
        return EngineError("read-only file system", status=500) if broken else None

    world.engine.fault = full
    found = world.collect(project)
    assert gone(found) == ["example/web:2"]
    assert [(error.code, error.message, error.source) for error in found.errors] == [
        ("EngineError", "read-only file system", "example/web:1")
    ]


def test_an_engine_that_goes_away_ends_the_pass(world: World) -> None:
    """Nothing is decided on what cannot be read; the next pass forgets what is gone."""
    project = deploy(world, 1, 2, 3)
    later(world)

    def away(call: Call, moment: Moment) -> Exception | None:
        lost = call.name == "remove_image" and moment == "after"
        return EngineUnreachableError("no answer") if lost else None

    world.engine.fault = away
    with pytest.raises(EngineUnreachableError):
        world.collect(project)
    world.engine.fault = None
    assert gone(world.collect(project)) == []
    assert len(world.memory().images) == 2


def test_a_lost_reply_is_made_good(world: World) -> None:
    """The image is gone, the next name answers 404, which is success."""
    project = deploy(world, 1, 2, 3)
    outside.remove(world.engine, world.container("web/1"))
    later(world)
    world.engine.remove_image("example/web:1")
    assert gone(world.collect(project)) == []
    assert "example/web:1" not in local(world)


def test_an_image_that_somebody_else_removes_is_no_trouble(world: World) -> None:
    """Between the decision and the removal."""
    project = deploy(world, 1, 2, 3)
    later(world)
    reads = 0

    def remove_while_it_is_read_again(call: Call, moment: Moment) -> None:
        nonlocal reads
        reads += call == Call("list_images") and moment == "before"
        if reads == 2:
            world.engine.fault = None
            world.engine.remove_image("example/web:1")

    world.engine.fault = remove_while_it_is_read_again
    found = world.collect(project)
    assert (gone(found), found.errors) == ([], ())
    assert "somebody else removed it" in reasons(found).values()


def test_losing_the_ledger_removes_nothing(world: World, tmp_path: Path) -> None:
    """What no ledger knows is nobody's to remove, nor is a tag that it does not know to be ours; the rest ages anew."""
    project = deploy(world, 1, 2, 3)
    later(world)
    world.store.close()
    (tmp_path / "state" / "state.db").unlink()
    world.reopen()
    assert gone(world.collect(project)) == []
    assert world.converge(project).succeeded
    assert [entry.last_used for entry in world.memory().images.values()] == [None]
    project = deploy(world, 4, 5, 6)
    assert gone(world.collect(project)) == []
    found = later(world).collect(project)
    assert gone(found) == ["example/web:4"]
    assert reasons(found)["example/web:3"] == "somebody else named it example/web:3"
    assert local(world) == {f"example/web:{version}" for version in (1, 2, 3, 5, 6)}


def test_images_of_a_project_without_a_spec_are_collected_too(world: World) -> None:
    """All that this instance deployed on the engine; other specs in force say nothing of it."""
    deploy(world, 1, 2, 3)
    blog = deploy(world, 7, text=WEB.replace("example/web", "example/blog"), name="blog")
    assert gone(later(world).collect(blog)) == ["example/web:1"]


def test_of_a_project_whose_spec_may_be_unreadable_nothing_goes(world: World) -> None:
    """Those that can be read go on."""
    deploy(world, 1, 2, 3)
    blog = deploy(world, 7, 8, 9, text=WEB.replace("example/web", "example/blog"), name="blog")
    found = later(world).collect(blog, unread=True)
    assert gone(found) == ["example/blog:7"]
    assert reasons(found)["example/web:1"] == "a spec, maybe that of shop, cannot be read"


def test_a_project_that_is_being_converged_is_left_alone(world: World) -> None:
    """A pull in flight must not lose its image; the reason names who holds the lock."""
    deploy(world, 1, 2, 3)
    blog = deploy(world, 7, 8, 9, text=WEB.replace("example/web", "example/blog"), name="blog")
    held = []

    @contextmanager
    def lock(_engine: str, project: str) -> Iterator[None]:
        if project == "shop":
            message = "project shop is being converged by another process (pid 7)"
            raise LockedError(message)
        held.append(project)
        yield
        held.remove(project)

    world.lock = lock
    found = later(world).collect(blog)
    assert gone(found) == ["example/blog:7"]
    assert reasons(found)["example/web:1"] == "project shop is being converged by another process (pid 7)"
    assert held == []


def test_the_ledger_of_a_project_that_is_being_converged_is_not_written(world: World) -> None:
    """Whoever holds its lock writes it."""
    deploy(world, 1)
    outside.remove(world.engine, world.container("web/1"))
    before = world.memory()

    @contextmanager
    def lock(_engine: str, _project: str) -> Iterator[None]:
        message = "project shop is being converged by another process (pid 7)"
        raise LockedError(message)
        yield

    world.lock = lock
    later(world).collect()
    assert world.memory() == before


def test_what_was_pulled_for_a_rollout_that_failed_is_young(world: World) -> None:
    """It never ran: its age begins with the pull."""
    project = deploy(world, 1, 2, 3)
    later(world)
    world.engine.fault = lambda call, moment: (
        EngineError("no", status=500) if call.name == "create_container" and moment == "before" else None
    )
    new = world.project(WEB.format(4))
    assert not world.converge(new).succeeded
    world.engine.fault = None
    assert gone(world.collect(project)) == ["example/web:1"]
    assert reasons(world.collect(project))["example/web:4"] == "unused for 0 h; goes after 24 h"
    assert reasons(later(world).collect(new))["example/web:4"] == "the spec of web (shop) wants it"
    assert gone(world.collect(project)) == ["example/web:4"]


def test_what_is_taken_down_by_hand_ages_from_the_pass_that_sees_it(world: World) -> None:
    """No converge has seen that its container is gone."""
    deploy(world, 1, 2, 3)
    outside.remove(world.engine, world.container("web/1"))
    later(world).collect()
    assert world.memory().images[world.engine.inspect_image("example/web:3")["Id"]].last_used == world.clock.now()


def test_a_pass_removes_at_most_a_hundred(world: World) -> None:
    """The rest waits for the next one, and says so."""
    kept = world.store.project(world.engine.info().id, "default", "shop")
    for number in range(103):
        world.engine.pull_image(f"example/many@sha256:{number:064x}", None, lambda _line: None)
    entry = Deployed(("web",), (), ("example/many",), 1.0, 1.0)
    kept.save(replace(kept.load(), images={row["Id"]: entry for row in world.engine.list_images()}))
    found = world.collect()
    assert len(gone(found)) == len(removals(world)) == 100
    assert set(reasons(found).values()) == {"one pass removes at most 100 images"}
    assert len(gone(world.collect())) == 3


def test_what_another_instance_can_go_back_to_stays(world: World) -> None:
    """As far as the same state file tells of it; what that instance alone deployed is no question."""
    project = deploy(world, 1, 2, 3)
    ours = world.store.project(world.engine.info().id, "default", "shop")
    theirs = world.store.project(world.engine.info().id, "one", "blog")
    theirs.add_revision(ours.revisions("web")[0])
    found = later(world).collect(project)
    assert gone(found) == []
    assert "web (blog of instance one) can go back to it" in {verdict.reason for verdict in found.verdicts}


def test_what_went_is_nothing_to_go_back_to(world: World) -> None:
    """It is said before anything is put in quarantine; what the last two definitions need is there still."""
    project = deploy(world, 1, 2, 3)
    later(world).collect(project)
    before = world.memory()
    with pytest.raises(RollbackError, match=r"web cannot go back to revision 1: image .* is gone from the engine"):
        world.go_back(project, "web", 1)
    assert world.memory() == before
    assert world.go_back(project, "web").revision == 2


def test_a_version_that_came_twice_has_one_before_it(world: World) -> None:
    """Which counts from its last time: 1, 2, 1 goes back to 2."""
    assert world.go_back(deploy(world, 1, 2, 1), "web").revision == 2
