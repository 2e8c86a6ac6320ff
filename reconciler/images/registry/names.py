"""Where a reference points: the registry's host and the repository there (OCI distribution specification, names)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from reconciler.errors import RegistryError
from reconciler.images.registry.digests import is_digest
from reconciler.model.references import HUB, parse_reference, split_host

_HUB_HOST = "registry-1.docker.io"
_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?)+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")


@dataclass(frozen=True)
class Location:
    """A repository of a registry, and the tag or digest there. `host` is `name[:port]`, as credentials name it."""

    host: str
    repository: str
    reference: str

    @property
    def address(self) -> str:
        """The host that answers: Docker Hub's registry has another name than Docker Hub."""
        return _HUB_HOST if self.host == HUB else self.host

    @property
    def pinned(self) -> bool:
        """Whether a digest is asked for, so that the answer is known beforehand."""
        return is_digest(self.reference)

    @property
    def path(self) -> str:
        """The path of the manifest."""
        return self.below(f"manifests/{self.reference}")

    def below(self, rest: str) -> str:
        """A path below the repository's."""
        return f"/v2/{self.repository}/{rest}"

    def __str__(self) -> str:
        """As a person writes it in full."""
        return f"{self.host}/{self.repository}{'@' if self.pinned else ':'}{self.reference}"


def locate(text: str) -> Location:
    """The location that an image reference names. RegistryError `ReferenceInvalid` where it can name none."""
    parsed = parse_reference(text)
    host, repository = split_host(parsed.repository)
    reference = parsed.digest or parsed.tag or "latest"
    valid = is_digest(reference) if parsed.digest else is_tag(reference)
    if not (valid and _HOST.fullmatch(host) and _NAME.fullmatch(repository)):
        raise RegistryError(
            "is no image reference that a registry can be asked for",
            reason="ReferenceInvalid",
            source=text,
            hint="write [HOST[:PORT]/]NAME[:TAG][@DIGEST], the name in lower case",
        )
    return Location(host, repository, reference)


def is_tag(text: str) -> bool:
    """Whether the text can be a tag."""
    return bool(_TAG.fullmatch(text))


def is_loopback(host: str) -> bool:
    """Whether `name[:port]` is this machine, which engines too reach without TLS."""
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
