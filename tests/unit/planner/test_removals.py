"""How many services one pass may remove."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.observed import Endpoint, NetworkState, Observed
from reconciler.model.project import Attachment, Network
from reconciler.model.suspension import Suspension
from tests.support.planning import container, current, desired, kinds, observed, reasons, service, step


def project_of(wanted: int, gone: int, **changes: Any) -> tuple[Desired, Observed]:
    """A project of so many services that run as wanted, after as many others have left its spec."""
    want = desired(*(service(f"s{number:02}") for number in range(wanted)), **changes)
    stay = (current(want, f"s{number:02}") for number in range(wanted))
    return want, observed(*stay, *(container(f"g{number:02}") for number in range(gone)))


@pytest.mark.parametrize(
    ("wanted", "gone", "refused"),
    [(1, 3, False), (0, 3, False), (1, 4, True), (6, 4, True), (10, 4, False), (14, 6, False), (13, 6, True)],
)
def test_three_in_ten_may_go_and_three_of_however_many(wanted: int, gone: int, refused: bool) -> None:
    """Of those that run and those that are wanted together; a share counts whole services only."""
    want, seen = project_of(wanted, gone, allow_empty=False)
    want = want if wanted else replace(want, project=replace(want.project, services=(service("new"),)))
    found = step(want, seen)
    assert (reasons(found) == ["TooManyRemoved"]) is refused
    assert ("container.stop g00/1" in kinds(found)) is (not refused and bool(wanted))


def test_it_says_what_left_and_what_lets_it_go() -> None:
    """By name, the first ten."""
    (condition,) = step(*project_of(6, 4)).conditions
    assert (condition.type, condition.service, condition.source) == ("Stalled", None, "compose.yaml:1")
    assert condition.message == (
        "4 of 10 services are not in the spec any more (g00, g01, g02, g03), and one pass removes at most 3: nothing is"
        " removed; if they are to go, pass --allow-empty or set x-reconcile.allow_empty: true"
    )
    assert "g08, g09 and 2 more)" in step(*project_of(6, 12)).conditions[0].message


def test_the_share_is_a_setting() -> None:
    """Never less than three services."""
    want, seen = project_of(4, 6)
    assert reasons(step(want, seen)) == ["TooManyRemoved"]
    assert reasons(step(replace(want, max_removed=0.6), seen)) == []
    assert reasons(step(replace(want, max_removed=0.0), seen)) == ["TooManyRemoved"]
    want, seen = project_of(9, 3)
    assert reasons(step(replace(want, max_removed=0.0), seen)) == []


def test_everything_else_goes_on() -> None:
    """What is new is made, what died comes back; networks that left the spec stay with those that use them."""
    want, seen = project_of(6, 4)
    want = replace(want, project=replace(want.project, services=(*want.project.services, service("new"))))
    own = {labels.PROJECT: "shop", labels.INSTANCE: "default"}
    found = step(want, replace(seen, networks=(NetworkState("n1", "shop_old", own),)))
    assert kinds(found) == ["container.create new/1"]
    assert reasons(found) == ["TooManyRemoved"]


@pytest.mark.parametrize("allowed", [{"allow_empty": True}, {"disabled": frozenset({"g00"})}])
def test_it_is_allowed_by_the_spec_or_not_counted(allowed: dict[str, Any]) -> None:
    """allow_empty lets any number go, and services of a disabled profile did not leave the spec."""
    found = step(*project_of(6, 4, **allowed))
    assert reasons(found) == []
    assert "container.stop g01/1" in kinds(found)


def test_without_pruning_nothing_is_counted() -> None:
    """--no-prune removes nothing anyway."""
    want, seen = project_of(6, 4)
    found = step(replace(want, prune=False), seen)
    assert (reasons(found), len(found.notices)) == ([], 4)


def test_what_is_suspended_is_not_counted() -> None:
    """It stays anyway."""
    want, seen = project_of(6, 4)
    found = step(want, seen, Memory(suspended={"g00": Suspension("", "alice", 1.0)}))
    assert [item.reason for item in found.stalled] == []


def test_nobody_is_stopped_for_a_network_on_which_what_stays_is() -> None:
    """A changed network cannot be made anew while a service that is not removed uses it."""
    network = Network("default", "shop_default", definition={"Internal": True})
    own = {labels.PROJECT: "shop", labels.INSTANCE: "default", labels.SPEC_HASH: "old"}
    want, seen = project_of(6, 4, networks=(network,))
    attached = (Attachment("default", "shop_default"),)
    want = replace(
        want,
        project=replace(
            want.project, services=tuple(replace(item, networks=attached) for item in want.project.services)
        ),
    )
    on_it = {"shop_default": Endpoint("n1")}
    seen = replace(
        seen,
        networks=(NetworkState("n1", "shop_default", own),),
        containers=tuple(replace(item, networks=on_it) for item in seen.containers),
    )
    found = step(want, seen)
    assert not [kind for kind in kinds(found) if kind.startswith(("container.stop", "network.remove"))]
    assert sorted(reasons(found)) == ["Blocked", "TooManyRemoved"]
    assert "too many services left the spec at once" in found.conditions[0].message
