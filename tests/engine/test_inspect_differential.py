"""The containers, networks and volumes of each compose file are those that Docker Compose makes of it.

`inspected/answers.json` holds what `docker inspect` said after `docker compose up` (2.40, API 1.41), of each container
what sets it apart from that of a service with an image alone (`record_inspected` writes it). The files are brought up
all at once.
"""

from __future__ import annotations

import json
import random
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command import finish
from tests.support.inspection import ANSWERS, CASES, PLAIN, Ground, groups, reduced

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker import APIClient

    from tests.support.command import Site

pytestmark = pytest.mark.engine

API = "1.41"
WITH_PLAIN = "process"  # the file that has the service with an image alone
RECORDED: dict[str, Any] = json.loads(ANSWERS.read_text(encoding="utf-8"))
SERVICES = [(group, service) for group in groups() for service in RECORDED[group]["containers"]]


@pytest.fixture(scope="module")
def found(api: APIClient, new_site: Callable[[], Site]) -> dict[str, Any]:
    """What we make of each file, in the form of the answers."""
    if api.api_version != API:
        pytest.skip(f"the answers are those of Engine API {API}, and this engine speaks {api.api_version}")
    number = random.SystemRandom()
    grounds = {group: _ground(new_site(), number.randrange(200, 250), number.randrange(20, 31)) for group in groups()}
    started = {group: site.start(*_options(group)) for group, (site, _) in grounds.items()}
    for ran in [finish(process, _options(group)) for group, process in started.items()]:
        ran.expect(0)
    made = {group: ground.made(api) for group, (_, ground) in grounds.items()}
    (plain,) = made[WITH_PLAIN]["containers"][PLAIN]
    return {group: reduced(project, plain) for group, project in made.items()}


def _options(group: str) -> tuple[str, ...]:
    return "-f", f"{group}.yaml", "--timeout", "60s"


def _ground(site: Site, network: int, ports: int) -> tuple[Site, Ground]:
    shutil.copytree(CASES, site.folder, dirs_exist_ok=True)
    ground = Ground(site.name, site.folder, site.image, network, ports)
    site.environment.update(ground.variables, COMPOSE_PROJECT_NAME=site.name)
    return site, ground


@pytest.mark.parametrize(("group", "service"), SERVICES)
def test_a_container_is_the_one_that_compose_makes(found: dict[str, Any], group: str, service: str) -> None:
    """Config, HostConfig, mounts, and networks with aliases, of all replicas; names and generated ids aside."""
    assert found[group]["containers"].get(service) == RECORDED[group]["containers"][service]


@pytest.mark.parametrize("group", groups())
def test_no_other_containers_are_made(found: dict[str, Any], group: str) -> None:
    """The services that run are those that Compose runs: profiles hold."""
    assert found[group]["containers"].keys() == RECORDED[group]["containers"].keys()


@pytest.mark.parametrize("kind", ["networks", "volumes"])
@pytest.mark.parametrize("group", groups())
def test_networks_and_volumes_are_those_that_compose_makes(found: dict[str, Any], group: str, kind: str) -> None:
    """Driver, options, labels, addresses and names, of those that a service uses."""
    assert found[group][kind] == RECORDED[group][kind]
