"""`build` (Compose Build Specification) of one service to the Build that `images` keys and the engine carries out."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.model.project import Build, BuildSecret, BuildUlimit, Notice
from reconciler.spec.builds import REMOTE_CONTEXTS, SERVICE_CONTEXT
from reconciler.spec.lower_files import reference_text
from reconciler.spec.lower_scope import Scope
from reconciler.spec.sizes import parse_bytes

_OWNERS = ("gid", "mode", "uid")


def lower_build(scope: Scope) -> Build | None:
    """How the service's image is built; None where it is not.

    Raises SpecError for a context that cannot be part of the build's key, and for a secret without content.
    """
    spec = scope.spec.get("build")
    if not spec:
        return None
    _refuse_remote(scope, spec.get("context") or "")
    inline = spec.get("dockerfile_inline")
    return Build(
        context=spec["context"],
        dockerfile="" if inline else posixpath.join(spec["context"], spec.get("dockerfile") or "Dockerfile"),
        dockerfile_inline=inline,
        args=_pairs(spec.get("args")),
        target=spec.get("target"),
        labels=_pairs(spec.get("labels")),
        contexts=_contexts(scope, spec.get("additional_contexts") or {}),
        secrets=_secrets(scope, spec.get("secrets") or ()),
        ssh=tuple(_ssh(scope, key) for key in spec.get("ssh") or ()),
        **_environment(spec),
        **_for_the_builder(spec),
    )


def build_notices(scope: Scope) -> Iterator[Notice]:
    """What is asked of a build's secrets and cannot be had: the Dockerfile says whose a mounted secret is."""
    for index, item in enumerate((scope.spec.get("build") or {}).get("secrets") or ()):
        if asked := [key for key in _OWNERS if key in item]:
            place = f"services.{scope.name}.build.secrets"
            message = f"{place}: {', '.join(asked)} of {item['source']} mean nothing: RUN --mount says them"
            yield Notice("NotHonoured", message, scope.source(f"build.secrets[{index}]"))


def _environment(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What commands of the build see of the world around them."""
    return {
        "entitlements": tuple(sorted(spec.get("entitlements") or ())),
        "extra_hosts": tuple(spec.get("extra_hosts") or ()),
        "network": spec.get("network") or None,
        "platforms": tuple(spec.get("platforms") or ()),
        "privileged": bool(spec.get("privileged")),
        "shm_size": parse_bytes(str(spec.get("shm_size") or 0)),
        "ulimits": tuple(_ulimit(name, limit) for name, limit in sorted((spec.get("ulimits") or {}).items())),
    }


def _for_the_builder(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What changes how an image is built, and not what is in it."""
    lists = {key: tuple(spec.get(key) or ()) for key in ("cache_from", "cache_to", "tags")}
    return {**lists, "no_cache": bool(spec.get("no_cache")), "pull": bool(spec.get("pull"))}


def _refuse_remote(scope: Scope, context: str) -> None:
    if context.startswith(REMOTE_CONTEXTS):
        message = f"a build context on another machine ({context!r}) is not supported yet"
        raise scope.refuse("build.context", message, "clone it, and write the folder")


def _contexts(scope: Scope, places: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Sorted pairs. What another build or an OCI layout holds is not known when the key is made: SpecError."""
    for name, place in places.items():
        key = f"build.additional_contexts.{name}"
        if place.startswith((SERVICE_CONTEXT, "target:")):
            message = f"{key}: the image of another build ({place!r}) is not supported as a context yet"
            raise scope.refuse(key, message, "write its folder, or docker-image:// and the name of an image")
        if place.startswith("oci-layout://") and "@sha256:" not in place:
            message = f"{key}: {place!r} may hold another image tomorrow"
            raise scope.refuse(key, message, "end it in @sha256: and the digest")
    return tuple(sorted(places.items()))


def _secrets(scope: Scope, items: Any) -> tuple[BuildSecret, ...]:
    """Sorted by id, which is the `target` where there is one, as in Compose."""
    return tuple(sorted((_secret(scope, item) for item in items), key=lambda secret: secret.id))


def _secret(scope: Scope, item: Mapping[str, Any]) -> BuildSecret:
    name = item["source"]
    definition = scope.document["secrets"][name]
    identity = item.get("target") or name
    if definition.get("external"):
        message = f"build.secrets: secret {name} is external, and only Swarm keeps secrets"
        raise scope.refuse("build.secrets", message, "declare it with file: or environment:")
    if definition.get("file") in scope.decrypted:
        return BuildSecret(identity, content=_decrypted(scope, name, definition["file"]))
    if "file" in definition:
        return BuildSecret(identity, definition["file"])
    return BuildSecret(identity, content=reference_text(scope, "secrets", item, definition))


def _decrypted(scope: Scope, name: str, path: str) -> str:
    """What an encrypted file holds. It is handed on as a variable, which cannot hold a NUL byte."""
    data = scope.decrypted[path]
    if b"\0" in data:
        message = f"build.secrets: the encrypted file of {name} holds a NUL byte, which no build can be given"
        raise scope.refuse("build.secrets", message, "encrypt it in base64, and decode it in the build")
    return data.decode(errors="surrogateescape")


def _ssh(scope: Scope, key: str) -> str:
    name, equals, path = key.partition("=")
    return f"{name}={posixpath.join(scope.working_dir, path)}" if equals else name


def _ulimit(name: str, limit: int | Mapping[str, int]) -> BuildUlimit:
    if isinstance(limit, Mapping):
        return BuildUlimit(name, limit.get("soft", 0), limit.get("hard", 0))
    return BuildUlimit(name, limit, limit)


def _pairs(mapping: Mapping[str, str | None] | None) -> tuple[tuple[str, str], ...]:
    """Sorted pairs. A null value is an argument that the environment does not set: the Dockerfile's default holds."""
    return tuple((name, value) for name, value in sorted((mapping or {}).items()) if value is not None)
