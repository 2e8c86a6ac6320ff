"""What history says of a rollout: while it goes on, after a run that was killed in the middle, and what caused it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.engine.simulated import Behaviour, Call, Moment, outside
from reconciler.model.revision import Revision
from reconciler.model.step import ServiceStatus, Step
from reconciler.recorder import Recorder
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from reconciler.model.history import ReplicaRecord, RolloutRecord
    from reconciler.model.project import Project

WEB = """
services:
  web:
    image: example/web:{}
    healthcheck: {{test: [CMD, "true"], interval: 1s, timeout: 1s, retries: 1}}
    deploy: {{replicas: 3, update_config: {{order: {}, parallelism: 1, monitor: 2s}}}}
"""
DRAINED = """
services:
  web:
    image: example/web:{}
    x-reconcile: {{rollout: {{min_running: 0s, drain: {}}}}}
    deploy: {{replicas: {}, update_config: {{order: {}, monitor: 0s}}}}
"""


def bad_two(image: str, _config: Mapping[str, Any]) -> Behaviour:
    """The second version exits at once."""
    return Behaviour(exit_after=0.1, exit_code=9) if ":2@" in image else Behaviour()


class Killed(BaseException):
    """The program is no more."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world whose state outlives the program."""
    world = World(tmp_path, state=tmp_path / "state")
    yield world
    world.close()


def rollouts(world: World, service: str = "web") -> list[RolloutRecord]:
    """The service's history, oldest first."""
    return list(world.store.project(world.engine.info().id, "default", "shop").history(service))[::-1]


def replicas(record: RolloutRecord) -> list[ReplicaRecord]:
    """All replicas of a record, in order."""
    return [replica for batch in record.batches for replica in batch]


def killed_at(world: World, project: Project, name: str, number: int, moment: Moment = "before") -> None:
    """A converge that dies around the call of that name and number."""
    seen = 0

    def fault(call: Call, when: Moment) -> Exception | None:
        nonlocal seen
        seen += call.name == name and when == moment
        if seen == number:
            raise Killed
        return None

    world.engine.fault = fault
    with pytest.raises(Killed):
        world.converge(project)
    world.engine.fault = None
    world.reopen()


def test_what_happens_is_written_as_it_happens(world: World) -> None:
    """A run that is killed leaves the replicas so far, with their times."""
    world.converge(world.project(WEB.format(1, "start-first")))
    killed_at(world, world.project(WEB.format(2, "start-first")), "create_container", 2)
    record = rollouts(world)[-1]
    assert record.verdict == "running"
    (first,) = replicas(record)
    assert (first.slot, first.verdict) == (1, "up")
    assert first.created_at <= first.started_at < first.up_at < first.old_stopped_at


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("name", "number"),
    [("create_container", 1), ("create_container", 2), ("start_container", 2), ("stop_container", 2)],
)
def test_the_next_run_goes_on_with_the_same_record(
    world: World, name: str, number: int, moment: Moment, order: str
) -> None:
    """Same number, same beginning, all replicas, whichever run brought them up; and it says that it was cut off."""
    world.converge(world.project(WEB.format(1, order)))
    project = world.project(WEB.format(2, order))
    killed_at(world, project, name, number, moment)
    begun = rollouts(world)[-1]
    assert world.converge(project).succeeded
    first, second = rollouts(world)
    assert all(replica in replicas(second) for replica in replicas(begun) if replica.up_at and replica.old_stopped_at)
    assert (second.number, second.began_at, second.cause) == (begun.number, begun.began_at, begun.cause)
    assert (second.verdict, second.revision) == ("completed", 2)
    assert sorted((item.slot, item.verdict) for item in replicas(second)) == [(1, "up"), (2, "up"), (3, "up")]
    assert all(0 < item.created_at <= item.started_at < item.up_at < item.started_at + 2 for item in replicas(second))
    assert len(second.taken_up) == 1
    assert second.began_at <= second.taken_up[0] < second.ended_at
    assert first.taken_up == ()


