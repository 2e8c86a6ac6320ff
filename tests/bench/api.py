"""The Engine API over plain http.client: the least a client can do, and so the limit that others are measured against.

Used by the bench to set up, to check what runs, and as the contender `limit`. Knows nothing of the program.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import local
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_TIMEOUT = 120.0
_REMOVAL = (204, 304, 403, 404, 409, 500)
_connections = local()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def engine_url() -> str:
    """Where the docker CLI finds its engine: DOCKER_HOST, else the current context's endpoint."""
    if host := os.environ.get("DOCKER_HOST"):
        return host
    asked = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def _connect() -> http.client.HTTPConnection:
    url = urlsplit(engine_url())
    if url.scheme == "unix":
        return _UnixConnection(url.path)
    return http.client.HTTPConnection(url.hostname or "", url.port or 2375, timeout=_TIMEOUT)


def call(method: str, path: str, body: object = None, *, ok: tuple[int, ...] = (200, 201, 204, 304)) -> Any:
    """The decoded answer (None where it has no body), over one kept connection a thread.

    Raises RuntimeError with the engine's message where the status is none of `ok`.
    """
    connection: http.client.HTTPConnection | None = getattr(_connections, "current", None)
    if connection is None:
        connection = _connections.current = _connect()
    payload = None if body is None else json.dumps(body)
    connection.request(method, path, payload, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    raw = answer.read()
    if answer.status not in ok:
        message = f"{method} {path}: {answer.status} {raw.decode(errors='replace').strip()}"
        raise RuntimeError(message)
    return json.loads(raw) if raw else None


def events(since: float, until: float) -> list[dict[str, Any]]:
    """What the engine remembers of its events between these times (seconds since the epoch)."""
    connection = _connect()
    connection.request("GET", f"/events?since={since:.9f}&until={until:.9f}")
    lines = connection.getresponse().read().splitlines()
    connection.close()
    return [json.loads(line) for line in lines]


@contextmanager
def following(container: str, action: str) -> Iterator[http.client.HTTPResponse]:
    """The stream of what happens to a container from now on, one JSON document a line."""
    filters = quote(json.dumps({"container": [container], "event": [action]}))
    connection = _connect()
    connection.request("GET", f"/events?filters={filters}")
    yield connection.getresponse()
    connection.close()


def in_parallel(work: Callable[[str], object], items: Iterable[str], workers: int) -> None:
    """Does the work on every item, `workers` at a time; the first error is raised."""
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(work, items):
            pass


def _filtered(path: str, project: str) -> str:
    filters = json.dumps({"label": [f"com.docker.compose.project={project}"]})
    return f"{path}{'&' if '?' in path else '?'}filters={quote(filters)}"


def containers(project: str) -> list[dict[str, Any]]:
    """The rows of GET /containers/json of one project, in any state."""
    rows: list[dict[str, Any]] = call("GET", _filtered("/containers/json?all=1", project))
    return rows


def environment(container: str) -> list[str]:
    """Config.Env of one container."""
    found: list[str] = call("GET", f"/containers/{container}/json")["Config"]["Env"]
    return found


def remove_project(project: str) -> None:
    """Removes the containers and networks that carry the project's label. The bench makes no volumes.

    Insists for a while: a busy engine answers 409 and 500 to removals that it finishes later, and a network keeps the
    endpoints of the last containers for a moment. Says so where something stays.
    """
    for pause in (0.0, 0.2, 0.5, 1.0, 2.0, 5.0):
        time.sleep(pause)
        in_parallel(_remove, [row["Id"] for row in containers(project)], 8)
        for network in call("GET", _filtered("/networks", project)):
            call("DELETE", f"/networks/{network['Id']}", ok=_REMOVAL)
        if not containers(project) and not call("GET", _filtered("/networks", project)):
            return
    print(f"the engine does not let go of all of {project}: see docker ps --all, docker network ls", file=sys.stderr)


def _remove(container: str) -> None:
    call("POST", f"/containers/{container}/stop", ok=_REMOVAL)
    call("DELETE", f"/containers/{container}", ok=_REMOVAL)
