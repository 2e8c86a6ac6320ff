"""How soon a replica that was lost after its rollout is replaced, and when it is left as it ended."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory, Restarts
from reconciler.model.observed import Container
from reconciler.model.project import Dependency, RestartPolicy
from reconciler.model.step import Step
from tests.support.planning import (
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
)


def policy(**changes: Any) -> Desired:
    """A service with this restart policy."""
    return desired(service(restart=RestartPolicy(**changes)))


def lost(wanted: Desired, **changes: Any) -> Container:
    """A replica of the present definition that ended a second ago, after a second's life."""
    ended = {"status": "exited", "exit_code": 1, "started_at": NOW - 2, "finished_at": NOW - 1}
    return current(wanted, **{**ended, **changes})


def after(wanted: Desired, *found: Container, count: int = 0, at: float = NOW) -> Step:
    """One pass over a definition that held, whose replica in slot 1 was replaced `count` times by then."""
    spec_hash = current(wanted).labels[labels.SPEC_HASH]
    times = {("web", 1): Restarts(count, at)} if count else {}
    held = remembering(stable(wanted.project.services[0], spec_hash), restarts=times)
    return step(wanted, observed(*found), held)


def test_a_lost_replica_is_replaced_at_once() -> None:
    """The first time nothing is waited for, and it is counted."""
    wanted = desired(service())
    found = after(wanted, lost(wanted))
    assert kinds(found) == ["container.create web/1"]
    assert found.operations[0].payload["restarts"].count == 1
    assert found.services[0].sync == "Modified"


@pytest.mark.parametrize(("count", "wait"), [(1, 10), (2, 20), (3, 40), (4, 80), (5, 160), (6, 300), (60, 300)])
def test_then_after_10_seconds_doubling_to_5_minutes(count: int, wait: int) -> None:
    """Counted from the last replacement; meanwhile Degraded, and nobody waits in this run."""
    wanted = desired(service())
    early = after(wanted, lost(wanted), count=count, at=NOW - wait + 1)
    assert early.empty
    assert early.retry_at == NOW + 1
    assert reasons(early) == ["BackOff"]
    assert early.services[0].health == "Degraded"
    times = "once" if count == 1 else f"{count} times"
    assert early.conditions[0].message == f"web/1 exited (1); replaced {times} already, not again for another 1 s"
    due = after(wanted, lost(wanted), count=count, at=NOW - wait)
    assert due.operations[0].payload["restarts"].count == count + 1


def test_a_loss_is_never_a_rollback() -> None:
    """Whatever ran before the definition that held stays where it is."""
    wanted = desired(service())
    found = after(wanted, lost(wanted), container(status="exited"), count=9)
    assert (found.failures, reasons(found)) == ((), ["BackOff"])


@pytest.mark.parametrize(
    ("changes", "replaced"),
    [
        ({"started_at": NOW - 601, "finished_at": NOW - 1}, True),
        ({"started_at": NOW - 600, "finished_at": NOW - 1}, False),
        ({"status": "running", "health": "unhealthy", "started_at": NOW - 600, "finished_at": 0.0}, True),
        ({"status": "created", "error": "no", "started_at": 0.0, "finished_at": 0.0}, False),
    ],
)
def test_a_replica_that_held_ten_minutes_begins_the_count_anew(changes: dict[str, Any], *, replaced: bool) -> None:
    """One that never started has held nothing."""
    wanted = desired(service())
    found = after(wanted, lost(wanted, **changes), count=5)
    assert [item.payload["restarts"].count for item in found.operations if item.kind == "container.create"] == [1] * replaced


def test_window_says_what_holding_is() -> None:
    """`deploy.restart_policy.window`."""
    wanted = policy(window=1.0)
    assert kinds(after(wanted, lost(wanted), count=5)) == ["container.create web/1"]
    assert after(policy(window=1.5), lost(policy(window=1.5)), count=5).empty


@pytest.mark.parametrize(("finished_at", "begun"), [(NOW - 6, []), (NOW - 7, ["container.create web/1"])])
def test_delay_is_waited_for_before_the_first_replacement_too(finished_at: float, begun: list[str]) -> None:
    """`deploy.restart_policy.delay`, from its end; the run waits for it, as it does for every gate."""
    wanted = policy(delay=7.0)
    found = after(wanted, lost(wanted, finished_at=finished_at, started_at=finished_at - 1))
    assert kinds(found) == begun
    assert begun or (found.wake_at, reasons(found)) == (NOW + 1, [])


def test_delay_takes_the_place_of_the_doubling() -> None:
    """The same wait each time, from its end on."""
    wanted = policy(delay=7.0)
    assert after(wanted, lost(wanted), count=4, at=NOW - 60).retry_at == NOW - 1 + 7
    ended = lost(wanted, started_at=NOW - 8, finished_at=NOW - 7)
    assert kinds(after(wanted, ended, count=4, at=NOW - 60)) == ["container.create web/1"]


def test_max_attempts_ends_it() -> None:
    """Then a person has to look."""
    wanted = policy(max_attempts=2)
    assert kinds(after(wanted, lost(wanted), count=1, at=0.0)) == ["container.create web/1"]
    found = after(wanted, lost(wanted), count=2, at=0.0)
    assert (found.empty, reasons(found), found.retry_at) == (True, ["RestartsExhausted"], None)


@pytest.mark.parametrize(
    ("condition", "code", "replaced"),
    [
        ("any", 0, True),
        ("any", 1, True),
        ("on-failure", 0, False),
        ("on-failure", 1, True),
        ("none", 0, False),
        ("none", 1, False),
    ],
)
def test_the_condition_says_which_end_is_a_loss(condition: Any, code: int, *, replaced: bool) -> None:
    """`deploy.restart_policy.condition`: what may end is left as it ended, and is no trouble."""
    wanted = policy(condition=condition)
    found = after(wanted, lost(wanted, exit_code=code))
    assert bool(found.operations) is replaced
    assert (found.services[0].sync == "Synced") is not replaced


def test_a_rollout_asks_for_more_than_a_good_end() -> None:
    """With `condition: none` too a new definition has to come up once before it may end."""
    wanted = policy(condition="none")
    new = lost(wanted, exit_code=0)
    found = step(wanted, observed(new), Memory(attempted=frozenset({new.name})))
    assert reasons(found) == ["Exited"]


def test_what_is_replaced_with_its_dependency_is_not_counted() -> None:
    """It was not lost: however often its dependency is replaced, it follows at once."""
    wanted = desired(service("db"), service(depends_on=(Dependency("db", restart=True),)))
    new_db = current(wanted, "db", created_at=500.0)
    own = current(wanted)
    memory = remembering(
        stable(wanted.project.services[0], new_db.labels[labels.SPEC_HASH]),
        stable(wanted.project.services[1], own.labels[labels.SPEC_HASH]),
        restarts={("web", 1): Restarts(6, NOW)},
    )
    found = step(wanted, observed(new_db, own), memory)
    assert kinds(found) == ["container.create web/1"]
    assert found.operations[0].payload["restarts"].count == 0
    assert [cause.field for cause in found.operations[0].cause] == ["depends_on.db.restart"]
