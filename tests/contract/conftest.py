"""The two engines that every test of this suite runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.engine.simulated import SimulatedEngine, Snapshot, VirtualClock
from reconciler.engine.simulated.engine import INFO
from tests.contract.lab import Lab, RealHands, SimulatedHands
from tests.support import image, programs
from tests.support.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["simulated", pytest.param("docker", marks=pytest.mark.engine)])
def lab(request: pytest.FixtureRequest) -> Lab:
    """One engine with the test image on it, and the means to play with it."""
    found: Lab = request.getfixturevalue(f"{request.param}_lab")
    return found


@pytest.fixture
def simulated_lab(prefix: str) -> Lab:
    """A simulated engine that has the test image and nothing else."""
    snapshot = Snapshot(INFO, images=(image.listed(),), image_inspects={image.NAME: image.inspected()})
    engine = SimulatedEngine.seeded(snapshot, VirtualClock(), behaviours=programs.behaviour_of)
    return Lab(engine, SimulatedHands(engine), prefix)


@pytest.fixture
def docker_lab(request: pytest.FixtureRequest) -> Lab:
    """The real engine, swept after the test of what the test made."""
    request.getfixturevalue("test_image")
    prefix = request.getfixturevalue("swept")
    hands = RealHands(request.getfixturevalue("janitor"), request.getfixturevalue("registry"))
    return Lab(request.getfixturevalue("docker_engine"), hands, prefix)


@pytest.fixture(scope="session")
def registry(request: pytest.FixtureRequest) -> Iterator[Registry]:
    """A registry that the real engine can pull from; its images are removed at the end."""
    running = Registry()
    yield running
    running.close()
    request.getfixturevalue("janitor").sweep("rct-image")
