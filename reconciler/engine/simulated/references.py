"""Image references as the engine checks and completes them: `nginx` is `nginx:latest`, and `Nginx` is none.

Grammar and defaults: the distribution project's reference format, as GET /images/{name}/json applies it.
"""

from __future__ import annotations

import re
from dataclasses import replace

from reconciler.engine.simulated.state import BAD_REQUEST, refusal
from reconciler.model.references import Reference, parse_reference

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"[a-z0-9]+:[0-9a-f]{32,}")


def parse(text: str) -> Reference:
    """The reference with its default tag, or EngineError 400 where it is none."""
    parsed = parse_reference(text)
    repository = parsed.repository.removeprefix("library/")
    domain, _, path = repository.partition("/")
    checked = path if {".", ":"} & set(domain) or domain == "localhost" else repository
    if not _PATH.fullmatch(checked):
        why = ": repository name must be lowercase" if _PATH.fullmatch(checked.lower()) else ""
        raise refusal(BAD_REQUEST, f"invalid reference format{why}")
    if (parsed.tag and not _TAG.fullmatch(parsed.tag)) or (parsed.digest and not _DIGEST.fullmatch(parsed.digest)):
        raise refusal(BAD_REQUEST, "invalid reference format")
    return replace(parsed, repository=repository, tag=parsed.tag or (None if parsed.digest else "latest"))


def key(reference: Reference) -> str:
    """What decides which image is meant, as in RepoDigests and RepoTags: the digest if there is one, else the tag."""
    return f"{reference.repository}@{reference.digest}" if reference.digest else reference.tagged


def spelled(reference: Reference) -> str:
    """The reference as the engine's messages show it."""
    return reference.pinned(reference.digest) if reference.digest else reference.tagged
