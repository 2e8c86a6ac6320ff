"""What an engine can do for us, and nothing else. Two implementations: `docker` (real) and `simulated` (in memory).

Both speak raw Engine API JSON (the shapes of API 1.41 and later), so that no field is lost in wrappers and one contract
suite holds for both. Every method may raise `EngineError` (with the HTTP status the Engine API documents) or
`EngineUnreachableError`. There is deliberately no update, rename, commit, exec, kill, archive or prune.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

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

    def close(self) -> None:
        """Give the connection back."""
        ...

    def list_containers(self) -> list[dict[str, Any]]:
        """All rows of GET /containers/json?all=1, in any state, whoever made them."""
        ...

    def inspect_container(self, container: str) -> dict[str, Any]:
        """GET /containers/{id}/json. 404 when it is gone."""
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

    def start_container(self, container: str) -> None:
        """POST /containers/{id}/start. 304 (already started) is success; a port in use is 500."""
        ...

    def stop_container(self, container: str) -> None:
        """POST /containers/{id}/stop with the container's own signal and timeout. 304 and 404 are success."""
        ...

    def remove_container(self, container: str) -> None:
        """DELETE /containers/{id}?v=0, never by force: 409 while it runs; 404 and 'removal in progress' are success."""
        ...

    def create_network(self, name: str, body: JSON) -> str:
        """POST /networks/create with CheckDuplicate; the new id. 409 where the name exists."""
        ...

    def remove_network(self, network: str) -> None:
        """DELETE /networks/{id}. 403 while containers are attached; 404 is success."""
        ...

    def connect_network(self, network: str, container: str, endpoint: JSON) -> None:
        """POST /networks/{id}/connect, used between create and first start only. 403 (already connected) is success."""
        ...

    def create_volume(self, name: str, body: JSON) -> None:
        """POST /volumes/create. An existing volume of that name is left as it is."""
        ...

    def pull_image(self, reference: str, platform: str | None, progress: Progress) -> None:
        """POST /images/create, read to the end of the stream; an `error` in the stream is an EngineError."""
        ...

    def tag_image(self, image: str, repository: str, tag: str) -> None:
        """POST /images/{name}/tag."""
        ...

    def build_image(self, build: Build, tags: tuple[str, ...], platform: str | None, progress: Progress) -> None:
        """Build and tag; an `error` in the stream, or a failed `docker buildx build`, is an EngineError."""
        ...

    def events(self) -> Iterator[dict[str, Any]]:
        """GET /events for containers, from now on. Ends when the connection is lost; close() from elsewhere ends it."""
        ...
