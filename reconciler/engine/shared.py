"""One engine for many threads and projects: connections that take turns, lists that all share.

Made by `hub`, which tells it what happens on the engine. Without somebody who does, every list is read anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeVar

from reconciler.engine.connections import Connections
from reconciler.engine.listing import Listing, Rows
from reconciler.engine.protocol import JSON, Engine, Progress
from reconciler.errors import EngineUnreachableError
from reconciler.model.files import CopiedFile
from reconciler.model.observed import EngineInfo
from reconciler.model.project import Build

ListName = Literal["containers", "networks", "volumes", "images"]
ALL_LISTS: tuple[ListName, ...] = ("containers", "networks", "volumes", "images")

_Answer = TypeVar("_Answer")


class SharedEngine:
    """An `Engine` for any number of threads. What a call changes is never read from an answer of before it.

    Rows of lists are shared by all who ask, and nobody's to change.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connections = Connections(engine)
        self._followed = threading.Event()
        self._stranger = ""
        read: dict[ListName, Callable[[], Rows]] = {
            "containers": lambda: self._call(lambda engine: engine.list_containers()),
            "networks": lambda: self._call(lambda engine: engine.list_networks()),
            "volumes": lambda: self._call(lambda engine: engine.list_volumes()),
            "images": lambda: self._call(lambda engine: engine.list_images()),
        }
        self._lists = {name: Listing(call, self._followed.is_set) for name, call in read.items()}

    @property
    def followed(self) -> bool:
        """Whether what happens on the engine is told."""
        return self._followed.is_set()

    def follow(self, *, followed: bool) -> None:
        """Whether from now on `invalidate` is called for everything that happens on the engine."""
        if followed:
            self._followed.set()
        else:
            self._followed.clear()
        self.invalidate()

    def invalidate(self, *names: ListName) -> None:
        """Something happened that these lists (none named: all) may show."""
        for name in names or ALL_LISTS:
            self._lists[name].invalidate()

    def disconnect(self) -> None:
        """Close every connection, those that are lent when they come back; event streams end."""
        self._connections.close()
        self._engine.close()

    def info(self) -> EngineInfo:
        """What the engine said of itself when it was connected to, or asked again last (`introduce`)."""
        return self._engine.info()

    def introduce(self) -> None:
        """Ask the engine again who it is, after it was lost. EngineError where it does not say.

        EngineUnreachableError where another one answers: what is known is not of that one, so nothing is asked of it
        until the first is back.
        """
        found = self._engine.introduced_anew()
        self._stranger = found.info().id if found.info().id != self.info().id else ""
        if self._stranger:
            found.close()
        self._require_known()
        before, self._engine = self._engine, found
        try:
            self._connections.renew(self._engine)
        finally:
            before.close()

    def introduced_anew(self) -> Engine:
        """Itself, introduced."""
        self.introduce()
        return self

    def clone(self) -> Engine:
        """Itself: it is for all threads."""
        return self

    def close(self) -> None:
        """Nothing to give back: connections are given back after each call."""

    def list_containers(self) -> Rows:
        """GET /containers/json?all=1, from the last answer where nothing happened since."""
        return self._lists["containers"].rows()

    def inspect_container(self, container: str) -> dict[str, Any]:
        """GET /containers/{id}/json."""
        return self._call(lambda engine: engine.inspect_container(container))

    def container_changes(self, container: str) -> list[dict[str, Any]]:
        """GET /containers/{id}/changes."""
        return self._call(lambda engine: engine.container_changes(container))

    def missing_paths(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of the paths that do not exist on its machine; no call."""
        return self._engine.missing_paths(paths)

    def list_networks(self) -> Rows:
        """GET /networks, from the last answer where nothing happened since."""
        return self._lists["networks"].rows()

    def list_volumes(self) -> Rows:
        """GET /volumes, from the last answer where nothing happened since."""
        return self._lists["volumes"].rows()

    def list_images(self) -> Rows:
        """GET /images/json, from the last answer where nothing happened since."""
        return self._lists["images"].rows()

    def inspect_image(self, image: str) -> dict[str, Any]:
        """GET /images/{name}/json."""
        return self._call(lambda engine: engine.inspect_image(image))

    def registry_digest(self, reference: str) -> str:
        """GET /distribution/{name}/json."""
        return self._call(lambda engine: engine.registry_digest(reference))

    def container_logs(self, container: str, tail: int) -> str:
        """GET /containers/{id}/logs."""
        return self._call(lambda engine: engine.container_logs(container, tail))

    def create_container(self, name: str, body: JSON, platform: str | None = None) -> str:
        """POST /containers/create."""
        return self._change(lambda engine: engine.create_container(name, body, platform), "containers", "volumes")

    def copy_files(self, container: str, files: Sequence[CopiedFile]) -> None:
        """PUT /containers/{id}/archive."""
        self._change(lambda engine: engine.copy_files(container, files), "containers")

    def start_container(self, container: str) -> None:
        """POST /containers/{id}/start."""
        self._change(lambda engine: engine.start_container(container), "containers")

    def stop_container(self, container: str) -> None:
        """POST /containers/{id}/stop."""
        self._change(lambda engine: engine.stop_container(container), "containers")

    def remove_container(self, container: str) -> None:
        """DELETE /containers/{id}."""
        self._change(lambda engine: engine.remove_container(container), "containers")

    def kill_container(self, container: str, signal: str) -> None:
        """POST /containers/{id}/kill."""
        self._change(lambda engine: engine.kill_container(container, signal), "containers")

    def exec_in_container(self, container: str, command: Sequence[str], timeout_seconds: float) -> tuple[int, str]:
        """POST /containers/{id}/exec, to its end."""
        return self._change(lambda engine: engine.exec_in_container(container, command, timeout_seconds), "containers")

    def http_post(self, container: str, port: int, path: str) -> None:
        """A request to the container itself."""
        self._change(lambda engine: engine.http_post(container, port, path), "containers")

    def create_network(self, name: str, body: JSON) -> str:
        """POST /networks/create."""
        return self._change(lambda engine: engine.create_network(name, body), "networks")

    def remove_network(self, network: str) -> None:
        """DELETE /networks/{id}."""
        self._change(lambda engine: engine.remove_network(network), "networks", "containers")

    def connect_network(self, network: str, container: str, endpoint: JSON) -> None:
        """POST /networks/{id}/connect."""
        self._change(lambda engine: engine.connect_network(network, container, endpoint), "networks", "containers")

    def disconnect_network(self, network: str, container: str) -> None:
        """POST /networks/{id}/disconnect."""
        self._change(lambda engine: engine.disconnect_network(network, container), "networks", "containers")

    def create_volume(self, name: str, body: JSON) -> None:
        """POST /volumes/create."""
        self._change(lambda engine: engine.create_volume(name, body), "volumes")

    def remove_volume(self, volume: str) -> None:
        """DELETE /volumes/{name}."""
        self._change(lambda engine: engine.remove_volume(volume), "volumes")

    def volume_usage(self) -> list[dict[str, Any]]:
        """GET /system/df."""
        return self._call(lambda engine: engine.volume_usage())

    def pull_image(self, reference: str, platform: str | None, progress: Progress) -> None:
        """POST /images/create, to the end of its stream."""
        self._change(lambda engine: engine.pull_image(reference, platform, progress), "images", "containers")

    def tag_image(self, image: str, repository: str, tag: str) -> None:
        """POST /images/{name}/tag."""
        self._change(lambda engine: engine.tag_image(image, repository, tag), "images", "containers")

    def remove_image(self, reference: str) -> None:
        """DELETE /images/{name}."""
        self._change(lambda engine: engine.remove_image(reference), "images", "containers")

    def push_image(self, reference: str, progress: Progress) -> str:
        """POST /images/{name}/push, to the end of its stream."""
        return self._change(lambda engine: engine.push_image(reference, progress), "images")

    def build_image(self, build: Build, tags: tuple[str, ...], platform: str | None, progress: Progress) -> None:
        """Build and tag."""
        self._change(lambda engine: engine.build_image(build, tags, platform, progress), "images", "containers")

    def events(self) -> Iterator[dict[str, Any]]:
        """GET /events, on a connection of its own; `disconnect` ends it."""
        return self._connections.events()

    def _require_known(self) -> None:
        if self._stranger:
            message = f"another engine ({self._stranger}) answers in the place of {self.info().id}"
            hint = "bring that one back, or restart the service, which then goes by what it knows of the other"
            raise EngineUnreachableError(message, hint=hint)

    def _call(self, call: Callable[[Engine], _Answer]) -> _Answer:
        self._require_known()
        with self._connections.borrowed() as engine:
            return call(engine)

    def _change(self, call: Callable[[Engine], _Answer], *shown_in: ListName) -> _Answer:
        """A call that changes something: what was read before its end is out of date."""
        self.invalidate(*shown_in)
        try:
            return self._call(call)
        finally:
            self.invalidate(*shown_in)
