"""What tests may do to a real engine and the product may not: build the test image, play other people, clean up.

It speaks the Engine API directly, through the Docker SDK's low-level client.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from docker import APIClient
from docker.errors import APIError

from reconciler.engine.docker_connect import resolve_target
from tests.support import image

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.observed import EngineInfo


class Janitor:
    """One more connection to the default engine, for one test run."""

    def __init__(self, info: EngineInfo) -> None:
        target = resolve_target(None, None, os.environ)
        self._api = APIClient(base_url=target.host, version=info.api, timeout=60)

    def close(self) -> None:
        """Give the connection back."""
        self._api.close()

    def build_image(self) -> None:
        """Have the test image on the engine; quick where it has been built before."""
        stream = self._api.build(
            fileobj=io.BytesIO(image.context()), custom_context=True, tag=image.NAME, rm=True, forcerm=True, decode=True
        )
        errors = [line["error"] for line in stream if "error" in line]
        if errors:
            raise RuntimeError(errors[0])

    def pause(self, container: str) -> None:
        """`docker pause`."""
        self._api.pause(container)

    def unpause(self, container: str) -> None:
        """`docker unpause`."""
        self._api.unpause(container)

    def rename(self, container: str, name: str) -> None:
        """`docker rename`."""
        self._api.rename(container, name)

    def update(self, container: str, memory: int) -> None:
        """`docker update --memory`, with as much again of swap."""
        self._api.update_container(container, mem_limit=memory, memswap_limit=2 * memory)

    def kill(self, container: str) -> None:
        """`docker kill`."""
        self._api.kill(container)

    def remove(self, container: str) -> None:
        """`docker rm -f`."""
        self._api.remove_container(container, force=True)

    def disconnect(self, network: str, container: str) -> None:
        """`docker network disconnect`."""
        self._api.disconnect_container_from_network(container, network)

    def sweep(self, prefix: str) -> None:
        """Remove everything whose name starts with the prefix; anonymous volumes go with their containers."""
        for row in self._api.containers(all=True):
            if any(name.startswith(f"/{prefix}") for name in row["Names"] or []):
                self._api.remove_container(row["Id"], force=True, v=True)
        for network in self._api.networks():
            if network["Name"].startswith(prefix):
                self._api.remove_network(network["Id"])
        for volume in self._api.volumes()["Volumes"] or []:
            if volume["Name"].startswith(prefix):
                self._api.remove_volume(volume["Name"])
        for row in self._api.images():
            self._untag(row, prefix)

    def remove_volumes(self, names: Iterable[str]) -> None:
        """Remove those of these volumes that are left."""
        left = {volume["Name"] for volume in self._api.volumes()["Volumes"] or []}
        for name in left.intersection(names):
            self._api.remove_volume(name)

    def _untag(self, row: dict[str, Any], prefix: str) -> None:
        names = [*(row["RepoTags"] or []), *(row["RepoDigests"] or [])]
        for name in names:
            if name.startswith(prefix) or f"/{prefix}" in name:
                try:
                    self._api.remove_image(name)
                except APIError as error:
                    if error.status_code != 404:  # the last tag takes the digest with it
                        raise
