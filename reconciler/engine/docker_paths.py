"""Paths on the engine's machine, where that is this one and its files are ours to see."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path

from reconciler.engine.docker_connect import Target
from reconciler.engine.protocol import JSON


def shares_files(target: Target, about: JSON) -> bool:
    """Whether the engine of GET /info sees the files that we see: a local socket, our host name, its own folder here.

    A program in a container has another host name or lacks the engine's folder (DockerRootDir).
    """
    root = about.get("DockerRootDir") or ""
    return target.scheme == "unix" and about.get("Name") == socket.gethostname() and bool(root) and _exists(root)


def missing(paths: Iterable[str]) -> frozenset[str]:
    """Those of the paths that do not exist; what may not be looked at is taken to exist."""
    return frozenset(path for path in paths if not _exists(path))


def _exists(path: str) -> bool:
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
