"""How soon a replica that was lost after its rollout is replaced, and when it is left as it ended."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory, Restarts
from reconciler.model.observed import Container, Endpoint, NetworkState
from reconciler.model.project import Attachment, Dependency, RestartPolicy
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
    assert [item.payload["restarts"].count for item in found.operations if item.kind == "container.create"] == [
        1
    ] * replaced


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


# --- changes by hand --------------------------------------------------------------------------------------------------

MIB = 1024**2
NET = (Attachment("default", "net"),)
BY_HAND: dict[str, dict[str, Any]] = {
    "deploy.resources.limits.memory": {"host_config": {"Memory": 32 * MIB}},
    "networks": {"networks": {}},
    "paused": {"status": "paused"},
}


def limited(**changes: Any) -> Desired:
    """A service on a network with a limit of memory."""
    return desired(service(networks=NET, container={"HostConfig": {"Memory": 64 * MIB}}, **changes))


def touched(wanted: Desired, field: str, before: Restarts | None, **changes: Any) -> Step:
    """One pass over a replica that held, in which somebody changed this by hand."""
    good: dict[str, Any] = {"networks": {"net": Endpoint("1", ("web",))}, "host_config": {"Memory": 64 * MIB}}
    replica = current(wanted, **{"started_at": NOW - 5, **good, **BY_HAND[field], **changes})
    spec_hash = replica.labels[labels.SPEC_HASH]
    times = {("web", 1): before} if before else {}
    held = remembering(stable(wanted.project.services[0], spec_hash), restarts=times)
    return step(wanted, observed(replica, networks=(NetworkState("net-id", "net"),)), held)


@pytest.mark.parametrize("field", BY_HAND)
@pytest.mark.parametrize("before", ["", *BY_HAND])
def test_each_change_by_hand_is_undone_at_once_unless_it_comes_again(field: str, before: str) -> None:
    """Somebody who tries one thing after the other waits for none; who fights for one field is slowed down."""
    found = touched(limited(), field, Restarts(3, NOW - 39, before))
    if field == before:
        assert (found.empty, reasons(found), found.retry_at) == (True, ["BackOff"], NOW + 1)
    else:
        assert [item.payload["restarts"] for item in found.operations] == [Restarts(1, NOW, field)]


def test_a_replica_that_ends_by_itself_is_not_slowed_down_by_what_somebody_did() -> None:
    """Nor the other way round: each begins its own count."""
    wanted = desired(service())
    spec_hash = current(wanted).labels[labels.SPEC_HASH]
    times = {("web", 1): Restarts(6, NOW, "paused")}
    memory = remembering(stable(wanted.project.services[0], spec_hash), restarts=times)
    found = step(wanted, observed(lost(wanted)), memory)
    assert [item.payload["restarts"] for item in found.operations] == [Restarts(1, NOW)]


def test_max_attempts_and_delay_are_not_for_changes_by_hand() -> None:
    """They say how often, and how soon, a replica that fails is tried again; this one does not fail."""
    wanted = limited(restart=RestartPolicy(max_attempts=2, delay=600.0))
    found = touched(wanted, "paused", Restarts(5, NOW - 160, "paused"), restart_count=9)
    assert [item.payload["restarts"] for item in found.operations] == [Restarts(6, NOW, "paused")]


def test_several_fields_are_one_change() -> None:
    """By name, so that their order says nothing."""
    changes = {**BY_HAND["networks"], **BY_HAND["deploy.resources.limits.memory"]}
    found = touched(limited(), "networks", None, **changes)
    assert [item.payload["restarts"].why for item in found.operations] == ["deploy.resources.limits.memory,networks"]


def test_what_follows_the_owner_of_its_namespace_is_not_counted() -> None:
    """However often that one is replaced, it joins the new one at once."""
    sharing = service(shares=(("NetworkMode", "vpn"),), restart=RestartPolicy(max_attempts=1))
    wanted = desired(service("vpn"), sharing)
    owner = current(wanted, "vpn")
    asked = step(wanted, observed(owner)).operations[0].payload["body"]["Labels"][labels.SPEC_HASH]
    own = container(labels={labels.SPEC_HASH: asked}, networks={}, host_config={"NetworkMode": "container:gone"})
    memory = remembering(stable(sharing, asked), restarts={("web", 1): Restarts(6, NOW)})
    found = step(wanted, observed(owner, own), memory)
    assert kinds(found) == ["container.create web/1"]
    assert found.operations[0].payload["restarts"].count == 0
    assert [cause.field for cause in found.operations[0].cause] == ["shares"]


# --- the engine's restarts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by_engine", "ours", "again"),
    [(0, 2, True), (1, 1, True), (2, 0, True), (0, 3, False), (2, 1, False), (3, 0, False)],
)
def test_max_attempts_counts_the_engines_restarts_too(by_engine: int, ours: int, *, again: bool) -> None:
    """Which of the two restarted it is no matter to who wrote the number."""
    wanted = policy(max_attempts=3)
    found = after(wanted, lost(wanted, restart_count=by_engine), count=ours, at=0.0)
    assert bool(found.operations) is again
    assert [item.message for item in found.conditions] == (
        [] if again else ["web/1 exited (1); restarted 3 times, as max_attempts allows"]
    )


def test_restarts_before_a_life_that_held_are_forgotten() -> None:
    """The engine never forgets its own: they were made good since."""
    wanted = policy(max_attempts=3, window=60.0)
    held = lost(wanted, restart_count=3, started_at=NOW - 61)
    assert kinds(after(wanted, held, count=3, at=0.0)) == ["container.create web/1"]


def test_a_delay_is_waited_for_without_a_container_to_look_at() -> None:
    """What has ended changes no more: time alone matters."""
    wanted = policy(delay=7.0)
    found = after(wanted, lost(wanted, started_at=NOW - 9, finished_at=NOW - 6))
    assert (found.operations, found.wake_at, found.look_at) == ((), NOW + 1, ())


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "running", "health": "unhealthy", "finished_at": 0.0},
        {"status": "running", "health": "unhealthy", "finished_at": NOW - 3},
        {"status": "created", "error": "no", "started_at": 0.0, "finished_at": 0.0},
    ],
)
def test_a_delay_has_nothing_to_count_from_where_nothing_ended(changes: dict[str, Any]) -> None:
    """The first time at once, then from the replacement before: when it was looked at last is no matter."""
    wanted = policy(delay=7.0)
    assert kinds(after(wanted, lost(wanted, **changes))) == ["container.create web/1"]
    early = after(wanted, lost(wanted, **changes), count=1, at=NOW - 6)
    assert (early.operations, early.retry_at) == ((), NOW + 1)
    assert kinds(after(wanted, lost(wanted, **changes), count=1, at=NOW - 7)) == ["container.create web/1"]
