"""Fixtures for every suite: the real engine, and what cleans up behind a test that used it.

The Docker SDK is imported by the fixtures that need it, never by the fast suites.
"""

from __future__ import annotations

import gc
import os
import uuid
from typing import TYPE_CHECKING

import hypothesis
import pytest

from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.engine.protocol import Engine
    from tests.support.janitor import Janitor

hypothesis.settings.register_profile(  # how long an example takes is the machine's matter
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")
gc.set_threshold(100_000, 50, 50)  # as the program itself: what thousands of tests hold is not worth a look every time


@pytest.fixture(scope="session", autouse=True)
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test remembers anything where the programs of this machine do, asks a service of it, or heeds its settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # the programs that tests start are not measured
        patch.setenv("RECONCILER_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        patch.setenv("RECONCILER_SOCKET", str(tmp_path_factory.mktemp("socket") / "none.sock"))
        patch.setenv("RECONCILER_CONFIG", os.devnull)
        yield


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """The engine that DOCKER_HOST, DOCKER_CONTEXT or the default socket mean; a test that asks for it fails without."""
    from reconciler.engine.docker import connect

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
    """Cleaning up and playing other people on the real engine."""
    from tests.support.janitor import Janitor

    found = Janitor(docker_engine.info())
    yield found
    found.close()


@pytest.fixture(scope="session")
def test_image(janitor: Janitor) -> Iterator[str]:
    """The name of the test image, built on the real engine and removed at the end."""
    from tests.support import image

    janitor.build_image()
    yield image.NAME
    janitor.sweep(image.NAME)


@pytest.fixture
def prefix() -> str:
    """What the names of everything that this test makes on an engine start with; `janitor.sweep` takes it."""
    return f"rct-{uuid.uuid4().hex[:8]}-"
