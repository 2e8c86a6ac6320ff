from __future__ import annotations

import threading
from time import monotonic, time
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.hub import EngineHub
from reconciler.model import labels
from tests.support.live import LiveWorld, connect, live_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def world() -> LiveWorld:
    """A live engine with one image."""
    made = live_world()
    with made.changed() as engine:
        engine.pull_image("app:1", None, lambda _line: None)
    return made


@pytest.fixture
def hub(world: LiveWorld) -> Iterator[EngineHub]:
    """A hub that follows the engine's events."""
    made, begun = EngineHub(connect(world), time), threading.Event()
    made.subscribe(lambda _projects, _subjects: begun.set())
    with made:
        assert begun.wait(10)
        yield made
    until(lambda: not threads())
    assert (world.open, world.streams) == (0, 0)


def threads() -> list[str]:
    """What the hub's threads are called that run now."""
    ours = {"events", "news", "engine", "reader"}
    return [thread.name for thread in threading.enumerate() if thread.name in ours]


def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait for something that other threads do."""
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, "it does not come about"
        threading.Event().wait(0.002)


def body(project: str, image: str = "app:1") -> dict[str, Any]:
    """A create body of a container of that project; "": of nobody's."""
    own = {labels.PROJECT: project, labels.COMPOSE_PROJECT: project} if project else {}
    return {"Image": image, "Labels": own}
