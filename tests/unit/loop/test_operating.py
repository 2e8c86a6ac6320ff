"""What persons ask of a session while it runs, and what is taken away when they ask for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.engine.simulated import Call, Moment, outside
from reconciler.errors import LockedError
from reconciler.model.origin import Origin
from reconciler.operating import user_name
from reconciler.volumes import VolumeRefusedError, going_with
from tests.support.world import World

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from reconciler.model.report import Activity, ProjectReport

SHOP = """
services:
  web: {image: example/web:1.0}
  db: {image: example/db:1.0, volumes: [data:/data]}
volumes: {data: {}}
"""
NEWER = SHOP.replace("web:1.0", "web:1.1").replace("db:1.0", "db:1.1")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The shop runs."""
    found = World(tmp_path)
    assert found.converge(found.project(SHOP)).succeeded
    return found


def remove(world: World, *, even_suspended: bool = False) -> ProjectReport:
    """Take the shop away."""
    return world.session().remove(
        "shop", lambda _: None, world.activities.append, lambda: False, None, even_suspended=even_suspended
    )


def test_what_is_suspended_is_not_healed_and_is_once_it_is_resumed(world: World) -> None:
    """And it is no failure; a dry-run says so too."""
    session = world.session()
    session.suspend("shop", "web", "I am looking at it", "alice")
    outside.die(world.engine, world.container("web/1"))
    outside.die(world.engine, world.container("db/1"))
    report = world.converge(world.project(SHOP))
    assert (report.succeeded, report.in_sync) == (True, False)
    assert world.states() == {"db/1": "running", "web/1": "exited"}
    assert world.plan(world.project(SHOP)).conditions == report.conditions
    assert [session.resume("shop", "web", "bob") for _ in range(2)] == [True, False]
    assert world.converge(world.project(SHOP)).in_sync
    assert world.states() == {"db/1": "running", "web/1": "running"}
    assert [(item.action, item.by, item.service) for item in session.actions("shop", "web", 9)] == [
        ("resume", "bob", "web"),
        ("suspend", "alice", "web"),
    ]


def test_a_run_under_way_heeds_it_from_its_next_pass_on(world: World) -> None:
    """What is in flight ends, nothing new begins, and the rest of the project goes on."""

    def see(activity: Activity) -> None:
        operation = activity.operation
        if activity.state == "started" and operation and operation.id.startswith("container.create:web/1"):
            world.session().suspend("shop", "web", "not today", "alice")

    session = world.session()
    report = session.converge(world.project(NEWER), lambda _: None, see, lambda: False, None)
    assert report.succeeded
    assert [item.kind for item in report.operations if item.service == "web"] == [
        "image.pull",
        "image.tag",
        "container.create",
    ]
    assert world.states() == {"db/1": "running", "web/1": "created+running"}
    verdicts = {item.service: item.verdict for item in session.history("shop", None, 2)}
    assert verdicts == {"web": "interrupted", "db": "completed"}
    session.resume("shop", "web", "alice")
    assert world.converge(world.project(NEWER)).in_sync
    assert world.states() == {"db/1": "running", "web/1": "running"}


def test_a_suspended_project_is_left_whole(world: World) -> None:
    """By None, and by the spec."""
    world.session().suspend("shop", None, "", "alice")
    assert world.session().suspended("shop")[""].by == "alice"
    outside.die(world.engine, world.container("web/1"))
    assert world.converge(world.project(NEWER)).succeeded
    world.session().resume("shop", None, "alice")
    assert world.converge(world.project(f"{NEWER}\nx-reconcile: {{suspend: true}}")).operations == ()
    assert world.states() == {"db/1": "running", "web/1": "exited"}