def test_a_record_that_was_cut_off_twice_is_still_one(world: World) -> None:
    """Each run that took it up is noted."""
    world.converge(world.project(WEB.format(1, "start-first")))
    project = world.project(WEB.format(2, "start-first"))
    killed_at(world, project, "create_container", 2)
    killed_at(world, project, "create_container", 2)
    assert world.converge(project).succeeded
    assert [len(record.taken_up) for record in rollouts(world)] == [0, 2]
    assert [item.slot for item in replicas(rollouts(world)[-1])] == [1, 2, 3]


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
@pytest.mark.parametrize("after", ["3", "1"])
def test_another_definition_ends_what_was_cut_off(world: World, order: str, after: str) -> None:
    """A new one, or the old one again: the record that nobody goes on with is interrupted, and keeps its replicas."""
    world.converge(world.project(WEB.format(1, order)))
    killed_at(world, world.project(WEB.format(2, order)), "create_container", 2)
    assert world.converge(world.project(WEB.format(after, order))).succeeded
    _, second, *others = rollouts(world)
    assert (second.verdict, second.revision) == ("interrupted", 0)
    assert [item.slot for item in replicas(second)] == [1]
    assert [record.verdict for record in others] == ["completed"]
    assert [item.slot for item in replicas(others[0])] == ([1, 2, 3] if after == "3" else [])


def test_a_rollback_that_was_cut_off_stays_one_record(world: World) -> None:
    """Going back makes replicas of another definition: the record of the failure goes on with them."""
    world.behaviours = bad_two
    world.converge(world.project(WEB.format(1, "stop-first")))
    project = world.project(WEB.format(2, "stop-first"))
    killed_at(world, project, "start_container", 2)
    assert [failure.reason for failure in world.converge(project).failures] == []
    _, second = rollouts(world)
    assert (second.verdict, len(second.taken_up)) == ("rolled back", 1)
    assert second.failure is not None
    assert second.failure.rolled_back


def test_what_a_person_asks_for_is_another_rollout(world: World) -> None:
    """A retry does not hide in the record of the run that was killed before it."""
    world.behaviours = bad_two
    world.converge(world.project(WEB.format(1, "stop-first")))
    project = world.project(WEB.format(2, "stop-first"))
    killed_at(world, project, "start_container", 2)
    session = world._session(project)
    assert session.retry(project, "web")
    session.converge(project, lambda _report: None, lambda _activity: None, lambda: False, None)
    assert [(record.trigger, record.verdict) for record in rollouts(world)[1:]] == [
        ("spec", "interrupted"),
        ("retry", "rolled back"),
    ]


def test_a_record_whose_last_write_was_lost_is_ended_by_a_pass_that_finds_nothing_to_do(world: World) -> None:
    """The program may die when all is done and only its history is not written."""
    project = world.project(WEB.format(1, "start-first"))
    world.converge(project)
    kept = world.store.project(world.engine.info().id, "default", "shop")
    kept.update(replace(rollouts(world)[0], verdict="running", ended_at=0.0))
    status = ServiceStatus("web", 3, 3, 3, 3, "example/web:1", "", "Healthy", "Synced")
    recorder = Recorder(kept, project, world.clock.now, {}, {})
    recorder.planned(Step(services=(status,)))
    recorder.close(stopped=False)
    assert [record.verdict for record in rollouts(world)] == ["completed"]


FRONT = """
services:
  db: {{image: "example/db:1", environment: {{V: "{db}"}}}}
  web: {{image: "example/web:1", depends_on: {{db: {{condition: service_started, restart: true}}}}}}
  side: {{image: "example/side:1", network_mode: "service:db"}}
  lone: {{image: "example/lone:1", networks: {networks}}}
networks: {{one: {{}}, two: {{}}}}
"""


def test_what_a_dependency_caused_is_told_apart_from_a_changed_spec(world: World) -> None:
    """`depends_on.restart` and a joined namespace name the dependency; a network taken out is the spec's."""
    world.converge(world.project(FRONT.format(db=1, networks="[one, two]")))
    assert world.converge(world.project(FRONT.format(db=2, networks="[one]"))).succeeded
    triggers = {service: rollouts(world, service)[-1].trigger for service in ("db", "web", "side", "lone")}
    assert triggers == {"db": "spec", "web": "dependency", "side": "dependency", "lone": "spec"}


def _update(world: World) -> None:
    outside.update(world.engine, world.container("web/1"), Memory=64 << 20, MemorySwap=128 << 20)


