"""Taking over what docker compose made: which containers are kept, under which labels, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.memory import Memory
from reconciler.model.observed import Container
from reconciler.model.project import Rollout
from reconciler.planner.adoption import adopted, candidates, moved
from tests.support.planning import IMAGE, NOW, container, desired, foreign, observed, project, service

HOLDS_LONG = Rollout(min_running=3600.0, monitor=0.0)
VPN = service("vpn", container_name="gateway", rollout=HOLDS_LONG)
APP = service("app", shares=(("NetworkMode", "vpn"),))


def made(of: str, **changes: Any) -> Container:
    """The first replica of a service as Compose makes it."""
    own = {labels.COMPOSE_PROJECT: "shop", labels.COMPOSE_SERVICE: of, labels.COMPOSE_NUMBER: "1"}
    return replace(container(of), name=f"shop-{of}-1", labels=own, **changes)


GATEWAY = replace(made("vpn"), name="gateway")
JOINED = made("app", networks={}, host_config={"NetworkMode": f"container:{GATEWAY.id}"})


def taken(*seen: Container, chosen: tuple[Container, ...] = (GATEWAY, JOINED)) -> dict[str, dict[str, str]]:
    """The labels that adoption gives, by the id of the container."""
    ids = {item.id for item in chosen}
    memory = adopted(desired(VPN, APP), observed(*seen), Memory(), NOW, ids)
    return {key: dict(found) for key, found in memory.adopted.items()}


def kept(found: dict[str, dict[str, str]]) -> list[str]:
    """The services whose containers stay as they are: they are said to run an image of the spec."""
    return sorted(item[labels.SERVICE] for item in found.values() if item.get(labels.DIGEST) == IMAGE.id)


def test_what_joined_an_owner_that_is_kept_is_kept_with_it() -> None:
    """Though the owner has not been up for as long as a rollout would wait for."""
    assert kept(taken(GATEWAY, JOINED)) == ["app", "vpn"]


@pytest.mark.parametrize(
    ("owner", "joined"),
    [
        (replace(GATEWAY, config={"Env": ["A=2"]}), JOINED),
        (GATEWAY, replace(JOINED, host_config={"NetworkMode": "container:another"})),
    ],
)
def test_what_joined_another_container_is_replaced(owner: Container, joined: Container) -> None:
    """The namespace of an owner that goes ends with it."""
    assert "app" not in kept(taken(owner, joined))


def test_a_literal_name_stays_the_one_of_the_spec() -> None:
    """Also one that looks like a name that Compose gives by itself; what has no such name gets none."""
    found = taken(GATEWAY, JOINED)
    assert (found[GATEWAY.id][labels.NAME], labels.NAME in found[JOINED.id]) == ("gateway", False)
    web = service(container_name="shop-web-1")
    own = adopted(desired(web), observed(made("web")), Memory(), NOW, {made("web").id}).adopted
    assert own[made("web").id][labels.NAME] == "shop-web-1"


def test_only_what_was_chosen_is_taken_over() -> None:
    """What else was inspected has no labels of ours to be told by."""
    assert taken(GATEWAY, JOINED, chosen=(GATEWAY,)).keys() == {GATEWAY.id}


def test_who_made_it_from_another_folder_is_warned() -> None:
    """A project of the same name may be somebody else's; one folder, or an unknown one, is nobody else's."""
    here, there, unknown = (
        foreign(f"shop-web-{number}", compose_project="shop", compose_service="web", working_dir=folder)
        for number, folder in enumerate(("/srv/shop", "/home/other", ""))
    )
    shop = project(service(), working_dir="/srv/shop")
    assert candidates(shop, observed(foreign=(here, there))) == (here.id, there.id)
    assert moved(shop, observed(foreign=(here, unknown))) == ()
    (warning,) = moved(shop, observed(foreign=(here, there)))
    assert (warning.code, warning.source) == ("AdoptedFromElsewhere", "compose.yaml:1")
    assert "from /home/other, and this spec stands in /srv/shop" in warning.message
