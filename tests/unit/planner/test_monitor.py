"""What a replica that takes another's place has to pass, and how many replacements may go on or go wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model.keys import up_key
from reconciler.model.memory import Memory
from reconciler.model.observed import Container, ImageState
from reconciler.model.project import Rollout, Service
from reconciler.planner.gates import monitor_seconds
from reconciler.planner.images import BoundImage
from tests.support.planning import (
    IMAGE,
    NOW,
    container,
    current,
    desired,
    kinds,
    observed,
    reasons,
    remembering,
    service,
    stable,
    step,
    targets,
)

SECOND = 1_000_000_000


def watched(**changes: Any) -> Service:
    """A service whose replicas are watched for 10 s."""
    return service(rollout=Rollout(**{"min_running": 0.0, "monitor": 10.0, **changes}))


def up_since(at: float, *found: Container) -> Memory:
    """A memory of a rollout in which these came up then."""
    return Memory(up={up_key(one): at for one in found}, attempted=frozenset(one.name for one in found))


# --- the window -------------------------------------------------------------------------------------------------------


def test_the_monitor_window_begins_when_a_replica_is_first_seen_up() -> None:
    """That moment is told, to be remembered, and the next look is at the window's end."""
    wanted = desired(watched())
    new = current(wanted)
    found = step(wanted, observed(container(), new))
    assert found.operations == ()
    assert found.up == ((up_key(new), NOW),)
    assert (found.wake_at, found.look_at) == (NOW + 10.0, (new.id,))
    assert found.services[0].waiting == "10 s without trouble 0/1"


@pytest.mark.parametrize(("since", "done"), [(NOW - 9.0, []), (NOW - 10.0, ["container.stop web/1"])])
def test_the_old_one_runs_until_the_window_is_over(since: float, done: list[str]) -> None:
    """Counted from the remembered moment, in this run or an earlier one."""
    wanted = desired(watched())
    new = current(wanted)
    found = step(wanted, observed(container(), new), up_since(since, new))
    assert kinds(found) == done
    assert found.up == ()


def test_a_restart_begins_the_window_anew() -> None:
    """Another StartedAt is another life, however long the first one lasted."""
    wanted = desired(watched())
    new = current(wanted)
    again = current(wanted, started_at=NOW - 1)
    assert step(wanted, observed(container(), again), up_since(1.0, new)).wake_at == NOW + 10.0


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ({"health": "unhealthy"}, "Unhealthy"),
        ({"status": "exited", "exit_code": 3}, "Exited"),
        ({"restart_count": 1}, "CrashLoop"),
        ({"status": "restarting"}, "CrashLoop"),
    ],
)
def test_trouble_inside_the_window_fails_the_rollout(trouble: dict[str, Any], reason: str) -> None:
    """A replica that was up already is no good all the same; a crash loop under `restart: always` is a failure too."""
    wanted = desired(watched())
    new = current(wanted, **trouble)
    found = step(wanted, observed(container(), new), up_since(NOW - 5.0, new))
    assert [failure.reason for failure in found.failures] == [reason]


def test_a_first_creation_is_not_watched() -> None:
    """Nothing waits for its end: there is no old one that could come back."""
    wanted = desired(watched())
    assert step(wanted, observed(current(wanted))).empty


def test_a_replica_of_a_stable_definition_is_not_watched_again() -> None:
    """A leftover of another definition beside it, started by an engine restart say, just goes."""
    wanted = desired(watched())
    new = current(wanted)
    memory = remembering(stable(wanted.project.services[0], new.labels["io.reconciler.spec-hash"]))
    assert step(wanted, observed(container(status="exited"), new), memory).wake_at is None


@pytest.mark.parametrize(("min_running", "least"), [(0.0, 10), (5.0, 10), (15.0, 15)])
def test_what_the_engine_restarted_has_to_run_for_ten_seconds(min_running: float, least: int) -> None:
    """Without a health check: it may be in a crash loop, and looks well between two crashes."""
    wanted = desired(watched(min_running=min_running))
    early = current(wanted, restart_count=1, started_at=NOW - least + 1)
    memory = remembering(stable(wanted.project.services[0], early.labels["io.reconciler.spec-hash"]))
    found = step(wanted, observed(early), memory)
    assert (found.wake_at, found.look_at) == (NOW + 1, (early.id,))
    assert found.services[0].waiting == f"running for {least} s 0/1"
    through = current(wanted, restart_count=1, started_at=NOW - least)
    assert step(wanted, observed(through), memory).empty
    healthy = current(wanted, restart_count=1, started_at=NOW - 1, health="healthy")
    assert step(wanted, observed(healthy), memory).empty


