"""What an engine tells of what happens on it, and that health probes do not drown it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from reconciler.engine.events import Event, read_event
from reconciler.model import labels
from tests.contract.lab import LABELS
from tests.support import image, programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.contract.lab import Lab

OURS = {**LABELS, labels.PROJECT: "shop", labels.COMPOSE_PROJECT: "shop"}


class Followed:
    """A stream of events, which ends by itself where what a test waits for does not come."""

    def __init__(self, lab: Lab) -> None:
        self._engine = lab.engine.clone()
        self._events = self._engine.events()
        self._timer = threading.Timer(20, self._engine.close)
        self._timer.start()
        self.seen: list[Event] = []

    def until(self, action: str, concerns: str) -> Event:
        """The next event of that action that concerns that container, network, volume or image."""
        for raw in self._events:
            self.seen.append(read_event(raw))
            if self.seen[-1].action == action and concerns in {self.seen[-1].subject, self.seen[-1].container}:
                return self.seen[-1]
        pytest.fail(f"no {action} of {concerns} among {self.seen}")

    def close(self) -> None:
        """Follow no more."""
        self._timer.cancel()
        self._engine.close()


@pytest.fixture
def follow(lab: Lab) -> Iterator[Callable[[], Followed]]:
    followed: list[Followed] = []

    def begin() -> Followed:
        followed.append(Followed(lab))
        return followed[-1]

    yield begin
    for stream in followed:
        stream.close()


def test_a_containers_life(lab: Lab, follow: Callable[[], Followed]) -> None:
    """Each event says whose the container is, by its labels, and which image it was made of."""
    events = follow()
    container = lab.run("one", Labels=OURS)
    for action in ("create", "start"):
        event = events.until(action, container)
        assert (event.kind, event.project, event.image) == ("container", "shop", image.NAME)
    lab.hands.kill(container)
    assert events.until("die", container).project == "shop"
    lab.engine.remove_container(container)
    assert events.until("destroy", container).project == "shop"


def test_what_people_do_to_a_container(lab: Lab, follow: Callable[[], Followed]) -> None:
    """Everything that an engine lets them change in place."""
    container, events = lab.run("one"), follow()
    lab.hands.pause(container)
    assert events.until("pause", container).container == container
    lab.hands.unpause(container)
    events.until("unpause", container)
    lab.hands.update(container, 1 << 27)
    events.until("update", container)
    lab.hands.rename(container, lab.name("other"))
    events.until("rename", container)


def test_networks(lab: Lab, follow: Callable[[], Followed]) -> None:
    """Joining and leaving one names the container, which no label does there."""
    container, events = lab.run("one", HostConfig={"NetworkMode": "bridge"}), follow()
    network = lab.engine.create_network(lab.name("net"), {"Labels": LABELS})
    assert events.until("create", network) == Event("network", "create", network)
    lab.engine.connect_network(network, container, {})
    assert events.until("connect", container) == Event("network", "connect", network, container)
    lab.hands.disconnect(network, container)
    assert events.until("disconnect", container) == Event("network", "disconnect", network, container)
    lab.engine.remove_network(network)
    assert events.until("destroy", network) == Event("network", "destroy", network)


def test_volumes_and_images(lab: Lab, follow: Callable[[], Followed]) -> None:
    """An image that gets a name says which; one that loses it only says its id."""
    events, volume = follow(), lab.name("data")
    lab.volumes.add(volume)
    lab.engine.create_volume(volume, {"Labels": LABELS})
    assert events.until("create", volume) == Event("volume", "create", volume)
    identifier = lab.engine.inspect_image(image.NAME)["Id"]
    lab.engine.tag_image(image.NAME, lab.name("image"), "1")
    assert events.until("tag", identifier) == Event("image", "tag", identifier, image=lab.name("image:1"))
    lab.engine.remove_image(lab.name("image:1"))
    assert events.until("untag", identifier) == Event("image", "untag", identifier)


def test_a_pull(lab: Lab, follow: Callable[[], Followed]) -> None:
    """It names the repository."""
    events = follow()
    reference, _ = lab.hands.push("events", "content")
    lab.engine.pull_image(reference, None, lambda _line: None)
    event = events.until("pull", reference)
    assert event.image.startswith(reference.removesuffix(":events"))


def test_health_without_its_probes(lab: Lab, follow: Callable[[], Followed]) -> None:
    """A probe makes three events every time it runs; what it finds out is one, and the only one."""
    events = follow()
    container = lab.run("one", Healthcheck=programs.PASSING)
    lab.hands.wait(1.5)
    assert events.until("health_status", container).container == container
    lab.hands.kill(container)
    events.until("die", container)
    assert {event.action for event in events.seen if event.container == container} <= {
        "create",
        "start",
        "connect",
        "disconnect",
        "health_status",
        "die",
    }
