"""The engine that forecasts, dry-runs, tests and `-H simulated://` run on: everything in memory, on a virtual clock.

It answers as a Docker Engine does (one contract suite holds for both) and changes only when called or told the time.
It shares nothing with the real one but the protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from reconciler.engine.protocol import JSON, Progress
from reconciler.engine.simulated import (
    attachments,
    containers,
    drain,
    images,
    layers,
    lifecycle,
    networks,
    seeding,
    volumes,
)
from reconciler.engine.simulated.behaviour import Behaviours, Costs
from reconciler.engine.simulated.clock import VirtualClock
from reconciler.engine.simulated.state import World, copied, find_container
from reconciler.engine.snapshot import Snapshot
from reconciler.model.files import CopiedFile
from reconciler.model.observed import EngineInfo
from reconciler.model.project import Build

INFO = EngineInfo(name="simulated", id="simulated", version="simulated", api="1.41", shares_files=True)

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Call:
    """One call of the protocol: the method's name and its arguments, without progress callbacks."""

    name: str
    args: tuple[Any, ...] = ()


Moment = Literal["before", "after"]
Fault = Callable[[Call, Moment], Exception | None]


class SimulatedEngine:
    """An in-memory engine. For one thread.

    `fault`, where set, is asked before every call and after its effect: an exception it returns is raised, so that a
    call fails without effect (`before`) or its reply is lost (`after`). `calls` records every call that changes
    something, failed or not. Each call lets `costs` of virtual time pass. `registry` None (the default) means that
    every image reference exists, with a digest made of it; a seeded engine knows what its snapshot knows.
    """

    def __init__(
        self,
        clock: VirtualClock | None = None,
        *,
        info: EngineInfo | None = None,
        costs: Costs = Costs(),  # noqa: B008 - frozen
        behaviours: Behaviours | None = None,
    ) -> None:
        self.world = World(info or INFO, clock or VirtualClock(), costs, behaviours)
        self.fault: Fault | None = None
        self.calls: list[Call] = []
        networks.add_predefined(self.world)

    @classmethod
    def seeded(
        cls,
        snapshot: Snapshot,
        clock: VirtualClock,
        *,
        costs: Costs = Costs(),  # noqa: B008 - frozen
        behaviours: Behaviours | None = None,
    ) -> SimulatedEngine:
        """An engine that continues from the snapshot; `clock` stands at the live engine's time."""
        engine = cls(clock, info=snapshot.info, costs=costs, behaviours=behaviours)
        engine.world.registry = dict(snapshot.registry)
        seeding.fill(engine.world, snapshot)
        return engine

    @property
    def clock(self) -> VirtualClock:
        """The virtual clock it runs on."""
        return self.world.clock

    @property
    def event_log(self) -> list[tuple[float, str, str]]:
        """What happened to containers: (time, action as in GET /events, container name), oldest first."""
        return self.world.event_log

    def next_event_at(self) -> float | None:
        """When something will change by itself next (a decisive probe, an exit, a restart), if ever."""
        return min((box.due for box in self.world.containers.values() if box.due is not None), default=None)

    def advance_to(self, t: float) -> None:
        """Let everything happen that is due up to `t`, in order, and make it `t`."""
        while (due := self.next_event_at()) is not None and due <= t:
            self.clock.advance_to(due)
            box = next(box for box in self.world.containers.values() if box.due == due)
            lifecycle.apply_due(self.world, box, due)
        self.clock.advance_to(t)

    def info(self) -> EngineInfo:
        """The engine that it stands for."""
        return self.world.info

    def clone(self) -> SimulatedEngine:
        """Itself: there is one world."""
        return self

    def introduced_anew(self) -> SimulatedEngine:
        """Itself: it is asked again every time."""
        return self

    def close(self) -> None:
        """Nothing to give back."""

    def list_containers(self) -> list[dict[str, Any]]:
        """All rows, newest first."""
        return self._read(Call("list_containers"), lambda: containers.rows(self.world))

    def inspect_container(self, container: str) -> dict[str, Any]:
        """The inspect document; 404 when it is gone."""
        call = Call("inspect_container", (container,))
        return self._read(call, lambda: containers.inspect_container(self.world, container))

    def container_changes(self, container: str) -> list[dict[str, Any]]:
        """What it wrote, in order of paths; 404 when it is gone."""
        call = Call("container_changes", (container,))
        return self._read(call, lambda: layers.changes(self.world, container))

    def missing_paths(self, paths: Iterable[str]) -> frozenset[str]:
        """Those that its machine is said to lack."""
        return self.world.missing_paths & set(paths)

    def list_networks(self) -> list[dict[str, Any]]:
        """All networks, the built-in ones included."""
        return self._read(Call("list_networks"), lambda: networks.rows(self.world))

    def list_volumes(self) -> list[dict[str, Any]]:
        """All volumes, the anonymous ones included."""
        return self._read(Call("list_volumes"), lambda: volumes.rows(self.world))

    def list_images(self) -> list[dict[str, Any]]:
        """All images, newest first."""
        return self._read(Call("list_images"), lambda: images.rows(self.world))

    def inspect_image(self, image: str) -> dict[str, Any]:
        """The image's document, `Predicted` true in one that was pulled or built here; 404 when it is not local."""
        call = Call("inspect_image", (image,))
        return self._read(call, lambda: dict(copied(images.find_image(self.world, image).document)))

    def registry_digest(self, reference: str) -> str:
        """What the registry has under that reference."""
        return self._read(Call("registry_digest", (reference,)), lambda: images.registry_digest(self.world, reference))

    def container_logs(self, container: str, tail: int) -> str:
        """The last `tail` lines of what the behaviour says it prints."""
        call = Call("container_logs", (container, tail))
        lines = self._read(call, lambda: find_container(self.world, container).behaviour.logs).splitlines(keepends=True)
        return "".join(lines[-tail:]) if tail > 0 else ""

    def create_container(self, name: str, body: JSON, platform: str | None = None) -> str:
        """Create it; 400, 404 for its image, 409 for its name."""
        call = Call("create_container", (name, body, platform))
        return self._change(call, self._costs.create, lambda: containers.create_container(self.world, name, body))

    def copy_files(self, container: str, files: Sequence[CopiedFile]) -> None:
        """Write the files into its layer; 404 when it is gone, 403 where its file system is read-only."""
        call = Call("copy_files", (container, tuple(files)))
        self._change(call, self._costs.copy, lambda: layers.copy_files(self.world, container, files))

    def start_container(self, container: str) -> None:
        """Start it; a missing network, a taken address or a taken port fails here."""
        call = Call("start_container", (container,))
        self._change(call, self._costs.start, lambda: lifecycle.start_container(self.world, container))

    def stop_container(self, container: str) -> None:
        """Stop it; takes as long as its process does, at most the grace period."""

        def stop() -> None:
            self._pass(lifecycle.begin_stop(self.world, container))
            lifecycle.finish_stop(self.world, container)

        self._change(Call("stop_container", (container,)), self._costs.stop, stop)

    def remove_container(self, container: str) -> None:
        """Remove it, volumes kept; 409 while it runs."""
        call = Call("remove_container", (container,))
        self._change(call, self._costs.remove, lambda: containers.remove_container(self.world, container))

    def kill_container(self, container: str, signal: str) -> None:
        """Send a signal; a container that is gone or does not run is success."""
        call = Call("kill_container", (container, signal))
        self._change(call, self._costs.drain, lambda: drain.kill(self.world, container, signal))

    def exec_in_container(self, container: str, command: Sequence[str], timeout_seconds: float) -> tuple[int, str]:
        """What the behaviour says of a drain command; takes as long as it does, at most the time limit."""

        def run() -> tuple[int, str]:
            box = drain.running(self.world, container)
            if box is None:
                return 0, ""
            behaviour = box.behaviour
            self._pass(min(behaviour.drain_seconds, timeout_seconds))
            drain.check_time(box, command, timeout_seconds)
            drain.drained(self.world, box)
            return behaviour.drain_code, behaviour.drain_output

        call = Call("exec_in_container", (container, tuple(command), timeout_seconds))
        return self._change(call, self._costs.drain, run)

    def http_post(self, container: str, port: int, path: str) -> None:
        """What the behaviour says of a drain request."""
        call = Call("http_post", (container, port, path))
        self._change(call, self._costs.drain, lambda: drain.http_post(self.world, container, port, path))

    def create_network(self, name: str, body: JSON) -> str:
        """Create it; 409 where the name exists."""
        call = Call("create_network", (name, body))
        return self._change(call, self._costs.network, lambda: networks.create_network(self.world, name, body))

    def remove_network(self, network: str) -> None:
        """Remove it; 403 while running containers are attached."""
        call = Call("remove_network", (network,))
        self._change(call, self._costs.network, lambda: networks.remove_network(self.world, network))

    def connect_network(self, network: str, container: str, endpoint: JSON) -> None:
        """Put a container on one more network; one that runs joins at once."""
        call = Call("connect_network", (network, container, endpoint))
        self._change(call, self._costs.network, lambda: attachments.connect(self.world, network, container, endpoint))

    def disconnect_network(self, network: str, container: str) -> None:
        """Take a container off a network; 404 and not being on it are success."""
        call = Call("disconnect_network", (network, container))
        self._change(call, self._costs.network, lambda: attachments.disconnect(self.world, network, container))

    def create_volume(self, name: str, body: JSON) -> None:
        """Create it; an existing one is left as it is."""
        call = Call("create_volume", (name, body))
        self._change(call, self._costs.volume, lambda: volumes.create_volume(self.world, name, body))

    def remove_volume(self, volume: str) -> None:
        """Remove it, and what it holds; 404 is success, 409 while a container mounts it."""
        call = Call("remove_volume", (volume,))
        self._change(call, self._costs.volume, lambda: volumes.remove_volume(self.world, volume))

    def volume_usage(self) -> list[dict[str, Any]]:
        """All volumes with what was said to be in them."""
        return self._read(Call("volume_usage"), lambda: volumes.usage(self.world))

    def pull_image(self, reference: str, platform: str | None, progress: Progress) -> None:
        """Have it locally, as a predicted image; EngineError where the registry has none of that reference."""
        call = Call("pull_image", (reference, platform))
        self._change(call, self._costs.pull, lambda: images.pull_image(self.world, reference, progress))

    def tag_image(self, image: str, repository: str, tag: str) -> None:
        """Move the tag to that image."""
        call = Call("tag_image", (image, repository, tag))
        self._change(call, 0.0, lambda: images.tag_image(self.world, image, repository, tag))

    def remove_image(self, reference: str) -> None:
        """Take a name off its image, or remove the image; 404 is success, 409 while it is used."""
        call = Call("remove_image", (reference,))
        self._change(call, self._costs.remove, lambda: images.remove_image(self.world, reference))

    def push_image(self, reference: str, progress: Progress) -> str:
        """Let its registry have it; 404 where no image has the tag."""
        call = Call("push_image", (reference,))
        return self._change(call, self._costs.pull, lambda: images.push_image(self.world, reference, progress))

    def build_image(self, build: Build, tags: tuple[str, ...], platform: str | None, progress: Progress) -> None:
        """Have the image that this build would make, as a predicted image."""
        call = Call("build_image", (build, tags, platform))
        self._change(call, self._costs.build, lambda: images.build_image(self.world, build, tags, progress))

    def events(self) -> Iterator[dict[str, Any]]:
        """What happens from now on. It ends where nothing more has happened by then: whoever drives the clock knows."""
        return self.world.events_since(self.world.told)

    @property
    def _costs(self) -> Costs:
        return self.world.costs

    def _read(self, call: Call, effect: Callable[[], _Answer]) -> _Answer:
        self._pass(0.0)
        self._fail(call, "before")
        answer = effect()
        self._fail(call, "after")
        return answer

    def _change(self, call: Call, cost: float, effect: Callable[[], _Answer]) -> _Answer:
        self.calls.append(call)
        self._fail(call, "before")
        self._pass(cost)
        answer = effect()
        self._fail(call, "after")
        return answer

    def _pass(self, duration: float) -> None:
        self.advance_to(self.clock.now() + duration)

    def _fail(self, call: Call, moment: Moment) -> None:
        error = self.fault(call, moment) if self.fault else None
        if error is not None:
            raise error