def _kill(world: World) -> None:
    outside.kill(world.engine, world.container("web/1"))


def _remove(world: World) -> None:
    outside.remove(world.engine, world.container("web/1"))


@pytest.mark.parametrize("act", [_update, _kill, _remove])
def test_what_somebody_did_by_hand_is_drift(world: World, act: Callable[[World], None]) -> None:
    """Changed in place, killed or removed."""
    project = world.project("services:\n  web: {image: 'example/web:1'}\n")
    world.converge(project)
    act(world)
    world.converge(project)
    assert [record.trigger for record in rollouts(world)] == ["spec", "drift"]


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
@pytest.mark.parametrize(
    ("drain", "behaviour", "told"),
    [
        ("{method: exec, command: [say, bye], delay: 1s}", Behaviour(drain_code=3), "say exited with 3"),
        ("{method: http, port: 80, path: /drain, delay: 1s}", Behaviour(http_status=0), "POST port 80 /drain failed"),
    ],
)
def test_a_drain_that_failed_is_noted(world: World, drain: str, behaviour: Behaviour, told: str, order: str) -> None:
    """With its replica, its container and why; the rollout completes all the same."""
    world.behaviours = lambda _image, _config: behaviour
    world.converge(world.project(DRAINED.format(1, drain, 1, order)))
    old = world.engine.inspect_container(world.container("web/1"))["Name"].lstrip("/")
    world.converge(world.project(DRAINED.format(2, drain, 1, order)))
    first, second = rollouts(world)
    (note,) = second.notes
    assert note.startswith(f"web/1 ({old}): drain failed: {told}")
    assert note.endswith("; stopped after its delay all the same")
    assert (first.notes, second.verdict) == ((), "completed")


def test_a_drain_of_a_replica_too_many_is_noted(world: World) -> None:
    """The drain is what begins its record then."""
    world.behaviours = lambda _image, _config: Behaviour(drain_code=3)
    drain = "{method: exec, command: [say, bye], delay: 1s}"
    world.converge(world.project(DRAINED.format(1, drain, 2, "start-first")))
    world.converge(world.project(DRAINED.format(1, drain, 1, "start-first")))
    record = rollouts(world)[-1]
    assert [note.partition(" ")[0] for note in record.notes] == ["web/2"]
    assert [cause.reason for cause in record.cause] == ["scaled down"]


@pytest.mark.parametrize(
    ("reason", "healthy", "verdict"),
    [
        ("Paused", 2, "paused"),
        ("ImageGone", 2, "paused"),
        ("ImageGone", 0, "failed"),
        ("RolledBack", 3, "rolled back"),
        ("Exited", 0, "failed"),
    ],
)
def test_what_stays_as_it_is_was_not_rolled_back(world: World, reason: str, healthy: int, verdict: str) -> None:
    """Neither the verdict nor the failure says so."""
    world.behaviours = bad_two
    world.converge(world.project(WEB.format(1, "start-first")))
    project = world.project(WEB.format(2, "start-first"))
    world.converge(project)
    kept = world.store.project(world.engine.info().id, "default", "shop")
    kept.update(replace(rollouts(world)[-1], verdict="running", ended_at=0.0))
    status = ServiceStatus("web", 3, healthy, healthy, 0, "example/web:1", "", "Degraded", "OutOfSync", reason=reason)
    recorder = Recorder(kept, project, world.clock.now, {}, {})
    recorder.planned(Step(services=(status,)))
    recorder.close(stopped=False)
    record = rollouts(world)[-1]
    assert record.failure is not None
    assert (record.verdict, record.failure.rolled_back) == (verdict, reason in {"RolledBack", "Exited"})


def test_a_rollout_knows_the_commit_that_it_came_from(world: World) -> None:
    """So does the definition that it made stable; without a source there is none."""
    revision = Revision("shop", "ab" * 20, "Ada <a@b>", "First", 12.5, "main")
    world.converge(world.project(WEB.format(1, "start-first")))
    report = world.converge(replace(world.project(WEB.format(2, "start-first")), revision=revision))
    assert report.revision == revision
    assert [record.source_revision for record in rollouts(world)] == [None, revision]
    stable = world.store.project(world.engine.info().id, "default", "shop").revisions("web")
    assert [item.source_revision for item in stable] == [None, revision.commit]
