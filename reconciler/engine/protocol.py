"""What an engine can do for us, and nothing else. Two implementations: `docker` (real) and `simulated` (in memory).

Both speak raw Engine API JSON (the shapes of API 1.41 and later), so that no field is lost in wrappers and one contract
suite holds for both. Every method may raise `EngineError` (with the HTTP status the Engine API documents) or
`EngineUnreachableError`. There is deliberately no update, rename, commit or prune, and `copy_files` is for containers
that were never started.

Four verbs touch a running container, and only because its spec opted in: `kill_container`, `exec_in_container` and
`http_post` for a drain, `disconnect_network` with `connect_network` for `publish: healthy` and a drain by it. Where the
replica is gone or does not run, there is nothing left to drain: that is success.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from reconciler.model.files import CopiedFile
from reconciler.model.observed import EngineInfo
from reconciler.model.project import Build

JSON = Mapping[str, Any]
Progress = Callable[[str], None]


class Engine(Protocol):
    """One connection to an engine. Not thread-safe: each worker opens its own through `clone`."""

    def info(self) -> EngineInfo:
        """Name, id, version and negotiated API of the engine."""
        ...

    def clone(self) -> Engine:
        """Another connection to the same engine, for another thread."""
        ...

    def introduced_anew(self) -> Engine:
        """Another connection, for which the engine was asked again who it is: it may have been upgraded since."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...

    def list_containers(self) -> list[dict[str, Any]]:
        """All rows of GET /containers/json?all=1, in any state, whoever made them."""
        ...

    def inspect_container(self, container: str) -> dict[str, Any]:
        """GET /containers/{id}/json. 404 when it is gone."""
        ...

    def container_changes(self, container: str) -> list[dict[str, Any]]:
        """GET /containers/{id}/changes: `Path` and `Kind` (0 changed, 1 added, 2 deleted) of what was written.

        404 when it is gone.
        """
        ...

    def missing_paths(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of the paths that do not exist on its machine; none where its files are not ours to see. No call."""
        ...

    def list_networks(self) -> list[dict[str, Any]]:
        """GET /networks."""
        ...

    def list_volumes(self) -> list[dict[str, Any]]:
        """The `Volumes` of GET /volumes ([] where the engine says null)."""
        ...

    def list_images(self) -> list[dict[str, Any]]:
        """GET /images/json: Id, RepoTags, RepoDigests, Labels."""
        ...

    def inspect_image(self, image: str) -> dict[str, Any]:
        """GET /images/{name}/json. 404 when it is not local."""
        ...

    def registry_digest(self, reference: str) -> str:
        """`Descriptor.digest` of GET /distribution/{name}/json: what the registry has under that reference now."""
        ...

    def container_logs(self, container: str, tail: int) -> str:
        """The last `tail` lines of stdout and stderr together, decoded, in order."""
        ...

    def create_container(self, name: str, body: JSON, platform: str | None = None) -> str:
        """POST /containers/create; the new id. 404 image or network missing, 409 name in use, 400 bad body."""
        ...

    def copy_files(self, container: str, files: Sequence[CopiedFile]) -> None:
        """PUT /containers/{id}/archive at `/`, before the first start: each file with its mode and owner.

        404 where the container is gone, and an error where its file system is read-only.
        """
        ...

    def start_container(self, container: str) -> None:
        """POST /containers/{id}/start. 304 (already started) is success; a port in use is 500."""
        ...

    def stop_container(self, container: str) -> None:
        """POST /containers/{id}/stop with the container's own signal and timeout. 304 and 404 are success."""
        ...

    def remove_container(self, container: str) -> None:
        """DELETE /containers/{id}?v=0, never by force: 409 while it runs; 404 and 'removal in progress' are success."""
        ...

    def kill_container(self, container: str, signal: str) -> None:
        """POST /containers/{id}/kill with that signal. 404 and 409 (not running) are success; 400 no such signal."""
        ...

    def exec_in_container(self, container: str, command: Sequence[str], timeout_seconds: float) -> tuple[int, str]:
        """Run a command in the container; its exit code and the last 4 kB of its output, both streams together.

        Code 0 where the container is gone or does not run, before the command or because of it. One that cannot be
        started has the engine's code, 126 or 127. After `timeout_seconds` EngineError: nothing ends the command then,
        it may go on in the container.
        """
        ...

    def http_post(self, container: str, port: int, path: str) -> None:
        """POST http://ADDRESS:PORT/PATH from this process to the container's address on its own network.

        Waits 5 s to be connected and 5 s for the answer. 2xx and 3xx are success, and so is a container that is gone or
        does not run. EngineError for any other answer, for none, and where the engine is not on this machine, so that
        its networks cannot be reached.
        """
        ...

    def create_network(self, name: str, body: JSON) -> str:
        """POST /networks/create with CheckDuplicate; the new id. 409 where the name exists."""
        ...

    def remove_network(self, network: str) -> None:
        """DELETE /networks/{id}. 403 while containers are attached; 404 is success."""
        ...

    def connect_network(self, network: str, container: str, endpoint: JSON) -> None:
        """POST /networks/{id}/connect, of a running container too. 403 is success where it is connected already.

        400 for a fixed address on a network whose subnet the engine chose; 403 `Address already in use`, which leaves a
        running container with an endpoint that has no EndpointID: not connected, and free to be connected again.
        """
        ...

    def disconnect_network(self, network: str, container: str) -> None:
        """POST /networks/{id}/disconnect, never by force. Not connected (the engine's 500) and 404 are success.

        Its address is free at once for whatever starts next, and its published ports are closed until it is connected.
        """
        ...

    def create_volume(self, name: str, body: JSON) -> None:
        """POST /volumes/create. An existing volume of that name is left as it is."""
        ...

    def remove_volume(self, volume: str) -> None:
        """DELETE /volumes/{name}, never by force: its data is gone. 404 is success.

        409 while a container in any state mounts it. For a person's explicit command only: no loop ever calls it.
        """
        ...

    def volume_usage(self) -> list[dict[str, Any]]:
        """The `Volumes` of GET /system/df: with `UsageData.Size` in bytes, -1 where it is not known. Slow."""
        ...

    def pull_image(self, reference: str, platform: str | None, progress: Progress) -> None:
        """POST /images/create, read to the end of the stream; an `error` in the stream is an EngineError."""
        ...

    def tag_image(self, image: str, repository: str, tag: str) -> None:
        """POST /images/{name}/tag."""
        ...

    def remove_image(self, reference: str) -> None:
        """DELETE /images/{name}?force=0&noprune=1: the name goes, and with its last name the image. 404 is success.

        409 where it is the last name and a container in any state uses the image, and for an id with names in several
        repositories. The last tag of a repository takes the digests there with it (in a containerd store a digest takes
        that tag, too).
        """
        ...

    def push_image(self, reference: str, progress: Progress) -> str:
        """POST /images/{name}/push, read to the end of the stream; the digest that the registry has now.

        An `error` in the stream is an EngineError, and so is a tag that no local image has.
        """
        ...

    def build_image(self, build: Build, tags: tuple[str, ...], platform: str | None, progress: Progress) -> None:
        """Build and tag; an `error` in the stream, or a failed `docker buildx build`, is an EngineError."""
        ...

    def events(self) -> Iterator[dict[str, Any]]:
        """GET /events of `events.TYPES` and `ACTIONS`, from now on. Ends when the connection is lost.

        close() from another thread ends it too.
        """
        ...
