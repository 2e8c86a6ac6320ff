"""What is suspended is left as it is, whole, and nobody fails for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.memory import Memory
from reconciler.model.observed import Container, NetworkState, Observed
from reconciler.model.project import Attachment, Dependency, HostPort, Network
from reconciler.model.step import Step
from reconciler.model.suspension import Suspension
from tests.support.planning import (
    container,
    current,
    desired,
    foreign,
    kinds,
    known_bad,
    observed,
    reasons,
    remembering,
    service,
    stable,
    step,
)

BY_ALICE = Suspension("the disk is moved", "alice", 1_780_000_000.0)
WEB = Memory(suspended={"web": BY_ALICE})
ALL = Memory(suspended={"": BY_ALICE})
DEAD: dict[str, Any] = {"status": "exited", "exit_code": 1}


def told(found: Step) -> list[tuple[str, str | None]]:
    """What only informs: reason and service."""
    return [(item.reason, item.service) for item in found.conditions if not item.stalls]


def words(name: str) -> str:
    """What is said of a service, or with -p of a project, that alice has suspended."""
    return f"suspended by alice since 2026-05-28 20:26 UTC: the disk is moved; `reconcile resume {name}` to go on"


@pytest.mark.parametrize(
    "seen",
    [
        observed(),
        observed(container("web")),
        observed(container("web", **DEAD)),
        observed(container("web"), container("web", 2)),
        observed(container("web", status="created")),
        observed(current(desired(service()), "web", **DEAD), container("web", status="exited")),
    ],
    ids=["missing", "of another definition", "dead", "one too many", "half made", "half replaced"],
)
def test_a_suspended_service_is_left_as_it_is(seen: Observed) -> None:
    """Whatever is wrong with it: nothing is made, stopped or removed, nothing waits, and nothing failed."""
    found = step(desired(service()), seen, WEB)
    assert (found.operations, found.wake_at, found.failures, found.stalled) == ((), None, (), ())
    (condition,) = found.conditions
    assert (condition.type, condition.status, condition.reason) == ("Reconciling", "False", "Suspended")
    assert condition.message == words("web")
    assert (found.services[0].health, found.services[0].reason) == ("Suspended", "Suspended")
    assert found.services[0].message.startswith(words("web"))


def test_its_sync_is_as_it_compares() -> None:
    """Modified where somebody stopped it, OutOfSync where the spec has moved on, Synced where it is as written."""
    wanted = desired(service())
    up = current(wanted)
    memory = remembering(stable(service(), up.labels[labels.SPEC_HASH]), suspended=WEB.suspended)
    found = {
        name: step(wanted, observed(item), memory).services[0].sync
        for name, item in (("up", up), ("dead", replace(up, **DEAD)), ("old", container()))
    }
    assert found == {"up": "Synced", "dead": "Modified", "old": "OutOfSync"}


def test_the_others_go_on() -> None:
    """A suspended service holds up nobody who does not need it."""
    found = step(desired(service(), service("api")), observed(), WEB)
    assert kinds(found) == ["container.create api/1"]


def test_a_suspended_project_plans_nothing() -> None:
    """No network, no removal, no image either; every service is Suspended."""
    wanted = desired(service(), service("api"), networks=(Network("default", "shop_default"),))
    found = step(wanted, observed(container("gone")), ALL)
    assert (found.operations, found.stalled) == ((), ())
    assert [(item.service, item.message) for item in found.conditions] == [(None, words("-p shop"))]
    assert [(item.name, item.health) for item in found.services] == [("api", "Suspended"), ("web", "Suspended")]
    assert [item.message for item in found.services] == ["api/1 does not exist", "web/1 does not exist"]


def test_a_spec_can_suspend_its_project() -> None:
    """The condition says where, and a person's own suspension comes first."""
    wanted = desired(service(), suspended="compose.yaml:9")
    (condition,) = step(wanted, observed()).conditions
    assert condition.source == "compose.yaml:9"
    assert condition.message == "suspended by compose.yaml:9: take `x-reconcile.suspend` out to go on"
    assert step(wanted, observed(), ALL).conditions[0].message == words("-p shop")


def test_who_takes_a_project_down_means_what_is_suspended_too() -> None:
    """And foreign containers of the project's name hold nobody up: they stay."""
    wanted = replace(desired(allow_empty=True, suspended="compose.yaml:9"), down=True)
    seen = observed(container("web"), foreign=(foreign("other", compose_project="shop"),))
    found = step(wanted, seen, replace(ALL, suspended={**ALL.suspended, **WEB.suspended}))
    assert kinds(found) == ["container.stop web/1"]
    assert reasons(step(replace(wanted, down=False), seen)) == ["Suspended"]
    assert reasons(step(desired(allow_empty=True), seen)) == ["NotOurs"]


def test_what_left_the_spec_is_not_pruned_while_it_is_suspended() -> None:
    """It is told; others that left go."""
    wanted = desired(service())
    memory = Memory(suspended={"old": BY_ALICE, "unknown": BY_ALICE})
    found = step(wanted, observed(current(wanted), container("old"), container("older")), memory)
    assert kinds(found) == ["container.stop older/1"]
    assert told(found) == [("Suspended", "old")]
    assert found.conditions[0].message == (f"old is not in the spec any more and left as it is, {words('old')}")


