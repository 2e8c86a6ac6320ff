"""What memory forgets, so that it does not grow with time."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from reconciler.model import labels
from reconciler.model.keys import container_key, up_key
from reconciler.model.memory import Failure, Memory, Restarts
from reconciler.model.observed import VolumeState
from reconciler.model.project import Network
from reconciler.model.tidying import FAILURES_KEPT, known_services, tidied, without_the_gone
from tests.support.planning import container, observed, project, service, stable

WEB = container("web")
SEEN = observed(WEB, volumes=(VolumeState("v1"),))
SHOP = project(service("web"), networks=(Network("default", "shop_default"),))
KEY = container_key(WEB)
KEPT = Memory(
    failures={("web", "bad"): Failure("web", "bad", "Exited", "")},
    stable={"web": stable(service("web"))},
    attempted=frozenset({WEB.name}),
    causes={("web", 1): ()},
    volumes={("web", 1): {"/data": "v1"}, ("old", 1): {"/data": "v1", "/more": "gone"}},
    removed={("web", 1): WEB},
    up={up_key(WEB): 3.0},
    done={f"container.kill:{KEY}": 3.0, f"network.connect:{KEY}:shop_default": 3.0},
    restarts={("web", 1): Restarts(1, 3.0)},
    subnets={"shop_default": {}},
    addresses={f"{WEB.id}:shop_default": {}},
)
GONE = Memory(
    failures={("old", "bad"): Failure("old", "bad", "Exited", "")},
    stable={"old": stable(service("old"))},
    attempted=frozenset({"shop-old-1-00000000"}),
    causes={("old", 1): ()},
    volumes={("old", 2): {"/data": "gone"}},
    removed={("old", 1): WEB},
    up={"another@1.0": 3.0, f"{WEB.id}@9.0": 3.0},
    done={"container.kill:old/1/00000000": 3.0, "network.connect:web/1/another:shop_default": 3.0},
    restarts={("old", 1): Restarts(1, 3.0)},
    subnets={"shop_old": {}},
    addresses={"another:shop_default": {}},
)
BOUNDED_ELSEWHERE = {
    *("made", "baselines", "adopted", "adopted_networks"),
    *("sightings", "verified", "compared", "images"),
    *("failed_operations", "refused", "quarantined", "earlier", "suspended"),
}


def both(name: str) -> Any:
    """What of a field is kept and what is not, together."""
    kept, gone = getattr(KEPT, name), getattr(GONE, name)
    return kept | gone if isinstance(kept, frozenset) else {**kept, **gone}


def test_what_belongs_to_nothing_goes_and_the_rest_stays() -> None:
    """Field by field: of services, of containers, of networks, of volumes that there are no more."""
    names = [field.name for field in fields(Memory) if field.name not in BOUNDED_ELSEWHERE]
    everything = replace(Memory(), **{name: both(name) for name in names})
    found = tidied(everything, SHOP, SEEN, known_services(SHOP, SEEN))
    assert {name: getattr(found, name) for name in names} == {name: getattr(KEPT, name) for name in names}


def test_every_field_of_memory_is_bounded_by_something() -> None:
    """A new field is either tidied here, and so in these values, or bounded elsewhere, and so in that list."""
    touched = {field.name for field in fields(Memory) if getattr(KEPT, field.name)}
    assert touched | BOUNDED_ELSEWHERE == {field.name for field in fields(Memory)}
    assert not touched & BOUNDED_ELSEWHERE


def test_services_that_are_known_are_those_of_the_spec_and_those_that_run() -> None:
    """Of disabled profiles too."""
    shop = project(service("web"), disabled=frozenset({"debug"}))
    assert known_services(shop, observed(container("old"))) == {"web", "debug", "old"}


def test_of_many_bad_definitions_the_newest_stay() -> None:
    """Twenty of each service."""
    many = {("web", str(at)): Failure("web", str(at), "Exited", "", at=at) for at in range(FAILURES_KEPT + 5)}
    memory = Memory(failures={**many, ("api", "x"): Failure("api", "x", "Exited", "")})
    found = tidied(memory, SHOP, SEEN, {"web", "api"})
    assert {key for _, key in found.failures} == {*(str(at) for at in range(5, FAILURES_KEPT + 5)), "x"}


def test_what_is_new_on_the_engine_is_learned_and_what_is_gone_forgotten() -> None:
    """Containers by id, networks that were taken over too."""
    memory = Memory(made={"gone": "a"}, baselines={"gone": ()}, adopted_networks=frozenset({"n1"}))
    found = without_the_gone(memory, SEEN)
    assert (found.made, found.baselines, found.adopted_networks) == ({WEB.id: WEB.name}, {}, frozenset())


def test_where_nothing_is_left_jobs_run_again() -> None:
    """The project was taken down: what services came up with is known still."""
    job = replace(service("init"), job=True)
    memory = Memory(
        stable={"init": stable(job), "web": stable(service("web"))},
        restarts={("web", 1): Restarts(1, 3.0)},
        attempted=frozenset({"x"}),
    )
    found = without_the_gone(memory, observed())
    assert (set(found.stable), found.restarts, found.attempted) == ({"web"}, {}, frozenset())


def test_an_operations_id_names_its_container() -> None:
    """As the planner makes them."""
    assert f"web/1/{WEB.labels[labels.ROLLOUT]}" == KEY
