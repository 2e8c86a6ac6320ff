"""Registry credentials as the docker CLI keeps them: config.json, credential helpers and stores.

Called by `docker`, `docker_build` and `docker_transport`, and through `credential_lookup` by our own registry client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docker import auth
from docker.credentials import StoreError
from docker.errors import DockerException

from reconciler.engine.docker_connect import Target, read_config
from reconciler.errors import EngineError
from reconciler.images.registry.credentials import Credential, Lookup

_FAILURES = (DockerException, StoreError, ValueError, KeyError, TypeError, AttributeError)
NO_CREDENTIALS = {"X-Registry-Auth": auth.encode_header({}).decode()}  # what a push wants at least


def registry_auth(target: Target, repository: str) -> dict[str, str]:
    """The X-Registry-Auth header (Engine API) for a repository's registry; {} where nothing is known for it.

    EngineError where a credential helper fails.
    """
    try:
        registry, _ = auth.resolve_repository_name(repository)
    except _FAILURES as error:
        raise _unusable(target, error) from error
    known = _known(target, registry)
    return {"X-Registry-Auth": _header(known)} if known else {}


def credential_lookup(target: Target) -> Lookup:
    """What finds the credential for a registry's host (`docker.io` for Docker Hub), None where nothing is known.

    It reads config.json and asks helpers at every call. EngineError where they cannot be read.
    """

    def look_up(host: str) -> Credential | None:
        known = {key.lower(): value or "" for key, value in _known(target, host).items()}
        found = Credential(known.get("username", ""), known.get("password", ""), known.get("identitytoken", ""))
        return found if found.user or found.identity_token else None

    return look_up


def all_registries(target: Target) -> dict[str, str]:
    """The X-Registry-Config header (Engine API, POST /build) with every credential known; {} where there is none."""
    try:
        found = _load(target).get_all_credentials()
    except _FAILURES as error:
        raise _unusable(target, error) from error
    known = {registry: entry for registry, entry in found.items() if entry}
    return {"X-Registry-Config": _header(known)} if known else {}


def require_readable(target: Target) -> None:
    """EngineError where config.json holds credentials that are none; the SDK's client reads them when it is made."""
    try:
        _load(target)
    except _FAILURES as error:
        raise _unusable(target, error) from error


def _known(target: Target, registry: str) -> Mapping[str, str | None]:
    """What is known for a registry (docker.auth's keys, in either case), {} for nothing."""
    try:
        return _load(target).resolve_authconfig(registry) or {}
    except _FAILURES as error:
        raise _unusable(target, error) from error


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
