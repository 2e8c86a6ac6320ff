"""The content key of a build: what would be built again from the same input has the same key and so the same tag.

Called when images are resolved, before planning; `engine.docker_build` computes the key again from what it sends.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from reconciler.images.context import context_digest, read_context
from reconciler.model.canonical import canonical_json
from reconciler.model.project import Build
from reconciler.model.references import parse_reference

_SCHEMA = 1
_TAG_DIGITS = 16


def with_key(build: Build, project: str, service: str, reference: str, platform: str | None) -> Build:
    """The build with its `key` and its `tag`, `<repository>:bk-<16 hex>`.

    The repository is the service's `image` where it has one, else `<project>-<service>`. SpecError where the context or
    the Dockerfile cannot be read.
    """
    context = read_context(build)
    key = content_key(build, context_digest(context), context.dockerfile, platform)
    repository = parse_reference(reference).repository if reference else f"{project}-{service}".lower()
    return replace(build, key=key, tag=f"{repository}:bk-{key[:_TAG_DIGITS]}")


def content_key(build: Build, digest: str, dockerfile: bytes, platform: str | None) -> str:
    """SHA-256, 64 hex digits, over the context's digest and everything else that the build reads."""
    read = {
        "schema": _SCHEMA,
        "context": digest,
        "dockerfile": hashlib.sha256(dockerfile).hexdigest(),
        "args": dict(build.args),
        "target": build.target,
        "labels": dict(build.labels),
        "platform": platform,
    }
    return hashlib.sha256(canonical_json(read)).hexdigest()
