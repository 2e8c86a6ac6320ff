"""The two builders of an engine: BuildKit through the docker CLI's buildx, and the classic one."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from reconciler.engine.docker import connect

if TYPE_CHECKING:
    from reconciler.engine.protocol import Engine


def has_buildx() -> bool:
    """Whether the docker CLI on PATH has the plug-in."""
    tool = shutil.which("docker")
    asked = tool and subprocess.run([tool, "buildx", "version"], capture_output=True, check=False)
    return bool(asked) and asked.returncode == 0  # type: ignore[union-attr]


def without_buildx() -> Engine:
    """A connection that builds by the classic builder, because it finds no docker CLI."""
    return connect(environment={**os.environ, "PATH": "/nonexistent"})