def test_removing_leaves_volumes_and_other_projects(world: World) -> None:
    """Containers and networks go without any spec; what was deployed is known when it comes back."""
    other = world.project("services: {web: {image: example/web:1.0}}", "blog")
    assert world.converge(other).succeeded
    world.store.project(world.engine.info().id, "default", "shop").keep_origin(Origin("fleet", (), prune=True))
    report = remove(world)
    assert (report.succeeded, world.states(), list(world.states("blog"))) == (True, {}, ["web/1"])
    assert {row["Name"] for row in world.engine.list_volumes()} == {"shop_data"}
    assert "shop_default" not in {row["Name"] for row in world.engine.list_networks()}
    assert world.store.origins(world.engine.info().id, "default") == {}
    assert set(world.memory().stable) == {"web", "db"}
    assert remove(world).operations == ()


def test_what_is_suspended_is_removed_only_by_a_person(world: World) -> None:
    """A file that vanished takes nothing away that somebody is looking at."""
    world.session().suspend("shop", None, "mine", "alice")
    assert (remove(world).operations, world.session().removal("shop").operations) == ((), ())
    assert world.session().removal("shop", even_suspended=True).operations
    assert remove(world, even_suspended=True).succeeded
    assert world.states() == {}


def test_a_network_with_a_stranger_on_it_stays(world: World) -> None:
    """It is said, and the rest goes."""
    stranger = world.foreign("stranger", {"Image": "example/web:1.0"})
    outside.connect(world.engine, "shop_default", stranger)
    report = remove(world)
    assert (report.succeeded, world.states()) == (True, {})
    assert [notice.code for notice in report.notices] == ["NetworkInUse"]
    assert "stranger is attached" in report.notices[0].message


def test_a_project_that_a_source_has_is_suspended_before_it_is_taken_down(world: World) -> None:
    """Else it would be brought back; one that no source has is not."""
    session = world.session()
    assert not session.keep_down("shop", "alice")
    world.store.project(world.engine.info().id, "default", "shop").keep_origin(Origin("fleet", (), prune=True))
    assert session.keep_down("shop", "alice")
    assert session.suspended("shop")[""].reason == "taken down, and source fleet still has it"
    world.store.project(world.engine.info().id, "default", "shop").note_left("fleet", left=True)
    assert not session.keep_down("shop", "alice")


ANONYMOUS = "services: {db: {image: example/db:1.0, volumes: [/data, 'data:/more']}}\nvolumes: {data: {}}\n"


def test_volumes_are_listed_with_their_owners(world: World) -> None:
    """Named and anonymous ones, how large, mounted by whom, used until when; others' come last."""
    assert world.converge(world.project(ANONYMOUS, "blog")).succeeded
    world.engine.create_volume("theirs", {"Labels": {"io.reconciler.project": "shop"}})
    outside.fill(world.engine, "shop_data", 1_200)
    outside.die(world.engine, world.container("db/1"))
    died_at = world.clock.now()
    rows = world.session().volumes().rows()
    named = [row for row in rows if not row.anonymous]
    assert [row.name for row in named] == ["blog_data", "shop_data", "theirs"]
    (blog, shop, theirs), (hidden,) = named, [row for row in rows if row.anonymous]
    assert (blog.services, blog.in_use, blog.last_used, hidden.services, hidden.anonymous) == (
        ("db",),
        True,
        None,
        ("db/1",),
        True,
    )
    assert (shop.project, shop.services, shop.size, shop.in_use) == ("shop", ("db",), 1_200, False)
    assert shop.last_used == pytest.approx(died_at)
    assert len(shop.used_by) == 1
    assert (theirs.ours, theirs.project, theirs.services, theirs.used_by) == (False, "", (), ())


def test_what_is_mounted_or_not_ours_is_not_removed(world: World) -> None:
    """All or none, each with its way out; a stopped container holds its volumes too."""
    world.engine.create_volume("theirs", {})
    outside.die(world.engine, world.container("db/1"))
    volumes = world.session().volumes()
    with pytest.raises(VolumeRefusedError) as caught:
        volumes.remove(["theirs", "shop_data", "unknown"])
    assert caught.value.message.startswith("there is no volume unknown; volume theirs was not made by this instance")
    assert "volume shop_data is mounted by shop-db-1-" in caught.value.message
    assert "`reconcile down shop` first" in caught.value.message
    assert {row["Name"] for row in world.engine.list_volumes()} == {"shop_data", "theirs"}