def test_what_left_the_spec_waits_until_a_suspended_service_is_up() -> None:
    """It may be what still serves in its place."""
    found = step(desired(service()), observed(container("old")), WEB)
    assert (kinds(found), found.stalled) == ([], ())
    assert found.conditions[-1].message == "old will be removed once web, which is suspended, is up"
    up = step(desired(service(), service("api")), observed(container("old")), Memory())
    assert told(up) == []


@pytest.mark.parametrize(
    ("condition", "changes", "operations"),
    [
        ("service_started", {}, ["container.create api/1"]),
        ("service_started", DEAD, []),
        ("service_healthy", {"health": "healthy"}, ["container.create api/1"]),
        ("service_healthy", {"health": "starting"}, []),
        ("service_completed_successfully", {"status": "exited"}, ["container.create api/1"]),
        ("service_completed_successfully", DEAD, []),
        ("service_completed_successfully", {}, []),
    ],
)
def test_dependents_take_it_as_it_is(condition: str, changes: dict[str, Any], operations: list[str]) -> None:
    """Whichever definition it runs; one that is not there yet holds them up, and that is no failure of theirs."""
    api = service("api", depends_on=(Dependency("web", condition),))  # type: ignore[arg-type]
    found = step(desired(service(), api), observed(container("web", **changes)), WEB)
    assert (kinds(found), found.stalled) == (operations, ())
    assert (("Suspended", "api") in told(found)) is (not operations)


def test_a_failed_definition_of_it_fails_no_dependent() -> None:
    """It is quarantined as before, and what runs of it serves."""
    api = service("api", depends_on=(Dependency("web", "service_started"),))
    wanted = desired(service(), api)
    memory = replace(known_bad(wanted), suspended=WEB.suspended)
    found = step(wanted, observed(container("web")), memory)
    assert (kinds(found), found.stalled) == (["container.create api/1"], ())
    down = step(wanted, observed(container("web", **DEAD), container("api")), memory)
    assert (kinds(down), down.stalled) == ([], ())


def test_who_needs_it_over_others_is_held_up_too() -> None:
    """The reason names the one that is suspended; services that need nothing of it are deadlocked as ever."""
    api = service("api", depends_on=(Dependency("cache", "service_healthy"), Dependency("lost", "service_started")))
    cache = service("cache", depends_on=(Dependency("web", "service_healthy"),))
    found = step(desired(service(), cache, api), observed(), WEB)
    assert found.stalled == ()
    assert [item.message for item in found.conditions[1:]] == [
        "cache waits for web to be healthy, while web is suspended",
        "api waits for cache to be healthy, while web is suspended",
    ]


def test_a_namespace_that_a_suspended_service_shares_is_not_taken_from_it() -> None:
    """Its owner's old container runs until the service may join the new one."""
    owner = service("vpn")
    sharer = service(shares=(("NetworkMode", "vpn"),))
    wanted = desired(owner, sharer)
    new = current(wanted, "vpn")
    old = container("vpn")
    joined = container("web", host_config={"NetworkMode": f"container:{old.id}"})
    found = step(wanted, observed(new, old, joined), WEB)
    assert (kinds(found), found.stalled) == ([], ())
    assert told(found) == [("Suspended", "web"), ("Suspended", "vpn")]


def network_of(*users: Container) -> tuple[Network, Observed]:
    """A network that has to be made anew, and an engine on which these use it."""
    network = Network("default", "shop_default", definition={"Internal": True}, source="compose.yaml:5")
    own = {labels.PROJECT: "shop", labels.INSTANCE: "default"}
    return network, observed(*users, networks=(NetworkState("n1", "shop_default", {**own, labels.SPEC_HASH: "old"}),))


def test_a_network_that_it_uses_is_not_made_anew() -> None:
    """Not for anybody: the others stay on the one that there is."""
    network, seen = network_of()
    attached = (Attachment("default", "shop_default"),)
    wanted = desired(service(networks=attached), service("api", networks=attached), networks=(network,))
    found = step(wanted, seen, WEB)
    assert (kinds(found), found.stalled) == (["container.create api/1"], ())
    assert [(item.message, item.source) for item in found.conditions[1:]] == [
        (
            (
                "network shop_default is not made anew for networks.default.internal"
                " while web, which uses it, is suspended"
            ),
            "compose.yaml:5",
        )
    ]
    assert kinds(step(wanted, seen)) == ["network.remove shop_default"]


def test_what_it_holds_it_keeps() -> None:
    """A port that another service needs is not taken from it: that is a conflict for a person to end."""
    port: tuple[HostPort, ...] = (HostPort(80, 80),)
    bound = {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}
    held = container("web", host_config=bound)
    found = step(desired(service("api", ports=port)), observed(held), WEB)
    assert (kinds(found), reasons(found)) == ([], ["Suspended", "Deadlock"])
    assert "host port 80" in found.stalled[0].message


def test_what_comes_up_meanwhile_is_learned() -> None:
    """A suspended service that is as the spec wants it is stable, as any other."""
    wanted = desired(service())
    assert [item.service.name for item in step(wanted, observed(current(wanted)), WEB).stable] == ["web"]