@pytest.mark.parametrize(
    ("rollout", "check", "seconds"),
    [
        ({"monitor": 3.0}, {"Test": ["CMD", "true"]}, 3.0),
        ({"monitor": 0.0}, {"Test": ["CMD", "true"]}, 0.0),
        ({}, {"Test": ["CMD", "true"], "Interval": 2 * SECOND, "Timeout": SECOND, "Retries": 4}, 9.0),
        ({}, {"Test": ["CMD", "true"]}, 30.0),
        ({}, {"Test": ["CMD", "true"], "Interval": SECOND, "Timeout": 90 * SECOND}, 30.0),
        ({}, {"Test": ["NONE"]}, 5.0),
        ({}, {}, 5.0),
    ],
)
def test_the_window_is_as_long_as_the_health_check_needs(
    rollout: dict[str, Any], check: dict[str, Any], seconds: float
) -> None:
    """Where the spec sets none: interval times retries and a timeout, at most 30 s; 5 s without a health check."""
    asked = service(rollout=Rollout(**rollout), container={"Healthcheck": check})
    assert monitor_seconds(asked, BoundImage("error", "app:1")) == seconds


def test_a_health_check_of_the_image_counts() -> None:
    """The spec may change single fields of it."""
    check = {"Test": ["CMD", "true"], "Interval": 3 * SECOND, "Timeout": SECOND, "Retries": 2}
    image = BoundImage("ready", "app:1", ImageState("sha256:1", config={"Healthcheck": check}))
    assert monitor_seconds(service(rollout=Rollout()), image) == 7.0
    assert monitor_seconds(service(rollout=Rollout(), container={"Healthcheck": {"Retries": 1}}), image) == 4.0


# --- how many at once -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stopped_at", "begun"), [(NOW - 2.0, []), (NOW - 5.0, ["container.create web/2"])])
def test_delay_passes_between_one_replacement_and_the_next(stopped_at: float, begun: list[str]) -> None:
    """Counted from the stop of the one replaced last."""
    wanted = desired(service(replicas=2, rollout=Rollout(delay=5.0, min_running=0.0, monitor=0.0)))
    done = container(slot=1, status="exited", finished_at=stopped_at)
    new = current(wanted, slot=1)
    found = step(wanted, observed(done, new, container(slot=2)), up_since(stopped_at, new))
    assert kinds(found) == begun
    assert begun or (found.wake_at, found.look_at) == (stopped_at + 5.0, ())


def test_the_next_one_waits_for_the_window_of_the_one_before() -> None:
    """`parallelism` counts a replica that is watched: trouble is seen before everything is replaced."""
    wanted = desired(service(replicas=3, rollout=Rollout(parallelism=1, min_running=0.0, monitor=10.0)))
    new = current(wanted, slot=1)
    found = step(wanted, observed(container(slot=1), new, container(slot=2), container(slot=3)))
    assert found.operations == ()


# --- how many may fail ------------------------------------------------------------------------------------------------


def four(*failed: int, done: tuple[int, ...] = (), **changes: Any) -> tuple[Any, Any, Memory]:
    """Four replicas, of which those failed or are through; the others run the old definition."""
    rollout = Rollout(**{"order": "start-first", "min_running": 0.0, "monitor": 0.0, **changes})
    wanted = desired(service(replicas=4, rollout=rollout))
    new = [current(wanted, slot=slot, status="exited", exit_code=1, started_at=NOW) for slot in failed]
    new += [current(wanted, slot=slot) for slot in done]
    old = [container(slot=slot) for slot in range(1, 5) if slot not in done]
    return wanted, observed(*old, *new), Memory(attempted=frozenset(one.name for one in new))


def test_max_failure_ratio_lets_some_fail() -> None:
    """With a quarter of four, one failed replica does not end the rollout; its old one serves on."""
    wanted, seen, memory = four(1, max_failure_ratio=0.25)
    found = step(wanted, seen, memory)
    assert kinds(found) == ["container.create web/2"]
    assert found.conditions == ()