def test_volumes_go_once_their_project_is_down(world: World) -> None:
    """Anonymous ones are remembered as their slots' until then."""
    assert world.converge(world.project(ANONYMOUS, "blog")).succeeded
    volumes = world.session().volumes()
    blog = [row for row in volumes.rows() if row.project == "blog"]
    assert going_with(blog, ()) == ()
    assert len(going_with(blog, {name for row in blog for name in row.used_by})) == 2
    world.session().remove("blog", lambda _: None, world.activities.append, lambda: False, None)
    left = [row for row in volumes.rows() if row.project == "blog"]
    assert [(row.services, row.used_by) for row in left if row.anonymous] == [(("db/1",), ())]
    gone = volumes.remove([row.name for row in left])
    assert {row.name for row in gone} == {row.name for row in blog}
    assert {row["Name"] for row in world.engine.list_volumes()} == {"shop_data"}
    assert [call.name for call in world.engine.calls].count("remove_volume") == 2


def test_a_volume_is_not_removed_while_its_project_is_converged(world: World) -> None:
    """A container of the slot may be about to be made."""
    remove(world)

    def locked(_engine: str, project: str) -> AbstractContextManager[None]:
        raise LockedError(f"project {project} is being converged")

    world.lock = locked
    with pytest.raises(LockedError, match="shop"):
        world.session().volumes().remove(["shop_data"])


def test_a_refusal_of_the_engine_says_what_is_gone_by_then(world: World) -> None:
    """Somebody mounts one of them after they were looked at."""
    remove(world)
    world.engine.create_volume(
        "shop_more", {"Labels": {"io.reconciler.project": "shop", "io.reconciler.instance": "default"}}
    )

    def mount(call: Call, moment: Moment) -> None:
        if (call.name, call.args, moment) == ("remove_volume", ("shop_more",), "before"):
            world.engine.fault = None
            world.foreign("late", {"Image": "example/web:1.0", "HostConfig": {"Binds": ["shop_more:/data"]}})

    world.engine.fault = mount
    with pytest.raises(VolumeRefusedError, match="volume is in use") as caught:
        world.session().volumes().remove(["shop_data", "shop_more"])
    assert caught.value.hint == "removed before: shop_data"


def test_who_is_at_work() -> None:
    """The user of the process; behind sudo the one who called it."""
    assert user_name({}) == user_name({"SUDO_USER": "alice"}) or os.getuid() == 0
    assert os.getuid() != 0 or user_name({"SUDO_USER": "alice"}) == "alice"


OWN = "services: {web: {image: example/web:1.0, volumes: ['./app.ini:/etc/app.ini']}}\n"


def test_a_replica_that_writes_its_own_file_is_replaced_twice_and_no_more(tmp_path: Path) -> None:
    """And a person who changes the file is followed at once, then and later."""
    world, file = World(tmp_path), tmp_path / "app.ini"

    def write(text: str, *, late: float = 0.0) -> ProjectReport:
        file.write_text(text)
        world.clock.advance_to(world.clock.now() + 1.0)
        at = world.clock.now() + late
        os.utime(file, (at, at))
        return world.converge(world.project(OWN))

    assert write("0").succeeded
    reports = [write(str(number)) for number in range(1, 5)]
    assert [bool(report.operations) for report in reports] == [True, True, False, False]
    assert [item.reason for item in reports[-1].conditions] == ["WritesItsOwnFile"]
    assert (reports[-1].converges, reports[-1].succeeded) == (True, False)
    world.clock.advance_to(world.clock.now() + 3600.0)
    assert write("by hand").succeeded
    assert world.retry(world.project(OWN), "web") is False
    assert [write(text).succeeded for text in "abc"] == [True, True, False]
    assert world.retry(world.project(OWN), "web")
    assert world.converge(world.project(OWN)).succeeded
