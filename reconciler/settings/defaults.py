"""Where things lie when nobody says so: the state of the program and its socket."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

ROOT_STATE = "/var/lib/reconciler"
ROOT_SOCKET = "/run/reconciler.sock"
SOCKET = "reconciler.sock"


def default_state_dir(environment: Mapping[str, str]) -> str:
    """The one named by the variable, else root's place, else the user's (XDG Base Directory, state)."""
    if named := environment.get("RECONCILER_STATE_DIR"):
        return named
    if os.geteuid() == 0:
        return ROOT_STATE
    home = environment.get("XDG_STATE_HOME", "")
    base = Path(home) if home.startswith("/") else Path.home() / ".local/state"
    return str(base / "reconciler")


def default_socket(environment: Mapping[str, str], state_dir: str) -> str:
    """Root's place, else the user's runtime directory, else beside the state."""
    if os.geteuid() == 0:
        return ROOT_SOCKET
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    return str(Path(runtime if runtime.startswith("/") else state_dir) / SOCKET)
