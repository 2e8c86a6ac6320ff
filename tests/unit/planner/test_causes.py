"""The reason that is given for a change is the one of this change, whatever happened to the service before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.desired import Desired
from reconciler.model.files import Content
from reconciler.model.memory import Memory
from reconciler.model.observed import Container, Endpoint, NetworkState
from reconciler.model.operation import Difference
from reconciler.model.project import Attachment, Rollout
from reconciler.model.step import Step
from tests.support.planning import (
    current,
    desired,
    kinds,
    known_bad,
    observed,
    remembering,
    service,
    stable,
    step,
)


def version(number: int, action: str = "rollback", replicas: int = 1) -> Desired:
    """The definition of that version."""
    rollout = Rollout(min_running=0.0, monitor=0.0, failure_action=action)  # type: ignore[arg-type]
    env = {"Env": [f"A={number}"]}
    return desired(service(container=env, rollout=rollout, replicas=replicas, sources={"environment.A": "c.yaml:5"}))


def runs(number: int, slot: int = 1, **changes: Any) -> Container:
    """A replica of that version that runs."""
    return current(version(number), slot=slot, config={"Env": [f"A={number}"]}, **changes)


def good(number: int, **changes: Any) -> Memory:
    """A memory in which that version came up."""
    wanted = version(number)
    return remembering(stable(wanted.project.services[0], current(wanted).labels[labels.SPEC_HASH]), **changes)


def told(found: Step) -> list[tuple[str, Any, Any, str]]:
    """Field, before, after and reason of each cause."""
    return [(item.field, item.before, item.after, item.reason) for op in found.operations for item in op.cause]


FIRST_TRY = {("web", 1): (Difference("environment.A", "1", "2", "c.yaml:5"),)}


@pytest.mark.parametrize(("action", "now_runs"), [("rollback", 1), ("pause", 2), ("continue", 2)])
def test_the_next_definition_names_its_own_change(action: str, now_runs: int) -> None:
    """Version 2 failed and left its cause behind; 3 comes after what runs now."""
    memory = known_bad(version(2, action), memory=good(1, causes=FIRST_TRY))
    found = step(version(3, action), observed(runs(now_runs)), memory)
    assert kinds(found) == ["container.create web/1"]
    assert told(found) == [("environment.A", str(now_runs), "3", "")]


def test_a_definition_that_comes_in_the_middle_of_another_names_its_own_change() -> None:
    """The one before it was begun with, and nobody waited for its end."""
    halfway = runs(2, status="created", started_at=0.0)
    memory = good(1, causes=FIRST_TRY, attempted=frozenset({halfway.name}))
    found = step(version(3), observed(runs(1), halfway), memory)
    assert told(found) == [("environment.A", "1", "3", "")]


def test_a_cause_is_kept_until_its_replica_is_through() -> None:
    """What shows it may be gone by then; the run that goes on with it gives the same reason."""
    created = runs(2, status="created", started_at=0.0)
    found = step(version(2), observed(created), good(1, causes=FIRST_TRY, attempted=frozenset({created.name})))
    assert kinds(found) == ["container.start web/1"]
    assert told(found) == [("environment.A", "1", "2", "")]


def test_a_failure_ends_what_its_rollout_began_for() -> None:
    """From then on the cause is that it goes back."""
    failed = runs(2, status="exited", exit_code=3)
    memory = good(1, causes=FIRST_TRY, attempted=frozenset({failed.name}))
    seen = observed(failed)
    memory = memory.with_failures(step(version(2), seen, memory).failures)
    found = step(version(2), seen, memory)
    assert kinds(found) == ["container.create web/1"]
    assert told(found) == [("rollback", None, None, "web/1: exited (3)")]


@pytest.mark.parametrize(
    ("left", "cause"),
    [
        (
            [runs(1, status="exited", exit_code=137)],
            ("state", "exited (137)", "running", "web/1 is not running"),
        ),
        ([runs(1, status="paused")], ("state", "paused", "running", "web/1 was paused by hand")),
        ([], ("state", "removed", "running", "web/1 was removed by hand")),
    ],
)
def test_a_replica_that_is_lost_while_rolled_back_says_how(left: list[Container], cause: tuple[Any, ...]) -> None:
    """It went back long ago: that is no reason to make it anew."""
    found = step(version(2), observed(*left), known_bad(version(2), memory=good(1)))
    assert kinds(found) == ["container.create web/1"]
    assert told(found) == [cause]
    assert found.services[0].sync == "Modified"


def test_what_a_rollout_took_away_itself_was_removed_by_nobody() -> None:
    """A fixed name had to be free before the new replica, which the engine then refused to create."""
    memory = good(1)
    failures = known_bad(version(2)).failures
    found = step(version(2), observed(), replace(memory, failures=failures))
    assert told(found) == [("rollback", None, None, "web/1: exited (1)")]


def test_a_removed_replica_says_so() -> None:
    """Not that its definition, or the number of replicas, had changed."""
    found = step(version(1), observed(), good(1))
    assert told(found) == [("state", "removed", "running", "web/1 was removed by hand")]


def test_a_leftover_of_compose_is_named_as_such() -> None:
    """It was made to replace a replica and never ran: nothing that it shows is what the service was."""
    left = runs(1, name="0123456789ab_shop-web-1", status="created", started_at=0.0)
    own = {key: value for key, value in left.labels.items() if key != labels.ROLLOUT}
    left = replace(left, labels={**own, labels.SPEC_HASH: "theirs", labels.COMPOSE_REPLACE: "shop-web-1"})
    found = step(version(2), observed(left))
    reason = "0123456789ab_shop-web-1 was left behind by docker compose and never ran"
    assert set(told(found)) == {("state", "created", None, reason)}


def test_scaling_up_is_a_change_of_the_spec() -> None:
    """Slots that the definition never had are not missing: what held before had fewer."""
    wanted = version(1, replicas=3)
    found = step(wanted, observed(runs(1, 1), runs(1, 2)), _scaled(2))
    assert told(found) == [("deploy.replicas", 2, 3, "web/3 does not exist")]
    assert found.services[0].sync == "OutOfSync"


@pytest.mark.parametrize(("before", "after"), [(2, 3), (3, 2)])
def test_the_number_of_replicas_that_held_follows(before: int, after: int) -> None:
    """After that, one that is missing was removed; the revision stays the same."""
    wanted = version(1, replicas=after)
    replicas = [runs(1, slot) for slot in range(1, after + 1)]
    memory = _scaled(before)
    (held,) = step(wanted, observed(*replicas), memory).stable
    assert (held.service.replicas, held.revision) == (after, 1)
    memory = memory.with_stable("shop", held)
    assert step(wanted, observed(*replicas), memory).stable == ()
    found = step(wanted, observed(*replicas[:-1]), memory)
    assert told(found) == [("state", "removed", "running", f"web/{after} was removed by hand")]
    assert found.services[0].sync == "Modified"


def _scaled(replicas: int) -> Memory:
    """A memory in which version 1 held with that many replicas."""
    held = good(1).stable["web"]
    return remembering(replace(held, service=replace(held.service, replicas=replicas)))


def holding(*contents: Content) -> Desired:
    """The first version, with files that contain this."""
    return desired(replace(version(1).project.services[0], contents=contents))


FILE = Content("volumes./a", "1", origin="./a")
SECRET = Content("secrets.s:/run/secrets/s", "1", origin="secrets.s")
ELSEWHERE = replace(SECRET, field="secrets.s:/s")
OWN = "if its container writes it, say `x-reconcile.mutation.allow: [/a]`"


def other(content: Content, **changes: Any) -> Content:
    """The same file with another content."""
    return replace(content, digest="2", **changes)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ((FILE,), (other(FILE),), "the content of ./a changed"),
        ((FILE,), (other(FILE, writable=True),), f"the content of ./a changed; {OWN}"),
        ((FILE,), (), "the content of ./a is no longer part of the definition"),
        ((), (FILE,), "the content of ./a is part of the definition"),
        ((SECRET, ELSEWHERE), (other(SECRET), other(ELSEWHERE)), "the content of secrets.s changed"),
        ((FILE, SECRET), (FILE, other(SECRET)), "the content of secrets.s changed"),
    ],
)
def test_a_file_that_changed_is_named(before: tuple[Content, ...], after: tuple[Content, ...], reason: str) -> None:
    """Also one that is new or gone; once, where a service has it in several places."""
    was = holding(*before)
    memory = remembering(stable(was.project.services[0], current(was).labels[labels.SPEC_HASH]))
    found = step(holding(*after), observed(current(was, config={"Env": ["A=1"]})), memory)
    assert [told_as for _, _, _, told_as in told(found)] == [reason]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            {"IPAMConfig": {"IPv4Address": "10.9.0.5"}},
            {"IPAMConfig": {"IPv4Address": "10.9.0.6"}},
            ("networks.default.ipv4_address", "10.9.0.5", "10.9.0.6"),
        ),
        ({}, {"MacAddress": "02:42:00:00:00:01"}, ("networks.default.mac_address", None, "02:42:00:00:00:01")),
        ({"GwPriority": 5}, {"GwPriority": 0}, ("networks.default.gw_priority", 5, None)),
    ],
)
def test_what_is_asked_of_a_network_is_named(before: Any, after: Any, expected: tuple[str, Any, Any]) -> None:
    """With the network's key in the spec."""
    was, now = (
        desired(replace(version(1).project.services[0], networks=(Attachment("default", "net", endpoint=endpoint),)))
        for endpoint in (before, after)
    )
    place = {"net": Endpoint("net-id", ("web", "shop-web-1"))}
    old = current(was, config={"Env": ["A=1"]}, networks=place)
    memory = remembering(stable(was.project.services[0], old.labels[labels.SPEC_HASH]))
    network = NetworkState("net-id", "net")
    found = step(now, observed(old, networks=(network,)), memory)
    assert told(found) == [(*expected, "")]
