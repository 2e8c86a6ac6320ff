"""What the COMPOSE_* variables of the environment ask for (docker compose, "Pre-defined environment variables").

COMPOSE_PROJECT_NAME is `names`' and COMPOSE_PROFILES is `profiles`' matter. Options of the command line win over all.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from reconciler.errors import UsageError
from reconciler.spec.environment import EnvFiles, chosen_environment, project_environment
from reconciler.spec.nodes import shown

FILE = "COMPOSE_FILE"
_SEPARATOR = "COMPOSE_PATH_SEPARATOR"
_ENV_FILES = "COMPOSE_ENV_FILES"
_NO_ENV_FILE = "COMPOSE_DISABLE_ENV_FILE"
_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False", "")


def compose_files(environment: Mapping[str, str], cwd: str) -> tuple[str, ...]:
    """The absolute paths that COMPOSE_FILE lists, between COMPOSE_PATH_SEPARATORs (`:`); () where it lists none.

    UsageError for an empty path in the list.
    """
    listed = environment.get(FILE) or ""
    if not listed:
        return ()
    separator = environment.get(_SEPARATOR) or ":"
    paths = listed.split(separator)
    if not all(paths):
        hint = f"write it as a{separator}b, without one at an end"
        raise UsageError(f"{FILE}: {shown(listed)} has an empty path in it", hint=hint)
    return tuple(os.path.normpath(os.path.join(cwd, path)) for path in paths)  # noqa: PTH118


def folder_environment(
    folder: str, flags: tuple[str, ...], shell: Mapping[str, str], cwd: str, reader: EnvFiles
) -> dict[str, str]:
    """The variables of a folder's project, the shell's first: of `--env-file`, else COMPOSE_ENV_FILES, else `.env`.

    COMPOSE_DISABLE_ENV_FILE, in the shell or in `.env` itself, leaves `.env` out. Raises SpecError for a file that
    cannot be read, and UsageError for a variable that is no boolean.
    """
    listed = flags or tuple(path for path in shell.get(_ENV_FILES, "").split(",") if path)
    paths = tuple(os.path.normpath(os.path.join(cwd, path)) for path in listed)  # noqa: PTH118
    if paths:
        return chosen_environment(paths, shell, reader)
    if _is_disabled(shell):
        return dict(shell)
    variables = project_environment(folder, (), shell, reader)
    return dict(shell) if _is_disabled(variables) else variables


def _is_disabled(environment: Mapping[str, str]) -> bool:
    value = environment.get(_NO_ENV_FILE, "")
    if value not in _TRUE + _FALSE:
        raise UsageError(f"{_NO_ENV_FILE}: {shown(value)} is neither true nor false", hint="write 1 or 0")
    return value in _TRUE
