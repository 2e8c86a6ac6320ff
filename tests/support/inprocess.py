"""The program's command line run in this process: as `python -m reconciler`, without the start of an interpreter.

For what a command line says and how it ends. What only a process of its own can show (what is imported, closed pipes,
signals, a full disk) is in `tests/unit/cli/test_command_line.py`, and the suites with an engine start processes too.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.main import run
from reconciler.errors import FAILED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

THEIRS = ("COMPOSE_", "DOCKER_")


@dataclass(frozen=True)
class Done:
    """How it ended and what it said, by the names of `subprocess.CompletedProcess`."""

    returncode: int
    stdout: str
    stderr: str


def reconcile(folder: Path, *arguments: str, **environment: str) -> Done:
    """One command line in that folder, whose locks are there too; of this process's environment, Docker's is hidden."""
    out, err = io.StringIO(), io.StringIO()
    with _as_started(folder, arguments, environment), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(list(arguments))
    return Done(FAILED if code is None else code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _as_started(folder: Path, arguments: tuple[str, ...], environment: dict[str, str]) -> Iterator[None]:
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(THEIRS)]:
            patch.delenv(name)
        for name, value in {"XDG_RUNTIME_DIR": str(folder), **environment}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["reconcile", *arguments])
        yield
