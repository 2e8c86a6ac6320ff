"""Image references as the engine reads and prints them (OCI distribution spec; Docker's familiar names)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

HUB = "docker.io"


@dataclass(frozen=True)
class Reference:
    """A parsed image reference. `repository` is the familiar name (`nginx`, `ghcr.io/a/b`), as RepoTags show it."""

    repository: str
    tag: str | None
    digest: str | None

    @property
    def tagged(self) -> str:
        """`repository:tag` with the default tag where neither tag nor digest was written."""
        return f"{self.repository}:{self.tag or 'latest'}"

    def pinned(self, digest: str) -> str:
        """`repository:tag@digest`: readable in `docker ps`, resolved by the engine through the digest alone."""
        tag = f":{self.tag}" if self.tag else ("" if self.digest else ":latest")
        return f"{self.repository}{tag}@{digest}"


@lru_cache(maxsize=4096)
def parse_reference(text: str) -> Reference:
    """Split `name[:tag][@digest]`; a colon before a slash is a registry's port, never a tag."""
    name, _, digest = text.partition("@")
    head, slash, last = name.rpartition("/")
    base, _, tag = last.partition(":")
    return Reference(_familiar(f"{head}{slash}{base}"), tag or None, digest or None)


def split_host(name: str) -> tuple[str, str]:
    """Host and repository; a first part without dot, port or `localhost` belongs to Docker Hub (Docker's rule)."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return HUB, name if slash else f"library/{name}"


def short_digest(digest: str) -> str:
    """The first digits of a digest, as people tell images apart."""
    return digest.partition(":")[2][:12]


def _familiar(name: str) -> str:
    for prefix in ("docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/"):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name
