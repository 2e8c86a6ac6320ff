"""A real registry (Debian's docker-registry) for a test, on an address from which engines on this machine can pull."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HOST = os.environ.get("RECONCILER_TEST_REGISTRY_HOST", "127.0.0.1")
_CREATED = 201
_PASSWORD_FILE = "ci:$2y$05$U29pUdQ6LiGvMNxHqyakJO6pZTcLrZn8ccFyLL6fgUFFb3L0w2sVi\n"  # noqa: S105 - of this test only
CREDENTIALS = base64.b64encode(b"ci:open-sesame").decode()


@dataclass
class Registry:
    """A real registry: its address as an image name's host, and the folder that it stores in."""

    address: str
    folder: Path


def _free_port() -> int:
    for port in range(5100, 5200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
            return port
    pytest.fail("no free port for a registry between 5100 and 5199")


@contextlib.contextmanager
def running_registry(folder: Path, *, locked: bool) -> Iterator[Registry]:
    """A registry that stores in that folder; `locked` wants CREDENTIALS. Skips the test where none is installed."""
    if not shutil.which("docker-registry"):
        pytest.skip("Debian's docker-registry is not installed")
    folder.mkdir()
    address = f"{_HOST}:{_free_port()}"
    config: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": address},
    }
    if locked:
        (folder / "htpasswd").write_text(_PASSWORD_FILE)
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        command = ["docker-registry", "serve", str(folder / "config.yml")]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for(address)
        yield Registry(address, folder)
    finally:
        process.terminate()
        process.wait()


def _wait_for(address: str) -> None:
    host, _, port = address.rpartition(":")
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
            return
        time.sleep(0.05)
    pytest.fail(f"no registry came up at {address}")


def put(registry: Registry, repository: str, reference: str, media_type: str, manifest: bytes) -> str:
    """Store a manifest, whose parts have to be there already; its digest."""
    headers = {"Content-Type": media_type, "Authorization": f"Basic {CREDENTIALS}"}
    _send(registry, "PUT", f"/v2/{repository}/manifests/{reference}", manifest, headers)
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def put_blob(registry: Registry, repository: str, content: bytes) -> str:
    """Store a blob; its digest."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    headers = {"Authorization": f"Basic {CREDENTIALS}", "Content-Type": "application/octet-stream"}
    begun = _send(registry, "POST", f"/v2/{repository}/blobs/uploads/", b"", headers, expected=202)
    where = begun[begun.index("/v2/") :]
    _send(registry, "PUT", f"{where}{'&' if '?' in where else '?'}digest={digest}", content, headers)
    return digest


def _send(
    registry: Registry, method: str, path: str, body: bytes, headers: dict[str, str], expected: int = _CREATED
) -> str:
    """The Location of the answer."""
    connection = http.client.HTTPConnection(registry.address, timeout=30)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status == expected, said
        return answer.headers["Location"]
    finally:
        connection.close()
