"""An engine on another machine: what it cannot see of ours is put into its containers, or refused by name."""

from __future__ import annotations

import hashlib
import os
import socket
import socketserver
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import age

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.command import Site

pytestmark = pytest.mark.engine


class _Line(socketserver.BaseRequestHandler):
    """One connection, handed on to the engine's socket."""

    server: _Server

    def handle(self) -> None:
        """Pass on both ways until one side ends."""
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(self.server.path)
            back = threading.Thread(target=_pass_on, args=(engine, self.request), daemon=True)
            back.start()
            _pass_on(self.request, engine)
            back.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    path = ""


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        other.close()


@pytest.fixture
def elsewhere(site: Site) -> Iterator[Site]:
    """A site whose engine is reached by TCP, as one on another machine."""
    with _Server(("127.0.0.1", 0), _Line) as server:
        server.path = _socket()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        site.environment["DOCKER_HOST"] = f"tcp://127.0.0.1:{server.server_address[1]}"
        yield site
        server.shutdown()


def _socket() -> str:
    from reconciler.engine.docker_connect import resolve_target

    return resolve_target(None, None, os.environ).host.partition("://")[2]


def test_configs_and_secrets_are_copied_in(elsewhere: Site, tmp_path: Path) -> None:
    """With mode and owner; a change replaces the container, and nothing else does."""
    site = elsewhere
    (site.folder / "secret").write_bytes(bytes(range(256)))
    key = age.identity(tmp_path)
    (site.folder / "coded").write_bytes(age.encrypt("of-a-file", key))
    site.environment["RECONCILER_AGE_IDENTITY_FILE"] = str(key)
    reference = {"source": "s", "target": "/etc/s", "mode": "0440", "uid": "5", "gid": "6"}
    declared = {"secrets": {"s": {"file": "./secret"}, "coded": {"file": "./coded"}}}
    site.write(declared, web=site.service(secrets=[reference, "coded"]))
    site.converge()
    container = site.only("web")["Id"]
    assert site.execute(container, "stat", "-c", "%a %u %g %s", "/etc/s") == "440 5 6 256"
    digest = hashlib.sha256(bytes(range(256))).hexdigest()
    assert site.execute(container, "sha256sum", "/etc/s") == f"{digest}  /etc/s"
    assert site.execute(container, "cat", "/run/secrets/coded") == "of-a-file"
    before = site.running()
    site.converge()
    assert site.running() == before
    (site.folder / "secret").write_text("another")
    site.run("--dry-run").expect(0).says("the content of ./secret changed")
    site.converge()
    assert site.execute(site.only("web")["Id"], "cat", "/etc/s") == "another"


def test_other_files_of_ours_are_refused(elsewhere: Site) -> None:
    """By name and line, with exit code 3, in a plan too; what is the engine's own is not."""
    site = elsewhere
    (site.folder / "conf").mkdir()
    site.write(web=site.service(volumes=["./conf:/etc/web"]))
    for arguments in ((), ("--dry-run",), ("status",)):
        site.run(*arguments).expect(3).says(
            "compose.yaml:", "/conf cannot be mounted by an engine that does not see the files of this machine"
        )
    assert site.containers() == {}
    site.write(web=site.service(volumes=["/etc/hostname:/etc/of-the-engine:ro"]))
    site.converge()
