"""Registry credentials as the docker CLI keeps them: config.json, credential helpers and stores.

Called by `docker` and `docker_build`.
"""

from __future__ import annotations

from typing import Any

from docker import auth
from docker.credentials import StoreError
from docker.errors import DockerException

from reconciler.engine.docker_connect import Target, read_config
from reconciler.errors import EngineError

_FAILURES = (DockerException, StoreError, ValueError, KeyError)


def registry_auth(target: Target, repository: str) -> dict[str, str]:
    """The X-Registry-Auth header (Engine API) for a repository's registry; {} where nothing is known for it.

    EngineError where a credential helper fails.
    """
    try:
        registry, _ = auth.resolve_repository_name(repository)
        known = _load(target).resolve_authconfig(registry)
    except _FAILURES as error:
        raise _unusable(target, error) from error
    return {"X-Registry-Auth": _header(known)} if known else {}


def all_registries(target: Target) -> dict[str, str]:
    """The X-Registry-Config header (Engine API, POST /build) with every credential known; {} where there is none."""
    try:
        found = _load(target).get_all_credentials()
    except _FAILURES as error:
        raise _unusable(target, error) from error
    known = {registry: entry for registry, entry in found.items() if entry}
    return {"X-Registry-Config": _header(known)} if known else {}


def _load(target: Target) -> Any:
    return auth.load_config(
        config_dict={"auths": {}} | read_config(target.config_dir), credstore_env=dict(target.environment)
    )


def _header(value: Any) -> str:
    return auth.encode_header(value).decode()


def _unusable(target: Target, error: Exception) -> EngineError:
    message = f"registry credentials cannot be read: {error}"
    hint = "see credHelpers and credsStore, or run docker login"
    return EngineError(message, source=str(target.config_dir / "config.json"), hint=hint, code="CredentialsUnusable")
