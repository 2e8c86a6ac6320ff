"""The content key of a build: what would be built again from the same input has the same key and so the same tag.

Made in two steps: `with_content` when the specs are loaded, without any engine, and `with_bases` when it is known which
images the build uses (`bases`). `engine.docker_build` computes the first again from what it sends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from reconciler.images.build_secrets import secret_hash
from reconciler.images.context import context_digest, local_contexts, read_context
from reconciler.images.dockerfile.lines import replaced
from reconciler.model.canonical import canonical_json
from reconciler.model.project import Build
from reconciler.model.references import parse_reference

MAIN = ""
_SCHEMA = 1
_TAG_DIGITS = 16


def with_content(build: Build, project: str, service: str, reference: str, platform: str | None) -> Build:
    """The build with the hash of all that it reads here (`content`), its instructions, and the repository of its tag.

    The repository is the service's `image` where it has one, else `<project>-<service>`. SpecError where a context, the
    Dockerfile or a secret cannot be read.
    """
    context = read_context(build)
    digests = {name: context_digest(found) for name, found in local_contexts(build).items()}
    content = content_key(build, {MAIN: context_digest(context), **digests}, context.dockerfile, platform)
    repository = parse_reference(reference).repository if reference else f"{project}-{service}".lower()
    instructions = context.dockerfile.decode(errors="surrogateescape")
    return replace(build, content=content, instructions=instructions, tag=repository, key="")


def with_key(build: Build, bases: Mapping[str, str]) -> Build:
    """The build with its `key` and its `tag`, `<repository>:bk-<16 hex>`, out of its content and what it starts from.

    `bases` say for each image that it uses what that stands for. Without any, the key is the hash of the content.
    """
    made_of = {"content": build.content, "bases": dict(bases)}
    key = hashlib.sha256(canonical_json(made_of)).hexdigest() if bases else build.content
    return replace(build, key=key, tag=f"{build.tag}:bk-{key[:_TAG_DIGITS]}", bases=tuple(sorted(bases.items())))


def pinned_instructions(build: Build, *, by_id: bool) -> bytes:
    """The Dockerfile with each base image named by what it stands for; `by_id` also where that is an image's id."""
    pins = {(start, end): name for start, end, name in build.pins if by_id or not is_id(name)}
    return replaced(build.instructions, pins).encode(errors="surrogateescape")


def is_id(stands_for: str) -> bool:
    """Whether a base is known by its id alone: no registry has it."""
    return stands_for.startswith("sha256:")


def content_key(build: Build, digests: Mapping[str, str], dockerfile: bytes, platform: str | None) -> str:
    """SHA-256, 64 hex digits, over the digests of the contexts and everything else that the build reads here.

    `digests` are those of the context (`MAIN`) and of the additional contexts that are folders. An option that is not
    used is not part of what is hashed: the key stays the one that it was before there was such an option.
    """
    read = {
        "schema": _SCHEMA,
        "context": digests[MAIN],
        "dockerfile": hashlib.sha256(dockerfile).hexdigest(),
        "args": dict(build.args),
        "target": build.target,
        "labels": dict(build.labels),
        "platform": platform_of(build, platform),
        **_options(build, digests),
    }
    if build.secrets:
        salt = hashlib.sha256(canonical_json(read)).digest()
        read["secrets"] = {secret.id: secret_hash(secret, salt) for secret in build.secrets}
    return hashlib.sha256(canonical_json(read)).hexdigest()


def platform_of(build: Build, platform: str | None) -> str | None:
    """The service's platform, else those of the build, separated by commas; None: the engine's own."""
    return platform or ",".join(build.platforms) or None


def _options(build: Build, digests: Mapping[str, str]) -> dict[str, Any]:
    """The options that are used and can change the result."""
    options = {
        "contexts": {name: digests.get(name, place) for name, place in build.contexts},
        "entitlements": list(build.entitlements),
        "extra_hosts": list(build.extra_hosts),
        "network": build.network,
        "privileged": build.privileged,
        "shm_size": build.shm_size,
        "ulimits": [asdict(limit) for limit in build.ulimits],
    }
    return {name: value for name, value in options.items() if value}
