"""A lab is an engine under test, with what differs between real and simulated ones: time, other people, registries."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from reconciler.engine.simulated import SimulatedEngine, outside
from reconciler.model.observed import RegistryAnswer
from tests.support import image, programs
from tests.support.registry import tiny_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.engine.protocol import Engine
    from tests.support.janitor import Janitor
    from tests.support.programs import Program
    from tests.support.registry import Registry

POLL = 0.03
LABELS = {image.LABEL: "1"}


class Hands(Protocol):
    """What somebody else does to the engine."""

    def pause(self, container: str) -> None:
        """`docker pause`."""

    def unpause(self, container: str) -> None:
        """`docker unpause`."""

    def rename(self, container: str, name: str) -> None:
        """`docker rename`."""

    def update(self, container: str, memory: int) -> None:
        """`docker update --memory`."""

    def kill(self, container: str) -> None:
        """`docker kill`."""

    def remove(self, container: str) -> None:
        """`docker rm -f`."""

    def disconnect(self, network: str, container: str) -> None:
        """`docker network disconnect`."""

    def push(self, tag: str, content: str) -> tuple[str, str]:
        """Put an image into a registry; its reference there (the tag included), and its digest."""

    def wait(self, seconds: float) -> None:
        """Let that much time pass on the engine."""


@dataclass
class Lab:
    """One engine under test. Everything it makes has a name that starts with `prefix`, or is in `volumes`."""

    engine: Engine
    hands: Hands
    prefix: str
    volumes: set[str] = field(default_factory=set)

    def name(self, text: str) -> str:
        """A name for this test alone."""
        return f"{self.prefix}{text}"

    def create(self, text: str, program: Program = programs.STAY, **body: Any) -> str:
        """The id of a new container of the test image, without a health check unless `body` says so."""
        container = self.engine.create_container(self.name(text), self.body(program, **body))
        self.volumes |= {mount["Name"] for mount in self.inspect(container)["Mounts"] if mount["Type"] == "volume"}
        return container

    def body(self, program: Program = programs.STAY, **body: Any) -> dict[str, Any]:
        """A create body: the program on no network, without a health check, changed by `body`."""
        made = {"Image": image.NAME, "Healthcheck": programs.NO_PROBE, "Labels": dict(LABELS), **program.body()}
        host_config = made["HostConfig"] | body.pop("HostConfig", {})
        return {**made, **body, "HostConfig": host_config}

    def run(self, text: str, program: Program = programs.STAY, **body: Any) -> str:
        """The id of a new container, started."""
        container = self.create(text, program, **body)
        self.engine.start_container(container)
        return container

    def network(self, text: str, **body: Any) -> str:
        """The name of a new network."""
        self.engine.create_network(self.name(text), {"Labels": LABELS, **body})
        return self.name(text)

    def inspect(self, container: str) -> dict[str, Any]:
        """The container's inspect document."""
        return self.engine.inspect_container(container)

    def state(self, container: str) -> dict[str, Any]:
        """State of its inspect document."""
        state: dict[str, Any] = self.inspect(container)["State"]
        return state

    def row(self, container: str) -> dict[str, Any]:
        """Its row in the list."""
        return next(row for row in self.engine.list_containers() if row["Id"] == container)

    def until(self, container: str, seconds: float, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Its inspect document once the condition holds; fails where it does not within the time."""
        waited = 0.0
        while not condition(document := self.inspect(container)):
            assert waited < seconds, f"not within {seconds} s: {document['State']}"
            self.hands.wait(POLL)
            waited += POLL
        return document

    def until_status(self, container: str, status: str, seconds: float = 5.0) -> dict[str, Any]:
        """Its inspect document once State.Status is that."""
        return self.until(container, seconds, lambda document: document["State"]["Status"] == status)


@dataclass
class SimulatedHands:
    """Somebody else, on a simulated engine."""

    engine: SimulatedEngine
    answers: dict[str, RegistryAnswer] = field(default_factory=dict)

    def pause(self, container: str) -> None:
        """`docker pause`."""
        outside.pause(self.engine, container)

    def unpause(self, container: str) -> None:
        """`docker unpause`."""
        outside.unpause(self.engine, container)

    def rename(self, container: str, name: str) -> None:
        """`docker rename`."""
        outside.rename(self.engine, container, name)

    def update(self, container: str, memory: int) -> None:
        """`docker update --memory`."""
        outside.update(self.engine, container, Memory=memory)

    def kill(self, container: str) -> None:
        """`docker kill`: as when it is stopped, no policy restarts it."""
        outside.kill(self.engine, container)

    def remove(self, container: str) -> None:
        """`docker rm -f`."""
        outside.remove(self.engine, container)

    def disconnect(self, network: str, container: str) -> None:
        """`docker network disconnect`."""
        outside.disconnect(self.engine, network, container)

    def push(self, tag: str, content: str) -> tuple[str, str]:
        """Let the table of registries know it."""
        reference, digest = f"registry.test/rct-image:{tag}", tiny_image(content).digest
        self.answers[reference] = RegistryAnswer(digest)
        self.engine.world.registry = self.answers
        return reference, digest

    def wait(self, seconds: float) -> None:
        """Move the virtual clock."""
        self.engine.advance_to(self.engine.clock.now() + seconds)


@dataclass
class RealHands:
    """Somebody else, on a real engine."""

    janitor: Janitor
    registry: Registry

    def pause(self, container: str) -> None:
        """`docker pause`."""
        self.janitor.pause(container)

    def unpause(self, container: str) -> None:
        """`docker unpause`."""
        self.janitor.unpause(container)

    def rename(self, container: str, name: str) -> None:
        """`docker rename`."""
        self.janitor.rename(container, name)

    def update(self, container: str, memory: int) -> None:
        """`docker update --memory`."""
        self.janitor.update(container, memory)

    def kill(self, container: str) -> None:
        """`docker kill`."""
        self.janitor.kill(container)

    def remove(self, container: str) -> None:
        """`docker rm -f`."""
        self.janitor.remove(container)

    def disconnect(self, network: str, container: str) -> None:
        """`docker network disconnect`."""
        self.janitor.disconnect(network, container)

    def push(self, tag: str, content: str) -> tuple[str, str]:
        """Push it to the registry of this test run."""
        pushed = tiny_image(content)
        self.registry.push("rct-image", tag, pushed)
        return f"{self.registry.host}/rct-image:{tag}", pushed.digest

    def wait(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)
