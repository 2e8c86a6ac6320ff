"""Image references as the engine reads them: `nginx` is `docker.io/library/nginx:latest`.

Grammar and defaults: the distribution project's reference format, as GET /images/{name}/json applies it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.errors import EngineError

_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"[a-z0-9]+:[0-9a-f]{32,}")
_HUB = "docker.io"
_BAD_REQUEST = 400


@dataclass(frozen=True)
class Reference:
    """A parsed reference. `name` is the short form that RepoTags show; `tag` is `latest` where neither is written."""

    name: str
    tag: str | None
    digest: str | None

    @property
    def tagged(self) -> str:
        """`name:tag`, as in RepoTags."""
        return f"{self.name}:{self.tag}"

    @property
    def digested(self) -> str:
        """`name@digest`, as in RepoDigests."""
        return f"{self.name}@{self.digest}"

    @property
    def key(self) -> str:
        """What decides which image is meant: the digest where there is one, else the tag."""
        return self.digested if self.digest else self.tagged

    def __str__(self) -> str:
        """The reference with its defaults filled in, as the engine's messages show it."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")


def parse(text: str) -> Reference:
    """The reference, or EngineError 400 where it is none."""
    rest, _, digest = text.partition("@")
    head, separator, tail = rest.rpartition(":")
    name, tag = (head, tail) if separator and "/" not in tail else (rest, None)
    if digest and not _DIGEST.fullmatch(digest):
        raise EngineError("invalid reference format", status=_BAD_REQUEST, source=text)
    if tag is not None and not _TAG.fullmatch(tag):
        raise EngineError("invalid reference format", status=_BAD_REQUEST, source=text)
    if not tag and not digest:
        tag = "latest"
    return Reference(_familiar(name, text), tag, digest or None)


def _familiar(name: str, text: str) -> str:
    domain, separator, path = name.partition("/")
    if not separator or not ({".", ":"} & set(domain) or domain == "localhost"):
        domain, path = _HUB, name
    if not _PATH.fullmatch(path):
        why = ": repository name must be lowercase" if _PATH.fullmatch(path.lower()) else ""
        raise EngineError(f"invalid reference format{why}", status=_BAD_REQUEST, source=text)
    return path.removeprefix("library/") if domain in {_HUB, f"index.{_HUB}"} else f"{domain}/{path}"
