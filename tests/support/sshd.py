"""A real sshd for a test, on a port of its own, that lets in one key as the user who runs the tests."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWN_WORLD = (  # root's sshd wants a user and a folder of its own: in a mount namespace they disturb nobody
    "mount -t tmpfs none /run && mkdir /run/sshd && "
    'mount --bind "$1/passwd" /etc/passwd && exec "$2" -D -e -f "$1/config"'
)


@dataclass(frozen=True)
class Sshd:
    """A running server: the beginning of its addresses, the key it lets in, and its own key as known_hosts has it."""

    url: str
    key: Path
    known_hosts: Path


@contextlib.contextmanager
def running_sshd(folder: Path) -> Iterator[Sshd]:
    """An sshd with its files in that (new) folder. Skips the test where none is installed or may be run."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("sshd is not installed")
    port = _configured(folder)
    command = [program, "-D", "-e", "-f", str(folder / "config")]
    if os.geteuid() == 0:
        command = ["unshare", "--mount", "sh", "-c", _OWN_WORLD, "sh", str(folder), program]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for(port, process, folder / "log")
        yield Sshd(f"ssh://{getpass.getuser()}@127.0.0.1:{port}", folder / "key", folder / "known_hosts")
    finally:
        process.terminate()
        process.wait()


def _configured(folder: Path) -> int:
    """Keys and configuration written; the port."""
    folder.mkdir()
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    user = "sshd:x:65530:65534::/run/sshd:/usr/sbin/nologin\n"
    (folder / "passwd").write_text(Path("/etc/passwd").read_text() + user)
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "key.pub",
        "StrictModes": "no",
        "PasswordAuthentication": "no",
        "PidFile": "none",
    }
    (folder / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            pytest.skip(f"sshd cannot be run here: {log.read_text().strip()[-200:]}")
        time.sleep(0.02)
    pytest.fail("no sshd came up")
