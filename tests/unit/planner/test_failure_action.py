"""What becomes of a rollout that failed in some slots: `failure_action`, `max_failure_ratio`, and what serves there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.observed import Container
from reconciler.model.project import Dependency, Rollout, Service
from reconciler.model.step import Step
from tests.support.planning import (
    NOW,
    container,
    current,
    desired,
    known_bad,
    observed,
    reasons,
    remembering,
    service,
    stable,
    step,
    targets,
)

BEFORE = service(replicas=4, container={"Env": ["A=0"]})
GONE = "sha256:" + "9" * 64
PAUSED = "web/2: exited (1); paused: 1 of 2 replicas run the new definition"


def rolling(replicas: int = 2, action: str = "pause", **changes: Any) -> Desired:
    """A service that is gated by nothing but being up, and acts like this on a failure."""
    rollout = {"order": "start-first", "min_running": 0.0, "monitor": 0.0, "failure_action": action, **changes}
    return desired(service(replicas=replicas, rollout=Rollout(**rollout)))


def up(wanted: Desired, *slots: int) -> list[Container]:
    """New replicas that came up."""
    return [current(wanted, slot=slot) for slot in slots]


def dead(wanted: Desired, *slots: int) -> list[Container]:
    """New replicas that ended."""
    return [current(wanted, slot=slot, status="exited", exit_code=1, started_at=NOW - 2) for slot in slots]


def old(*slots: int, **changes: Any) -> list[Container]:
    """Replicas of the definition before."""
    return [container(slot=slot, **changes) for slot in slots]


def seen_by(wanted: Desired, *found: Container, **memory: Any) -> Step:
    """The pass of a rollout in which all the new ones were attempted, before its failure is known."""
    new = frozenset(item.name for item in found if item.labels[labels.SPEC_HASH] != "old")
    return step(wanted, observed(*found), remembering(stable(BEFORE), attempted=new, **memory))


def later(wanted: Desired, *found: Container, **changes: Any) -> Step:
    """A pass of a later run, in which the definition is in quarantine."""
    return step(wanted, observed(*found), known_bad(wanted, memory=remembering(stable(BEFORE, **changes))))


def made(found: Step) -> list[tuple[int | None, str]]:
    """The slots for which containers are created, and by which definition."""
    bodies = [(item.slot, item.payload["body"]) for item in found.operations if item.kind == "container.create"]
    return [(slot, body["Labels"][labels.SPEC_HASH]) for slot, body in bodies]


# --- within max_failure_ratio -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["rollback", "pause"])
@pytest.mark.parametrize(
    ("before", "done"),
    [
        (old(1), [("container.remove", "new-web-1")]),
        (old(1, status="exited"), [("container.start", "id-web-1")]),
    ],
)
def test_a_slot_that_failed_within_the_ratio_is_served_by_the_old_one(
    action: str, before: list[Container], done: list[tuple[str, str]]
) -> None:
    """The good replicas stay, nothing goes back, and the failure is told as what it was."""
    wanted = rolling(4, action, max_failure_ratio=0.25)
    found = seen_by(wanted, *up(wanted, 2, 3, 4), *dead(wanted, 1), *before)
    assert targets(found) == done
    assert reasons(found) == ["Exited"]
    assert [failure.rolled_back for failure in found.failures] == [False]


def test_a_slot_that_failed_within_the_ratio_is_made_anew_where_the_old_one_is_gone() -> None:
    """By the last good definition; a later run leaves it so."""
    wanted = rolling(4, "rollback", max_failure_ratio=0.25)
    assert made(seen_by(wanted, *up(wanted, 2, 3, 4), *dead(wanted, 1))) == [(1, "old")]
    memory = known_bad(wanted, memory=remembering(stable(BEFORE)))
    failure = next(iter(memory.failures.values()))
    tolerated = replace(memory, failures={("web", failure.spec_hash): replace(failure, rolled_back=False)})
    found = step(wanted, observed(*up(wanted, 2, 3, 4), *old(1)), tolerated)
    assert (found.empty, reasons(found)) == (True, ["Quarantined"])


# --- pause and continue -----------------------------------------------------------------------------------------------


def test_a_paused_rollout_of_which_nothing_came_up_puts_the_old_ones_back() -> None:
    """They are started again, then the failed ones go; it did not roll back, and nobody says so."""
    wanted = rolling()
    stopped = old(1, 2, status="exited")
    found = seen_by(wanted, *stopped, *dead(wanted, 1, 2))
    assert targets(found) == [("container.start", "id-web-1"), ("container.start", "id-web-2")]
    assert reasons(found) == ["Exited"]
    found = seen_by(wanted, *old(1, 2), *dead(wanted, 1, 2))
    assert targets(found) == [("container.remove", "new-web-1"), ("container.remove", "new-web-2")]
    found = later(wanted, *old(1, 2))
    assert (found.empty, reasons(found)) == (True, ["Quarantined"])


def test_a_failed_replica_that_still_runs_is_stopped_before_the_old_one_starts() -> None:
    """Two at once may be what is forbidden."""
    wanted = rolling(1, order="stop-first")
    sick = current(wanted, health="unhealthy")
    assert targets(seen_by(wanted, *old(1, status="exited"), sick)) == [("container.stop", sick.id)]


@pytest.mark.parametrize(("action", "reason"), [("pause", "Paused"), ("continue", "Exited")])
def test_a_rollout_that_ended_halfway_keeps_what_came_up(action: str, reason: str) -> None:
    """`pause` says how much of it runs; `continue` only what failed."""
    wanted = rolling(2, action)
    found = seen_by(wanted, *up(wanted, 1), *dead(wanted, 2), *old(2))
    assert targets(found) == [("container.remove", "new-web-2")]
    assert [(item.reason, item.message) for item in found.conditions] == [
        (reason, PAUSED if action == "pause" else "web/2: exited (1)")
    ]
    again = later(wanted, *up(wanted, 1), *old(2))
    assert (again.empty, reasons(again)) == (True, [reason if action == "pause" else "Quarantined"])


@pytest.mark.parametrize("action", ["pause", "continue"])
def test_a_new_replica_that_is_lost_afterwards_leaves_its_slot_to_the_last_good_definition(action: str) -> None:
    """The definition is in quarantine; the other new replicas are not rolled back for it."""
    wanted = rolling(3, action)
    found = later(wanted, *dead(wanted, 1), *up(wanted, 3), *old(2))
    assert made(found) == [(1, "old")]
    assert {item.slot for item in found.operations} == {1}
    assert found.failures[0].rolled_back is False
    assert [cause.field for cause in found.operations[0].cause] == ["rollback"]


@pytest.mark.parametrize("action", ["pause", "continue"])
def test_an_old_replica_that_is_removed_afterwards_is_made_again(action: str) -> None:
    """From the last good definition, with the hand named that removed it."""
    wanted = rolling(2, action)
    found = later(wanted, *up(wanted, 1))
    assert made(found) == [(2, "old")]
    assert [cause.reason for cause in found.operations[0].cause] == ["web/2 was removed by hand"]


def test_an_old_replica_that_ends_again_is_made_anew_and_not_started_for_ever() -> None:
    """Started once in place of the failed one, it is a lost replica like any other."""
    wanted = rolling()
    ended = old(2, status="exited", exit_code=1, finished_at=NOW - 1)
    assert targets(later(wanted, *up(wanted, 1), *ended)) == [("container.start", "id-web-2")]
    memory = known_bad(wanted, memory=remembering(stable(BEFORE), attempted=frozenset({ended[0].name})))
    assert made(step(wanted, observed(*up(wanted, 1), *ended), memory)) == [(2, "old")]


def test_a_paused_slot_whose_old_image_is_gone_stays_empty() -> None:
    """Nothing can be made for it, and nothing is tried."""
    wanted = rolling()
    assert later(wanted, *up(wanted, 1), image_id=GONE).operations == ()


# --- decided once -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("decided", "asked"), [(False, "rollback"), (True, "pause")])
def test_whether_a_failure_goes_back_is_decided_when_it_is_found(*, decided: bool, asked: str) -> None:
    """Another `failure_action` written later is for the next rollout."""
    wanted = rolling(2, asked)
    memory = known_bad(wanted, memory=remembering(stable(BEFORE)))
    kept = {key: replace(failure, rolled_back=decided) for key, failure in memory.failures.items()}
    found = step(wanted, observed(*up(wanted, 1), *old(2)), replace(memory, failures=kept))
    assert made(found) == ([(1, "old")] if decided else [])
    assert reasons(found) == ["RollingBack" if decided else "Quarantined"]


@pytest.mark.parametrize(("action", "rolled_back"), [("rollback", True), ("pause", False), ("continue", False)])
@pytest.mark.parametrize("known", [True, False])
def test_only_what_can_go_back_is_said_to(action: str, *, rolled_back: bool, known: bool) -> None:
    """`rollback` needs something that ran before, in memory or on the engine."""
    wanted = rolling(1, action)
    found = step(
        wanted,
        observed(*dead(wanted, 1)),
        replace(remembering(stable(BEFORE)) if known else Memory(), attempted=frozenset({dead(wanted, 1)[0].name})),
    )
    assert [failure.rolled_back for failure in found.failures] == [rolled_back and known]


# --- the image to go back to is gone ----------------------------------------------------------------------------------


def test_going_back_is_not_announced_where_the_old_image_is_gone() -> None:
    """The reason is that one alone, in the run that finds it out and in later ones."""
    wanted = rolling(2, "rollback")
    memory = remembering(stable(BEFORE, image_id=GONE), attempted=frozenset({dead(wanted, 2)[0].name}))
    first = step(wanted, observed(*up(wanted, 1), *dead(wanted, 2)), memory)
    assert (first.empty, reasons(first)) == (True, ["ImageGone"])
    assert "cannot go back: image 999999999999 (app:1) is gone from the engine" in first.conditions[0].message
    assert reasons(later(wanted, *up(wanted, 1), image_id=GONE)) == ["ImageGone"]


def test_one_old_container_that_exists_is_started_although_the_image_is_gone() -> None:
    """The other slot keeps what runs there."""
    wanted = rolling(2, "rollback")
    found = later(wanted, *old(1, status="exited"), *dead(wanted, 1), *up(wanted, 2), image_id=GONE)
    assert targets(found) == [("container.start", "id-web-1")]
    assert reasons(found) == ["ImageGone"]
    through = later(wanted, *old(1, 2), image_id=GONE)
    assert (through.empty, reasons(through)) == (True, ["RolledBack"])


# --- a dependent of what failed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "done"),
    [
        (old(1, status="exited", exit_code=1, finished_at=NOW - 1), [("container.start", "id-web-1")]),
        ([], [("container.create", "")]),
        (old(1, health="unhealthy"), [("container.create", "")]),
        (old(1), []),
    ],
)
def test_a_blocked_dependent_keeps_its_last_good_definition_serving(
    before: list[Container], done: list[tuple[str, str]]
) -> None:
    """Its own change waits for the dependency; what it was before does not, and what runs of it is left alone."""
    wanted = desired(service("db"), service(depends_on=(Dependency("db"),)))
    memory = known_bad(wanted, "db", remembering(stable(service("db")), stable(replace(BEFORE, replicas=1))))
    found = step(wanted, observed(container("db"), *before), memory)
    assert [(kind, target if kind == "container.start" else "") for kind, target in targets(found)] == done
    assert [spec_hash for _, spec_hash in made(found)] == ["old"] * len(made(found))
    assert [cause.field for item in found.operations for cause in item.cause] == ["state"] * len(done)
    assert reasons(found) == ["RolledBack", "DependencyFailed"]


def test_so_does_the_dependent_of_a_blocked_dependent() -> None:
    """However far it is from what failed."""
    chain = (service("db"), service("api", depends_on=(Dependency("db"),)), service(depends_on=(Dependency("api"),)))
    wanted = desired(*chain)
    was = (stable(service("db")), stable(service("api")), stable(replace(BEFORE, replicas=1)))
    seen = observed(container("db"), container("api"), *old(1, status="exited", exit_code=1, finished_at=NOW - 1))
    assert targets(step(wanted, seen, known_bad(wanted, "db", remembering(*was)))) == [("container.start", "id-web-1")]


# --- jobs -------------------------------------------------------------------------------------------------------------


def job(action: str = "rollback", **changes: Any) -> Service:
    """A job."""
    return service(job=True, rollout=Rollout(failure_action=action), **changes)  # type: ignore[arg-type]


def put_back(wanted: Desired, *, by_hand: bool = True) -> Memory:
    """A memory in which somebody went back to the job before (`reconcile rollback`), or in which the job failed."""
    memory = known_bad(wanted, memory=remembering(stable(job(container={"Env": ["A=0"]}))))
    return replace(memory, failures={key: replace(item, rolled_back=by_hand) for key, item in memory.failures.items()})


@pytest.mark.parametrize("before", [[], old(1, status="exited")])
def test_a_job_that_somebody_goes_back_from_is_stopped(before: list[Container]) -> None:
    """The good one completed: whether its container is still there or not, it is not run again."""
    wanted = desired(job())
    running = current(wanted, started_at=NOW - 1)
    memory = put_back(wanted)
    assert targets(step(wanted, observed(*before, running), memory)) == [("container.stop", running.id)]
    stopped = replace(running, status="exited", exit_code=137)
    assert targets(step(wanted, observed(*before, stopped), memory)) == [("container.remove", running.id)]
    through = step(wanted, observed(*before), memory)
    assert (through.empty, reasons(through)) == (True, ["RolledBack"])


def test_a_job_that_failed_by_itself_leaves_the_one_before_alone() -> None:
    """Nothing is started or made for it."""
    wanted = desired(job())
    failed = current(wanted, status="exited", exit_code=1)
    found = step(wanted, observed(*old(1, status="exited"), failed), put_back(wanted, by_hand=False))
    assert (found.operations, reasons(found)) == ((), ["Quarantined"])


def test_a_job_without_a_container_lets_nothing_else_run_in_its_place() -> None:
    """Back to a definition that completed: what runs of a later one is stopped, and then removed."""
    wanted = desired(job())
    held = remembering(stable(job(), current(wanted).labels[labels.SPEC_HASH]))
    assert targets(step(wanted, observed(*old(1)), held)) == [("container.stop", "id-web-1")]
    assert targets(step(wanted, observed(*old(1, status="exited")), held)) == [("container.remove", "id-web-1")]
