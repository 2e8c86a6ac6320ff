"""What the service stands on, where that changes under it."""

from __future__ import annotations

from dataclasses import replace
from time import time
from typing import TYPE_CHECKING

from reconciler.hub import stream
from reconciler.service.grounds import RealGround
from tests.support.live import connect, live_world
from tests.unit.hub.conftest import until

if TYPE_CHECKING:
    import pytest


def test_the_service_goes_by_the_time_that_the_engine_has_by_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clock may have been set while it was away."""
    monkeypatch.setattr(stream, "FIRST_PAUSE", 0.01)
    world = live_world()
    ground = RealGround(connect(world))
    ground.begin()
    until(lambda: world.streams)
    world.engine.world.info = replace(world.engine.info(), clock_offset=3600.0)
    world.lose()
    until(lambda: ground.engine.info().clock_offset)
    assert ground.surroundings.now() - time() > 3000
    assert ground.executor("shop").now() - time() > 3000
    ground.close()
    assert world.open == 0
