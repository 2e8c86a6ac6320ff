"""How a replica is stopped without losing what it is answering: settle, tell it, wait, stop."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.keys import up_key
from reconciler.model.memory import Memory
from reconciler.model.project import Drain, Rollout
from tests.support.planning import NOW, container, current, desired, kinds, observed, service, step

SIGNAL = Drain("signal", 3.0, signal="SIGUSR1")
EXEC = Drain("exec", 3.0, command=("touch", "/tmp/leaving"))
HTTP = Drain("http", 3.0, port=8080, path="/leave")
METHODS = [
    (SIGNAL, "container.kill", {"signal": "SIGUSR1"}),
    (EXEC, "container.exec", {"command": ["touch", "/tmp/leaving"], "timeout": 30.0}),
    (HTTP, "container.http", {"port": 8080, "path": "/leave"}),
]
KINDS = [(how, kind) for how, kind, _ in METHODS]


def draining(**changes: Any) -> Any:
    """A service whose replicas are gated by nothing but leave as said."""
    return desired(service(rollout=Rollout(**{"min_running": 0.0, "monitor": 0.0, **changes})))


def told(kind: str, at: float, **changes: Any) -> Memory:
    """A memory in which the old replica was told then."""
    return Memory(done={f"{kind}:web/1/00000000": at}, **changes)


def test_the_old_one_serves_on_for_settle() -> None:
    """A proxy has that long to find the new one, counted from when it was first seen up."""
    wanted = draining(settle=4.0)
    new = current(wanted)
    seen = observed(container(), new)
    early = step(wanted, seen, Memory(up={up_key(new): NOW - 3.0}))
    assert (early.operations, early.wake_at) == ((), NOW + 1.0)
    assert kinds(step(wanted, seen, Memory(up={up_key(new): NOW - 4.0}))) == ["container.stop web/1"]


@pytest.mark.parametrize(("up_at", "wake"), [(NOW - 3.0, NOW + 1.0), (NOW - 5.0, NOW + 2.0), (NOW - 7.0, None)])
def test_the_drain_delay_follows_settle_where_nobody_is_told(up_at: float, wake: float | None) -> None:
    """A proxy may learn by itself that the old one is to go: `delay` passes with `method: none` too."""
    wanted = draining(settle=4.0, drain=Drain(delay=3.0))
    new = current(wanted)
    found = step(wanted, observed(container(), new), Memory(up={up_key(new): up_at}))
    assert (kinds(found), found.wake_at) == ([] if wake else ["container.stop web/1"], wake)


def test_settle_follows_monitor() -> None:
    """The window first: before its end the old one may still be needed."""
    wanted = draining(settle=4.0, monitor=10.0)
    new = current(wanted)
    memory = Memory(up={up_key(new): NOW - 13.0}, attempted=frozenset({new.name}))
    assert step(wanted, observed(container(), new), memory).wake_at == NOW + 1.0


@pytest.mark.parametrize(("how", "kind", "payload"), METHODS)
def test_a_replica_is_told_before_it_is_stopped(how: Drain, kind: str, payload: dict[str, Any]) -> None:
    """In the way that the spec says, once settled: nothing else is done before that ended."""
    wanted = draining(drain=how)
    found = step(wanted, observed(container(), current(wanted)))
    assert [(item.kind, item.target, dict(item.payload)) for item in found.operations] == [(kind, "id-web-1", payload)]
    waits = step(draining(drain=how, settle=1.0), observed(container(), current(wanted)))
    assert waits.operations == ()


@pytest.mark.parametrize(("how", "kind"), KINDS)
def test_the_drain_delay_passes_before_the_stop(how: Drain, kind: str) -> None:
    """Counted from the end of the telling, which is not repeated."""
    wanted = draining(drain=how)
    seen = observed(container(), current(wanted))
    early = step(wanted, seen, told(kind, NOW - 2.0))
    assert (early.operations, early.wake_at) == ((), NOW + 1.0)
    assert kinds(step(wanted, seen, told(kind, NOW - 3.0))) == ["container.stop web/1"]


@pytest.mark.parametrize(("how", "kind"), KINDS)
def test_a_drain_that_fails_is_told_and_stops_nothing_from_ending(how: Drain, kind: str) -> None:
    """The replica is stopped all the same, as long after it as after one that succeeded, with a notice."""
    wanted = draining(drain=how)
    seen = observed(container(), current(wanted))
    early = step(wanted, seen, Memory().with_failed_operation(f"{kind}:web/1/00000000", "not found", NOW - 2.0))
    assert (early.operations, early.wake_at) == ((), NOW + 1.0)
    found = step(wanted, seen, Memory().with_failed_operation(f"{kind}:web/1/00000000", "not found", NOW - 3.0))
    assert kinds(found) == ["container.stop web/1"]
    assert [(item.code, item.message) for item in found.notices] == [
        ("DrainFailed", "shop-web-1-00000000 is stopped all the same, 3 s later: not found")
    ]


def test_one_that_its_drain_made_unhealthy_gets_its_time() -> None:
    """That is how many applications leave: the check fails, the proxy sees it, requests end."""
    wanted = draining(drain=EXEC)
    leaving = container(health="unhealthy")
    assert step(wanted, observed(leaving, current(wanted)), told("container.exec", NOW - 2.0)).operations == ()


@pytest.mark.parametrize("changes", [{"health": "unhealthy"}, {"status": "paused"}, {"status": "restarting"}])
def test_one_that_serves_nobody_is_not_waited_for(changes: dict[str, Any]) -> None:
    """Sick, frozen or crashing, it is stopped at once."""
    wanted = draining(drain=EXEC, settle=60.0)
    assert kinds(step(wanted, observed(container(**changes), current(wanted)))) == ["container.stop web/1"]


def test_a_container_that_was_restarted_since_is_told_again() -> None:
    """What its earlier life was told, this one does not know."""
    wanted = draining(drain=SIGNAL)
    seen = observed(container(started_at=NOW - 1.0), current(wanted))
    assert kinds(step(wanted, seen, told("container.kill", NOW - 5.0))) == ["container.kill web/1"]


def test_stop_first_tells_it_too() -> None:
    """There is no settling then: nothing has taken its place yet."""
    wanted = draining(order="stop-first", drain=SIGNAL, settle=60.0)
    created = current(wanted, status="created")
    assert kinds(step(wanted, observed(container(), created))) == ["container.kill web/1"]
    gone = told("container.kill", NOW - 3.0)
    assert kinds(step(wanted, observed(container(), created), gone)) == ["container.stop web/1"]


def test_a_replica_too_many_is_told_too() -> None:
    """Scaling down loses no requests either."""
    wanted = draining(drain=SIGNAL)
    seen = observed(current(wanted), container(slot=2))
    assert kinds(step(wanted, seen)) == ["container.kill web/2"]
    memory = Memory(done={"container.kill:web/2/00000000": NOW - 3.0})
    assert kinds(step(wanted, seen, memory)) == ["container.stop web/2"]


def test_the_holder_of_a_literal_name_is_told_too() -> None:
    """It goes before its successor exists, and leaves in order."""
    wanted = desired(service(container_name="front", rollout=Rollout(drain=HTTP)))
    assert kinds(step(wanted, observed(container(name="front")))) == ["container.http web/1"]


def test_a_failed_replica_is_stopped_without_ceremony() -> None:
    """Nobody depends on what never came up."""
    wanted = draining(drain=SIGNAL, settle=60.0)
    new = current(wanted, health="unhealthy")
    found = step(wanted, observed(container(), new), Memory(attempted=frozenset({new.name})))
    assert [(item.kind, item.target) for item in found.operations] == [("container.stop", new.id)]


def test_a_job_is_told_nothing() -> None:
    """It answers nobody."""
    wanted = desired(service(job=True, rollout=Rollout(drain=SIGNAL)))
    done = current(wanted, status="exited", exit_code=0)
    assert kinds(step(wanted, observed(container(), done))) == ["container.stop web/1"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "no replica is told before it is stopped: a proxy that does not retry may lose requests"),
        ({"drain": SIGNAL}, "told by SIGUSR1 3 s before it is stopped"),
        ({"drain": EXEC}, "told by a command in it 3 s before it is stopped"),
        ({"drain": HTTP}, "told by POST :8080/leave 3 s before it is stopped"),
        ({"order": "stop-first"}, "nothing serves while its only replica is replaced"),
        (
            {"order": "stop-first", "drain": SIGNAL},
            "nothing serves while its only replica is replaced; told by SIGUSR1 3 s before it is stopped",
        ),
    ],
)
def test_the_plan_shows_what_protects_requests(changes: dict[str, Any], words: str) -> None:
    """In words, for each service."""
    assert step(draining(**changes), observed()).services[0].protection == words


HEALTHCHECK = {"Healthcheck": {"Test": ["CMD", "x"]}}


@pytest.mark.parametrize(
    ("changes", "first", "later"),
    [
        ({"rollout": Rollout(monitor=0.0)}, "weak gate: running for 5 s", ""),
        ({"rollout": Rollout(monitor=9.0)}, "weak gate: running for 5 s", ", then watched 9 s"),
        ({"container": HEALTHCHECK, "rollout": Rollout()}, "healthy", ", then watched 30 s"),
        ({"job": True}, "exit 0", ""),
    ],
)
def test_the_plan_shows_the_gate(changes: dict[str, Any], first: str, later: str) -> None:
    """One without a health check is called weak; where nothing ran before, nothing is watched."""
    wanted = desired(service(**changes))
    found = step(wanted, observed()).services[0]
    assert found.gate == first
    assert (found.protection == "") is bool(changes.get("job"))
    assert step(wanted, observed(container())).services[0].gate == first + later
