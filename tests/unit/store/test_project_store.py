"""Memory, revisions and history of a project."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from reconciler.model.history import RolloutRecord
from reconciler.model.ledger import Deployed
from reconciler.model.memory import Failure, Memory, Stable
from reconciler.model.project import Image, Service
from reconciler.store import ProjectStore, Store
from tests.unit.store.afresh import afresh

FAILURE = Failure("web", "hash", "Exited", "it exited with 1", exit_code=1)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:
        yield opened


@pytest.fixture
def project(store: Store) -> ProjectStore:
    return store.project("engine", "default", "shop")


def stable(spec_hash: str, image_id: str = "sha256:1", service: str = "web") -> Stable:
    return Stable(Service(service, Image("app:1"), {"Env": ["A=1"]}), spec_hash, image_id, "app:1", "", "app:1")


def record(service: str = "web") -> RolloutRecord:
    return RolloutRecord(0, "shop", service, "spec", (), "start-first", 1.0)


def test_nothing_is_remembered_at_first(project: ProjectStore) -> None:
    """An empty memory, no revisions, no history."""
    assert project.load() == Memory()
    assert project.revisions("web") == ()
    assert project.history() == ()


def test_projects_know_nothing_of_each_other(store: Store, project: ProjectStore) -> None:
    """Neither do the instances and engines that have a project of the same name."""
    project.save(Memory(failures={("web", "hash"): FAILURE}))
    project.add_revision(stable("a"))
    project.begin(record())
    for other in (("engine", "default", "blog"), ("engine", "second", "shop"), ("remote", "default", "shop")):
        another = store.project(*other)
        assert (another.load(), another.revisions("web"), another.history()) == (Memory(), (), ())
        another.save(Memory(up={"c1": 1.0}))
        assert another.begin(record()).number == 1
    assert afresh(store).load() == Memory(failures={("web", "hash"): FAILURE})


def test_only_what_differs_is_written(store: Store, project: ProjectStore) -> None:
    """Not what was loaded or saved before, nor what is equal to it, nor what failed in this run."""
    memory = Memory(failures={("web", "hash"): FAILURE}, up={f"c{number}": 1.0 for number in range(50)})
    project.save(memory)
    before = store._connection.total_changes
    project.save(replace(memory, up=dict(memory.up), failed_operations={"op": "no"}))
    assert store._connection.total_changes == before
    project.save(replace(memory, up={**memory.up, "c7": 2.0}))
    assert store._connection.total_changes == before + 1
    again = afresh(store)
    again.load()
    again.save(replace(memory, up={**memory.up, "c7": 2.0}))
    assert store._connection.total_changes == before + 1


def test_a_save_without_a_load_replaces_what_was_there(store: Store, project: ProjectStore) -> None:
    """What the file holds from earlier runs and the memory does not is forgotten."""
    project.save(Memory(up={"c1": 1.0}))
    afresh(store).save(Memory(done={"op": 2.0}))
    assert afresh(store).load() == Memory(done={"op": 2.0})


def test_a_save_that_fails_leaves_what_was(store: Store, project: ProjectStore) -> None:
    """Half a memory is never kept, and the next save makes up for it."""
    first = Memory(up={"c1": 1.0}, done={"a": 1.0})
    second = Memory(up={"c2": 2.0}, done={"b": 2.0})
    project.save(first)
    store._connection.set_authorizer(lambda action, *_: 1 if action == 9 else 0)  # SQLite denies every DELETE
    with pytest.raises(Exception, match="not authorized"):
        project.save(second)
    store._connection.set_authorizer(None)
    assert afresh(store).load() == first
    project.save(second)
    assert afresh(store).load() == second


def test_revisions_are_numbered_by_service(project: ProjectStore) -> None:
    """From 1, in the order in which they became stable."""
    assert [project.add_revision(stable(name)).revision for name in "abc"] == [1, 2, 3]
    assert project.add_revision(stable("a", service="db")).revision == 1
    assert [(kept.revision, kept.spec_hash) for kept in project.revisions("web")] == [(1, "a"), (2, "b"), (3, "c")]


def test_the_same_definition_is_no_new_revision(project: ProjectStore) -> None:
    """The newest is returned as it is; another image, or one of before, is a new one."""
    first = project.add_revision(replace(stable("a"), at=1.0))
    assert project.add_revision(replace(stable("a"), at=2.0)) == first
    assert project.add_revision(stable("a", "sha256:2")).revision == 2
    assert project.add_revision(stable("a")).revision == 3


def test_the_last_revisions_are_kept(project: ProjectStore) -> None:
    """20 of each service; their numbers go on growing."""
    project.add_revision(stable("a", service="db"))
    for number in range(25):
        project.add_revision(stable(f"{number}"))
    assert [kept.revision for kept in project.revisions("web")] == list(range(6, 26))
    assert len(project.revisions("db")) == 1


def test_the_history_is_newest_first(project: ProjectStore) -> None:
    """Of all services or of one, as many as asked for."""
    for service in ("web", "db", "web", "web"):
        project.begin(record(service))
    assert [kept.number for kept in project.history()] == [4, 3, 2, 1]
    assert [kept.number for kept in project.history("web", limit=2)] == [4, 3]
    assert [kept.number for kept in project.history("db")] == [2]
    assert project.history("cache") == ()


def test_a_record_is_updated(project: ProjectStore) -> None:
    """Only the one of its number."""
    first, second = project.begin(record()), project.begin(record())
    done = replace(first, verdict="completed", ended_at=9.0, revision=2)
    project.update(done)
    assert project.history() == (second, done)


def test_the_last_rollouts_are_kept(project: ProjectStore) -> None:
    """1000 of each project; an update of one that is gone does not bring it back."""
    first = project.begin(record())
    for _ in range(1004):
        project.begin(record())
    project.update(replace(first, verdict="interrupted"))
    numbers = [kept.number for kept in project.history(limit=2000)]
    assert numbers == list(range(1005, 5, -1))


@pytest.mark.parametrize("damage", ["{", "null", '{"service": 1}', ""])
def test_an_entry_that_cannot_be_read_is_dropped(store: Store, project: ProjectStore, damage: str) -> None:
    """The rest stays, a notice tells of it once, and shows nothing of what stood there."""
    afresh(store).save(Memory(failures={("web", "good"): FAILURE, ("web", "bad"): FAILURE}, up={"c1": 1.0}))
    store._connection.execute("UPDATE memory SET value = ? WHERE key LIKE '%bad%'", (damage,))
    assert project.load() == Memory({("web", "good"): FAILURE}, up={"c1": 1.0})
    assert [notice.message for notice in store.notices] == [
        "project shop: 1 remembered entries cannot be read and were dropped"
    ]
    project.load()
    assert len(store.notices) == 1


def test_an_entry_of_an_unknown_field_is_dropped(store: Store, project: ProjectStore) -> None:
    """As another release of the program may have left it, or keys of another shape."""
    afresh(store).save(Memory(up={"c1": 1.0, "c2": 1.0, "c3": 1.0}))
    store._connection.execute("UPDATE memory SET field = 'phase_of_the_moon' WHERE key = '\"c1\"'")
    store._connection.execute("UPDATE memory SET key = '[1]' WHERE key = '\"c2\"'")
    assert project.load() == Memory(up={"c3": 1.0})
    assert len(store.notices) == 1


def test_damaged_revisions_and_records_are_dropped(store: Store, project: ProjectStore) -> None:
    """Numbers go on after those that are left."""
    for name in "abc":
        project.add_revision(stable(name))
        project.begin(record())
    store._connection.execute("UPDATE revision SET value = '?' WHERE number = 3")
    store._connection.execute("UPDATE rollout SET value = '?' WHERE number = 1")
    assert project.add_revision(stable("d")).revision == 3
    assert [kept.spec_hash for kept in project.revisions("web")] == ["a", "b", "d"]
    assert [kept.number for kept in project.history()] == [3, 2]
    assert [notice.code for notice in store.notices] == ["StateEntryDropped"] * 2


def test_the_projects_and_services_that_are_known_are_listed(store: Store, project: ProjectStore) -> None:
    """Of one instance on one engine, whether or not they have a spec; services by their stable definitions."""
    assert (store.projects("engine", "default"), project.services()) == ((), ())
    project.add_revision(stable("a"))
    project.add_revision(stable("b"))
    project.add_revision(stable("a", service="db"))
    store.project("engine", "default", "blog").save(Memory(images={"sha256:1": Deployed(("web",), last_used=None)}))
    store.project("engine", "second", "other").save(Memory(up={"c1": 1.0}))
    assert store.projects("engine", "default") == ("blog", "shop")
    assert project.services() == ("db", "web")


def test_an_entry_of_the_ledger_comes_back_as_it_was(store: Store) -> None:
    """Also what is in use still."""
    entries = {
        "sha256:1": Deployed(("db", "web"), ("app:1",), ("app",), 1.5, None),
        "sha256:2": Deployed(first_seen=1.0, last_used=2.5),
    }
    store.project("engine", "default", "shop").save(Memory(images=entries))
    assert afresh(store).load().images == entries
