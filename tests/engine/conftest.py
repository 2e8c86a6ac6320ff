"""Fixtures of the suites that run the program by its command line on the real engine.

All that the program says to the engine goes through a recording proxy, and a test in which it says what it must not
fails. What tests do by hand goes to the engine directly.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import APIClient

    from reconciler.engine.protocol import Engine
    from tests.support.command import Site
    from tests.support.guard import Guard
    from tests.support.janitor import Janitor
    from tests.support.registry import Registry

BY_HAND = {"test_fields_roundtrip"}  # modules that ask the engine what it makes of a body, and never run the program


@pytest.fixture(scope="session")
def engine_host() -> str:
    """Where the default engine listens, the recording proxy aside."""
    from reconciler.engine.docker_connect import resolve_target

    return resolve_target(None, None, os.environ).host


@pytest.fixture(scope="session", autouse=True)
def guard(engine_host: str) -> Iterator[Guard]:
    """What judges the program's requests: DOCKER_HOST is the proxy's socket for the whole session."""
    from tests.support.guard import Guard
    from tests.support.proxy import tapped

    found = Guard()
    if "unix://" not in engine_host:
        pytest.fail(f"the engine is to listen on a socket of this machine, not {engine_host}: its requests are judged")
    with (
        tempfile.TemporaryDirectory(prefix="rct-") as folder,
        tapped(engine_host.partition("://")[2], Path(folder) / "engine.sock") as tap,
        pytest.MonkeyPatch.context() as patch,
    ):
        tap.on_request = found.on_request
        patch.setenv("DOCKER_HOST", tap.host)
        yield found


@pytest.fixture(scope="module", autouse=True)
def reached(request: pytest.FixtureRequest, guard: Guard, engine_host: str) -> Iterator[None]:
    """The proxy for the length of a module, the engine itself where all clients of a module are the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        if request.module.__name__.rpartition(".")[2] in BY_HAND:
            patch.setenv("DOCKER_HOST", engine_host)
        yield
    assert guard.verdicts() == []


@pytest.fixture(autouse=True)
def never_mutates(guard: Guard) -> Iterator[None]:
    """Fails the test where the program asked for anything besides what rule 1 of the architecture allows."""
    yield
    assert guard.verdicts() == []


@pytest.fixture(scope="session")
def docker_engine(guard: Guard) -> Iterator[Engine]:
    """The program's own connection, seen by the guard."""
    from reconciler.engine.docker import connect

    engine = connect()
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def janitor(docker_engine: Engine, engine_host: str) -> Iterator[Janitor]:
    """Cleaning up and playing other people, past the guard."""
    from tests.support.janitor import Janitor

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", engine_host)
        found = Janitor(docker_engine.info())
    yield found
    found.close()


@pytest.fixture(scope="session")
def api(docker_engine: Engine, engine_host: str) -> Iterator[APIClient]:
    """A connection of the tests' own to the default engine, past the guard."""
    from tests.support.command import api_client

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", engine_host)
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


@pytest.fixture
def registry(site: Site, api: APIClient) -> Iterator[Registry]:
    """A registry of this process; what was pulled from it is removed afterwards."""
    from tests.support.registry import Registry

    found = Registry()
    host = found.host
    yield found
    found.close()
    site.sweep()
    for row in api.images():
        for name in [*(row["RepoTags"] or []), *(row["RepoDigests"] or [])]:
            if name.startswith(f"{host}/"):
                api.remove_image(row["Id"], force=True)
                break
