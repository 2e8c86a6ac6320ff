"""What happened to a project's containers while the program ran, from the engine's own event stream."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

from docker import APIClient

if TYPE_CHECKING:
    from docker.types.daemon import CancellableStream

from tests.support.command import PROJECT, SERVICE

_CHANGES = {"start": 1, "die": -1}


class Watch:
    """Records the events of one service's containers for the length of a `with` block."""

    def __init__(self, api: APIClient, project: str, service: str) -> None:
        labels = [f"{PROJECT}={project}", f"{SERVICE}={service}"]
        self._filters = {"type": "container", "label": labels}
        self._api = APIClient(base_url=api.base_url, version=api.api_version, timeout=60)
        self._api._custom_adapter = api._custom_adapter  # the same socket
        self._events: list[dict[str, Any]] = []
        self._running = len(api.containers(filters={"label": labels}))

    def __enter__(self) -> Self: ...
