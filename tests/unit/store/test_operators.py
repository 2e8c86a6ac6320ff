"""What persons write to the state file while runs are on: suspensions, actions; and where projects came from."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.encoding import encode
from reconciler.model.history import ActionRecord, RolloutRecord
from reconciler.model.memory import Memory, Stable
from reconciler.model.origin import Origin
from reconciler.model.project import Image, Service
from reconciler.model.suspension import Suspension
from reconciler.store import ProjectStore, Store, schema
from reconciler.store.project_store import GONE_KEPT

BY_ALICE = Suspension("the disk is moved", "alice", 5.0)
ORIGIN = Origin("fleet", ("shop/compose.yaml",), prune=True, commit="abc", at=7.0)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.in_memory(rollouts_kept=3) as opened:
        yield opened


@pytest.fixture
def project(store: Store) -> ProjectStore:
    return store.project("engine", "default", "shop")


def action(at: float, service: str = "web", **more: str) -> ActionRecord:
    return ActionRecord(at, "alice", "suspend", service, **more)


def stable(service: str) -> Stable:
    return Stable(Service(service, Image("app:1"), {}), "hash", "sha256:1", "app:1", "", "app:1")


def test_what_is_suspended_is_part_of_memory(project: ProjectStore) -> None:
    """A service, the whole project; said again it is another."""
    project.suspend("web", BY_ALICE)
    project.suspend("", replace(BY_ALICE, by="bob"))
    project.suspend("web", replace(BY_ALICE, reason="still"))
    expected = {"": replace(BY_ALICE, by="bob"), "web": replace(BY_ALICE, reason="still")}
    assert project.suspended() == project.load().suspended == expected
    assert (project.resume("web"), project.resume("web"), project.resume("api")) == (True, False, False)
    assert list(project.suspended()) == [""]


def test_a_run_neither_writes_nor_loses_it(store: Store, project: ProjectStore) -> None:
    """It goes on with the memory that it began with, and saves that."""
    began_with = project.load()
    store.project("engine", "default", "shop").suspend("web", BY_ALICE)
    project.save(replace(began_with, up={"c1": 1.0}))
    assert project.suspended() == {"web": BY_ALICE}
    project.resume("web")
    project.save(replace(began_with, up={"c2": 1.0}, suspended={"web": BY_ALICE}))
    assert project.load() == Memory(up={"c2": 1.0})


def test_another_process_sees_it_at_once(tmp_path: Path) -> None:
    """Each has the file open."""
    with Store.open(tmp_path) as service, Store.open(tmp_path) as command:
        theirs, ours = (opened.project("engine", "default", "shop") for opened in (service, command))
        assert theirs.suspended() == {}
        ours.suspend("web", BY_ALICE)
        assert theirs.suspended() == {"web": BY_ALICE}


def test_actions_are_newest_first_and_bounded(project: ProjectStore) -> None:
    """Of a service also what was asked for the whole project; as many are kept as rollouts."""
    for at, service in enumerate(["api", "web", "", "web"]):
        project.record(action(float(at), service, detail=f"no {at}"))
    assert [item.at for item in project.actions()] == [3.0, 2.0, 1.0]
    assert [item.at for item in project.actions("api")] == [2.0]
    assert [item.at for item in project.actions("web", 2)] == [3.0, 2.0]
    assert project.actions()[0] == action(3.0, detail="no 3")


def test_how_many_rollouts_are_kept_is_a_setting(tmp_path: Path) -> None:
    """One that is lowered holds from the next rollout on."""
    record = RolloutRecord(0, "shop", "web", "spec", (), "start-first", 1.0)
    for kept, expected in ((5, 5), (2, 2)):
        with Store.open(tmp_path, rollouts_kept=kept) as store:
            project = store.project("engine", "default", "shop")
            for _again in range(kept + 1):
                project.begin(record)
            assert len(project.history(limit=99)) == expected


def test_where_projects_came_from(store: Store, project: ProjectStore) -> None:
    """By project, of those that a source had; what is known is not written again."""
    assert (project.origin(), store.origins("engine", "default")) == (None, {})
    project.keep_origin(ORIGIN)
    project.keep_origin(replace(ORIGIN, at=99.0))
    store.project("engine", "default", "blog").save(Memory(up={"c1": 1.0}))
    store.project("engine", "second", "other").keep_origin(ORIGIN)
    assert store.origins("engine", "default") == {"shop": ORIGIN}
    project.keep_origin(replace(ORIGIN, commit="def", at=99.0))
    assert project.origin() == replace(ORIGIN, commit="def", at=99.0)


def test_a_source_that_a_project_left(store: Store, project: ProjectStore) -> None:
    """Only the source says so, and that it is back: who looked at it meanwhile does not. Another source begins anew."""
    project.note_left("fleet", left=True)
    assert project.origin() is None
    project.keep_origin(ORIGIN)
    project.note_left("other", left=True)
    assert project.origin() == ORIGIN
    project.note_left("fleet", left=True)
    project.keep_origin(replace(ORIGIN, commit="def"))
    assert store.origins("engine", "default") == {"shop": replace(ORIGIN, commit="def", left=True)}
    project.note_left("fleet", left=False)
    assert project.origin() == replace(ORIGIN, commit="def")
    project.note_left("fleet", left=True)
    project.keep_origin(replace(ORIGIN, source="other"))
    assert project.origin() == replace(ORIGIN, source="other")


def test_a_project_that_is_gone_is_forgotten_in_time(store: Store, project: ProjectStore) -> None:
    """Its origin at once, the rest after a while; not while it is suspended, and not where it came back."""
    for name in ("shop", "back", "held"):
        gone = store.project("engine", "default", name)
        gone.save(Memory(up={"c1": 1.0}))
        gone.add_revision(stable("web"))
        gone.keep_origin(ORIGIN)
        gone.gone(100.0)
        gone.record(action(101.0))
        assert gone.origin() is None
    store.project("engine", "default", "back").save(Memory(up={"c2": 1.0}))
    store.project("engine", "default", "held").suspend("", BY_ALICE)
    store.forget_gone(100.0)
    assert store.projects("engine", "default") == ("back", "held", "shop")
    store.forget_gone(100.5)
    assert store.projects("engine", "default") == ("back", "held")
    assert (project.load(), project.revisions("web"), project.actions()) == (Memory(), (), ())
    assert store.project("engine", "default", "shop") is not project


def test_services_that_are_gone_keep_their_revisions_for_a_while(project: ProjectStore) -> None:
    """The twenty that came up last: more would grow for ever where names are made up."""
    for number in range(GONE_KEPT + 2):
        project.add_revision(stable(f"s{number:02}"))
    project.forget_gone_services({"s00"})
    assert len(project.services()) == GONE_KEPT + 1
    assert "s00" in project.services()
    assert "s01" not in project.services()


def test_what_cannot_be_read_is_dropped_and_told(store: Store, project: ProjectStore) -> None:
    """As every other row."""
    project.suspend("web", BY_ALICE)
    project.record(action(1.0))
    project.keep_origin(ORIGIN)
    for table in ("suspension", "action", "origin"):
        store._connection.execute(f"UPDATE {table} SET value = 'nonsense'")  # noqa: S608 - damage
    assert (project.suspended(), project.actions(), project.origin()) == ({}, (), None)
    assert [notice.message for notice in store.notices] == [
        "project shop: 1 suspensions cannot be read and were dropped",
        "project shop: 1 actions of the history cannot be read and were dropped",
        "project shop: 1 origins cannot be read and were dropped",
    ]


def test_a_file_of_the_first_version_has_all_of_it_too(tmp_path: Path) -> None:
    """What it holds stays: memory, revisions, history."""
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as old:
        schema.migrate(old, schema.MIGRATIONS[:1])
        old.execute("INSERT INTO project VALUES (1, 'engine', 'default', 'shop')")
        old.execute("INSERT INTO memory VALUES (1, 'up', '\"c1\"', '1.0')")
        old.execute("INSERT INTO revision VALUES (1, 'web', 1, ?)", (encode(Stable, stable("web")),))
        assert schema.version(old) == 1
    with Store.open(tmp_path) as store:
        project = store.project("engine", "default", "shop")
        assert (project.load(), project.services()) == (Memory(up={"c1": 1.0}), ("web",))
        project.suspend("web", BY_ALICE)
        project.record(action(1.0))
        project.keep_origin(ORIGIN)
        project.gone(5.0)
        assert (project.suspended(), len(project.actions()), store.notices) == ({"web": BY_ALICE}, 1, ())
