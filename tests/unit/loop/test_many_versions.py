"""A repository in which more versions are new than are looked at: one that has cooled down is found all the same."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING

import pytest

from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.settings import Settings
from reconciler.model.memory import Memory
from reconciler.model.project import Following, Image
from reconciler.registries import Registries
from reconciler.resolving import MOST_CANDIDATES, Resolver
from tests.support.planning import container, observed, service
from tests.support.standin import Asked, Clock, Reply, StandIn, index, manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR = 3600.0


@pytest.fixture
def tags() -> list[str]:
    """What is pushed; a test adds to it."""
    return ["1.0.0"]


@pytest.fixture
def server(tags: list[str]) -> Iterator[StandIn]:
    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/tags/list"):
            return Reply(headers={"Content-Type": "application/json"}, body=json.dumps({"tags": tags}).encode())
        return manifest(index(asked.path))

    started = StandIn(answer)
    yield started
    started.close()


def test_a_version_an_hour_and_a_cooldown_of_a_day(server: StandIn, tags: list[str]) -> None:
    """Each version is followed a day after it came, though ten newer ones are cooling down by then."""
    name = f"{server.host}/app"
    web = service(image=Image(f"{name}:1.0.0", following=Following("semver", cooldown=24 * HOUR)))
    registries = Registries(RegistryClient(lambda _host: None, Settings(())))
    runs = observed(container(image=f"{name}:1.0.0", labels={"io.reconciler.image": f"{name}:1.0.0"}))
    clock, memory, followed = Clock(), Memory(), []
    resolver = Resolver(registries, None, clock, UTC)
    for hour in range(24 + MOST_CANDIDATES):
        clock.now = hour * HOUR
        tags.append(f"1.0.{hour + 1}")
        resolution = resolver.resolve((web,), runs, memory)
        memory = resolution.memory
        followed.append(resolution.targets["web"].reference)
    registries.close()
    assert followed[-2:] == [f"{name}:1.0.{MOST_CANDIDATES - 1}", f"{name}:1.0.{MOST_CANDIDATES}"]
