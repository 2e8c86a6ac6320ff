"""The engines that every test of this suite runs on: two simulated ones, one as threads share it, and a real one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reconciler.engine.shared import SharedEngine
from reconciler.engine.simulated import SimulatedEngine, Snapshot, VirtualClock
from reconciler.engine.simulated.engine import INFO
from tests.contract import drains
from tests.contract.lab import Lab, RealHands, SimulatedHands
from tests.support import image
from tests.support.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.engine.protocol import Engine
    from reconciler.model.observed import EngineInfo
    from tests.support.janitor import Janitor


@pytest.fixture(params=["simulated", "modern", "shared", pytest.param("docker", marks=pytest.mark.engine)])
def lab(request: pytest.FixtureRequest) -> Lab:
    """One engine with the test image on it, and the means to play with it."""
    found: Lab = request.getfixturevalue(f"{request.param}_lab")
    return found


@pytest.fixture
def simulated_lab(prefix: str) -> Lab:
    """A simulated engine of the oldest API, with the test image and nothing else."""
    return simulated(INFO, prefix)


@pytest.fixture
def modern_lab(prefix: str) -> Lab:
    """A simulated engine of the newest API that was tested."""
    return simulated(replace(INFO, api="1.51"), prefix)


@pytest.fixture
def shared_lab(simulated_lab: Lab) -> Lab:
    """A simulated engine as many threads share it."""
    return replace(simulated_lab, engine=SharedEngine(simulated_lab.engine))


def simulated(info: EngineInfo, prefix: str) -> Lab:
    """A simulated engine that has the test image."""
    snapshot = Snapshot(info, images=(image.listed(),), image_inspects={image.NAME: image.inspected()})
    engine = SimulatedEngine.seeded(snapshot, VirtualClock(), behaviours=drains.behaviour_of)
    return Lab(engine, SimulatedHands(engine), prefix)


@pytest.fixture
def docker_lab(
    docker_engine: Engine, janitor: Janitor, registry: Registry, test_image: str, prefix: str
) -> Iterator[Lab]:
    """The real engine, swept after the test of what the test made."""
    found = Lab(docker_engine, RealHands(janitor, registry), prefix)
    yield found
    janitor.sweep(prefix)
    janitor.remove_volumes(found.volumes)


@pytest.fixture(scope="session")
def registry(janitor: Janitor) -> Iterator[Registry]:
    """A registry that the real engine can pull from; its images are removed at the end."""
    running = Registry()
    yield running
    running.close()
    janitor.sweep("rct-image")
