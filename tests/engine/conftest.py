"""Fixtures of the suites that run the program by its command line on the real engine."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import APIClient

    from reconciler.engine.protocol import Engine
    from tests.support.command import Site


@pytest.fixture(scope="session")
def api(docker_engine: Engine) -> Iterator[APIClient]:
    """A connection of the tests' own to the default engine."""
    from tests.support.command import api_client

    client = api_client(docker_engine.info())
    yield client
    client.close()


@pytest.fixture(scope="session")
def plain_image(api: APIClient) -> Iterator[str]:
    """An image with a shell, without health check or volumes, that dies at once when stopped."""
    from tests.support.command import build

    name = f"rce-image-{uuid.uuid4().hex[:8]}:1"
    build(api, name)
    yield name
    api.remove_image(name)


@pytest.fixture(scope="module")
def new_site(
    api: APIClient, plain_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Site]]:
    """Makes empty folders for specs of projects that nobody else has; all are cleaned up with the module."""
    from tests.support.command import Site

    made: list[Site] = []

    def make() -> Site:
        made.append(Site(f"rce-{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("site"), api, plain_image))
        return made[-1]

    yield make
    for one in made:
        one.sweep()


@pytest.fixture
def site(new_site: Callable[[], Site]) -> Iterator[Site]:
    """An empty folder for the spec of a project that nobody else has; cleaned up afterwards."""
    found = new_site()
    yield found
    found.sweep()
