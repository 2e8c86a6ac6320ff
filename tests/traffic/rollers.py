"""Who rolls a version out: `reconcile`, `docker compose`, or nobody (what the harness itself loses)."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Roller = Callable[[Path, str], None]

PATIENCE = 300  # seconds a roll-out may take


def reconcile(file: Path, project: str) -> None:
    """Converges, as a user would. Raises RuntimeError with what it said where it fails."""
    state = file.parent / "state"
    command = [sys.executable, "-m", "reconciler", "-f", str(file), "-p", project, "--state-dir", str(state)]
    _run([*command, "--no-color"], file.parent / "rollout.log")


def compose_command() -> list[str] | None:
    """What runs Compose: COMPOSE where set, else the CLI's plug-in; None where neither answers."""
    command = [found] if (found := os.environ.get("COMPOSE")) else ["docker", "compose"]
    try:
        answers = subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return None
    return command if answers else None


def compose(file: Path, project: str) -> None:
    """`docker compose up --detach`. Raises RuntimeError with what it said where it fails."""
    command = compose_command() or []
    _run([*command, "-f", str(file), "-p", project, "up", "--detach"], file.parent / "rollout.log")


def nobody(_file: Path, _project: str) -> None:
    """Leaves everything as it is."""


def _run(command: list[str], log: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    with log.open("a") as kept:
        kept.write(f"{' '.join(command)} -> {done.returncode}\n{done.stdout}{done.stderr}\n")
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}"[-3000:])
