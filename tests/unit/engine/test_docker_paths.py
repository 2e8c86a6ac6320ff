"""Whether paths on the engine's machine can be looked at, and which are missing."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.engine.docker_connect import resolve_target
from reconciler.engine.docker_paths import missing, shares_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("host", "changes", "shared"),
    [
        ("unix:///run/docker.sock", {}, True),
        ("tcp://127.0.0.1:2375", {}, False),
        ("unix:///run/docker.sock", {"Name": "another"}, False),
        ("unix:///run/docker.sock", {"DockerRootDir": "/no/such/folder"}, False),
        ("unix:///run/docker.sock", {"DockerRootDir": ""}, False),
    ],
)
def test_files_are_shared_with_a_local_engine_only(
    host: str, changes: dict[str, Any], shared: bool, tmp_path: Path
) -> None:
    """Not through the network, and not from within a container that has the socket."""
    about = {"Name": socket.gethostname(), "DockerRootDir": str(tmp_path), **changes}
    assert shares_files(resolve_target(host, None, {"HOME": str(tmp_path)}), about) is shared


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    """Also below a file, and a link to nowhere; what cannot be looked at is not."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    paths = {name: str(tmp_path / name) for name in ("file", "link", "loop", "gone", "file/below")}
    assert missing(paths.values()) == {paths["link"], paths["gone"], paths["file/below"]}
