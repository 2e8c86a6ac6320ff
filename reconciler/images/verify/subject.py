"""The image that a signature has to be of: a digest in a repository."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.errors import RegistryError
from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.listing import descriptor
from reconciler.images.registry.names import Location, locate
from reconciler.images.verify.documents import LIMIT, Rejected, shown, unreadable


@dataclass(frozen=True)
class Subject:
    """The image that has to be signed: the digest of its index, in the repository of `place`; `source` names both."""

    place: Location
    digest: str
    source: str

    @property
    def repository(self) -> str:
        """The repository's name in full, as references start."""
        return f"{self.place.host}/{self.place.repository}"

    def check_digest(self, signed: str) -> None:
        """Rejected where another digest is signed."""
        if signed != self.digest:
            raise Rejected("SignatureMismatch", f"it is of {shown(signed)}")

    def check_repository(self, signed: str) -> None:
        """Rejected where another repository is signed, however it and ours are spelled."""
        try:
            found = locate(signed)
        except RegistryError:  # a name that no image has is not this one's
            found = None
        if found is None or (found.host, found.repository) != (self.place.host, self.place.repository):
            raise Rejected("SignatureMismatch", f"it is for the repository {shown(signed)}, not {self.repository}")


def fetched(client: RegistryClient, subject: Subject, layer: object) -> bytes:
    """The content of a layer in the subject's repository. Rejected where it is too large to be a signature's."""
    found = descriptor(layer, subject.repository)
    if found.size > LIMIT:
        raise unreadable(f"it is larger than {LIMIT // 1024} kB")
    return client.blob(subject.repository, found.digest, LIMIT)
