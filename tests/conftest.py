"""Fixtures for every suite: the real engine, and what cleans up behind a test that used it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.engine.protocol import Engine
    from tests.support.janitor import Janitor


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """The engine that DOCKER_HOST, DOCKER_CONTEXT or the default socket mean; a test that asks for it fails without."""
    from reconciler.engine.docker import connect  # noqa: PLC0415 - the fast suites never load the Docker SDK

    try:
        engine = connect()
    except ReconcilerError as error:
        pytest.fail(
            f"this test needs a Docker Engine: {error}; without one, run: pytest -m 'not engine'", pytrace=False
        )
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def janitor(docker_engine: Engine) -> Iterator[Janitor]:
    """Cleaning up and playing other people on the real engine; at the end nothing named `rct-*` of ours is left."""
    from tests.support.janitor import Janitor  # noqa: PLC0415 - the fast suites never load the Docker SDK

    found = Janitor(docker_engine.info())
    yield found
    found.close()


@pytest.fixture(scope="session")
def test_image(janitor: Janitor) -> str:
    """The name of the test image, built on the real engine. It stays there: the next run finds it in the cache."""
    from tests.support import image  # noqa: PLC0415

    janitor.build_image()
    return image.NAME


@pytest.fixture
def prefix() -> str:
    """What the names of everything that this test makes on an engine start with; no other test's do."""
    return f"rct-{uuid.uuid4().hex[:8]}-"


@pytest.fixture
def swept(janitor: Janitor, prefix: str) -> Iterator[str]:
    """The prefix; whatever the real engine has of it afterwards is removed."""
    yield prefix
    janitor.sweep(prefix)
