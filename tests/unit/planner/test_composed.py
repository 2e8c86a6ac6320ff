"""What docker compose made: which replica each container is, what is nobody's replica."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.observed import Container
from reconciler.planner.composed import given_slots, is_leftover, literal_name
from tests.support.planning import container


def made(number: str = "1", **changes: Any) -> Container:
    """A replica of web as Compose makes it."""
    own = {labels.COMPOSE_PROJECT: "shop", labels.COMPOSE_SERVICE: "web", labels.COMPOSE_NUMBER: number}
    plain = replace(container(), id=f"id-{number}", name=f"shop-web-{number}", labels=own)
    return replace(plain, **changes)


def left(number: str = "1") -> Container:
    """What a failed run leaves."""
    whole = made(number, id=f"left-{number}", name=f"0123456789ab_shop-web-{number}", status="created")
    return replace(whole, labels={**whole.labels, labels.COMPOSE_REPLACE: f"shop-web-{number}"})


def slots(*containers: Container, replicas: int = 2, taken: tuple[int, ...] = ()) -> list[int]:
    """The slots, in the order of the arguments."""
    found = given_slots(containers, replicas, taken)
    return [found[item.id] for item in containers]


def test_a_replica_keeps_its_number() -> None:
    """Slot 1 is what Compose calls 1; what is beyond the wanted number stays beyond it."""
    assert slots(made("2"), made("1"), made("3")) == [2, 1, 3]


def test_a_gap_is_filled() -> None:
    """Compose never fills one: after a removal web-4 may be the second of two."""
    assert slots(made("4"), made("2")) == [1, 2]
    assert slots(made("x"), made("2")) == [1, 2]


def test_what_runs_comes_before_what_does_not() -> None:
    """A dead container does not take the place of a replica that serves."""
    assert slots(made("1", status="exited"), made("4"), replicas=1) == [2, 1]
    assert slots(made("1", status="exited"), made("2")) == [1, 2]


def test_two_of_one_number_are_two_replicas() -> None:
    """The older one keeps it."""
    assert slots(made("1", id="b", created_at=9.0), made("1", id="a", created_at=1.0)) == [2, 1]


def test_slots_of_our_own_are_taken() -> None:
    """What Compose adds beside replicas of ours comes after them."""
    assert slots(made("1"), replicas=2, taken=(1,)) == [2]


def test_a_leftover_is_nobodys_replica() -> None:
    """It has no slot, unless nothing else tells what was in it: its anonymous volumes are the slot's."""
    assert slots(left("1"), made("1")) == [0, 1]
    assert slots(left("2"), made("1")) == [2, 1]
    assert slots(left("3"), made("1")) == [0, 1]


def test_what_compose_recreated_is_no_leftover() -> None:
    """Its label stays when the container is given its name."""
    recreated = replace(left(), name="shop-web-1")
    assert (is_leftover(left()), is_leftover(recreated)) == (True, False)
    assert not is_leftover(replace(left(), status="running"))
    assert not is_leftover(made(status="created"))


@pytest.mark.parametrize(
    ("name", "literal"),
    [
        ("shop-web-1", None),
        ("shop_web_12", None),
        ("0123456789ab_shop-web-1", None),
        ("gateway", "gateway"),
        ("shop-web", "shop-web"),
    ],
)
def test_a_literal_name_is_one_that_compose_does_not_give(name: str, literal: str | None) -> None:
    """Both spellings of Compose's own names are known."""
    assert literal_name("shop", "web", made(name=name)) == literal