def test_a_tolerated_failure_that_still_runs_is_stopped() -> None:
    """It may answer requests with errors; it stays to be looked at, and its old one serves."""
    wanted, seen, memory = four(1, max_failure_ratio=0.25)
    sick = current(wanted, slot=1, health="unhealthy")
    old = tuple(one for one in seen.containers if one.id != sick.id)
    found = step(wanted, replace(seen, containers=(*old, sick)), memory)
    assert targets(found)[0] == ("container.stop", sick.id)
    assert kinds(found) == ["container.stop web/1", "container.create web/2"]


def test_a_tolerated_failure_lets_the_old_one_run_again_at_once() -> None:
    """It made room; the rest of the rollout may take a while."""
    wanted, seen, memory = four(1, max_failure_ratio=0.25, order="stop-first")
    made_room = replace(container(slot=1), status="exited")
    others = tuple(one for one in seen.containers if one.id != made_room.id)
    found = step(wanted, replace(seen, containers=(made_room, *others)), memory)
    assert targets(found)[0] == ("container.start", made_room.id)
    assert [item.slot for item in found.operations if item.kind != "container.create"] == [1]


def test_more_than_max_failure_ratio_ends_it() -> None:
    """The second failure of four is more than a quarter."""
    wanted, seen, memory = four(1, 2, max_failure_ratio=0.25)
    found = step(wanted, seen, memory)
    assert [item for item in kinds(found) if item.startswith("container.create")] == []
    assert [(failure.message, failure.rolled_back) for failure in found.failures] == [
        ("web/1: exited (1) (2 of 4 replicas failed)", True)
    ]


def test_tolerated_failures_are_told_at_the_end() -> None:
    """Everything else is replaced, and the service is still not what the spec asks for."""
    wanted, seen, memory = four(1, done=(2, 3, 4), max_failure_ratio=0.25, failure_action="pause")
    found = step(wanted, seen, memory)
    assert reasons(found) == ["Exited"]
    assert found.services[0].health == "Degraded"


def test_continue_replaces_the_others_whatever_fails() -> None:
    """No number of failures ends it before every slot was tried."""
    wanted, seen, memory = four(1, 2, 3, failure_action="continue")
    assert kinds(step(wanted, seen, memory)) == ["container.create web/4"]
    wanted, seen, memory = four(1, 2, done=(3, 4), failure_action="continue")
    found = step(wanted, seen, memory)
    assert reasons(found) == ["Exited"]
    assert not [item for item in targets(found) if item[1] in {"new-web-3", "new-web-4"}]


def test_pause_begins_nothing_more_and_undoes_nothing() -> None:
    """Replicas that are up stay, failed ones make room for what ran before, the rest is left alone."""
    wanted, seen, memory = four(2, done=(1,), failure_action="pause")
    found = step(wanted, seen, memory)
    assert targets(found) == [("container.remove", "new-web-2")]
    assert [failure.rolled_back for failure in found.failures] == [False]


def test_pause_removes_what_was_replaced_already() -> None:
    """A replica that stays needs the stopped one before it no more."""
    wanted, seen, memory = four(2, done=(1,), failure_action="pause")
    replaced = container(slot=1, status="exited")
    found = step(wanted, replace(seen, containers=(*seen.containers, replaced)), memory)
    assert targets(found) == [("container.remove", replaced.id), ("container.remove", "new-web-2")]


@pytest.mark.parametrize(
    ("monitor", "own", "told"),
    [(3.0, {}, ["MonitorTooShort"]), (7.0, {}, []), (0.0, {}, []), (3.0, {"Healthcheck": {"Retries": 9}}, [])],
)
def test_a_monitor_too_short_for_the_images_health_check_is_warned_of(
    monitor: float, own: dict[str, Any], told: list[str]
) -> None:
    """What the spec alone shows was said when it was read."""
    wanted = desired(service(rollout=Rollout(monitor=monitor), container=own))
    checked = replace(IMAGE, config={"Healthcheck": {"Test": ["CMD", "x"], "Interval": 2 * SECOND, "Timeout": SECOND}})
    found = step(wanted, observed(images=(checked,)))
    assert [item.code for item in found.notices] == told
