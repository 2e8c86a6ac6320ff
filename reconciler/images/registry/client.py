"""Asks registries what they have: digests by HEAD, which costs nobody's quota; manifests, blobs and lists by GET.

OCI distribution specification, "Pulling manifests", "Pulling blobs", "Listing Tags", "Listing Referrers". Called by
`registries` and `images.verify`; the planner never sees it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Self, TypeVar
from urllib.parse import quote

from reconciler.errors import RegistryError
from reconciler.images.registry.asking import Asking
from reconciler.images.registry.credentials import Credentials, Lookup
from reconciler.images.registry.digests import (
    ConfigDigest,
    IndexDigest,
    Manifest,
    PlatformDigest,
    PlatformManifest,
    digest_like,
    is_digest,
    sha256,
)
from reconciler.images.registry.documents import (
    ACCEPT,
    OCI_INDEX,
    bad_answer,
    config_of,
    media_type_of,
    platforms_of,
    read,
)
from reconciler.images.registry.listing import PAGE, Descriptor, descriptors_in, next_page, referrers_tag, tags_in
from reconciler.images.registry.names import Location, locate
from reconciler.images.registry.pacing import Pacing
from reconciler.images.registry.passes import Question, answers
from reconciler.images.registry.settings import Settings
from reconciler.images.registry.wire import OK, Answer, Request

Resolved = dict[str, Manifest | RegistryError]
Tags = tuple[str, ...]
_Entry = TypeVar("_Entry")

_DIGEST = "Docker-Content-Digest"
_NO_REFERRERS = {400, 404, 405, 406}


class RegistryClient:
    """A client of all registries. Thread-safe. Every method raises RegistryError, whose source is the reference.

    `credentials` are asked for a host (`docker.io` for Docker Hub) once a pass, after a registry asked for them;
    `clock` is the time in seconds since the epoch. Clients with the same `pacing` ask as if they were one.
    """

    def __init__(
        self,
        credentials: Lookup,
        settings: Settings | None = None,
        clock: Callable[[], float] = time.time,
        pacing: Pacing | None = None,
    ) -> None:
        self._settings = settings or Settings()
        self._credentials = Credentials(credentials)
        self._asking = Asking(self._credentials, self._settings, clock, pacing or Pacing(clock))

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._asking.close()

    def begin(self) -> None:
        """A new pass begins: whoever asks for credentials gets those of now."""
        self._credentials.forget()

    def resolve(self, references: Iterable[str]) -> Resolved:
        """What each reference names now, or why that is not known.

        A reference is asked for once, however it is spelled; hosts in parallel, each by a few connections.
        """
        return answers(references, Question(self._head, key=str), self._settings)

    def all_tags(self, references: Iterable[str]) -> dict[str, Tags | RegistryError]:
        """The tags of each reference's repository, or why they are not known.

        A repository is asked once, however many references name it; hosts in parallel, each by a few connections.
        """
        question = Question(self._tags, key=lambda place: f"{place.host}/{place.repository}")
        return answers(references, question, self._settings)

    def digest(self, reference: str) -> Manifest:
        """What the reference names now: its digest and media type, without the content."""
        return self._head(locate(reference))

    def manifest(self, reference: str) -> Manifest:
        """The index or manifest that the reference names, verified against its digest."""
        place = locate(reference)
        found = self._get(place)
        read(found, str(place))
        return found

    def platforms(self, reference: str) -> tuple[PlatformManifest, ...]:
        """The platform manifests of the image; of one without an index the manifest itself."""
        place = locate(reference)
        return platforms_of(self._get(place), str(place))

    def config(self, reference: str, platform: PlatformDigest) -> ConfigDigest:
        """The configuration of one platform of the image: the image's id on engines with graph drivers."""
        place = replace(locate(reference), reference=platform.value)
        return config_of(self._get(place), str(place))

    def tags(self, reference: str) -> Tags:
        """All tags of the reference's repository, in the registry's order."""
        return self._tags(locate(reference))

    def blob(self, reference: str, digest: str, limit: int) -> bytes:
        """The blob of the reference's repository, verified; RegistryError where it has more than `limit` bytes."""
        place = replace(locate(reference), reference=digest)
        if not place.pinned:
            raise bad_answer("a blob has a digest that cannot be verified", str(place))
        request = self._asking.request("GET", place, place.below(f"blobs/{digest}"), "*/*", limit)
        content = self._asking.found(request, place).content
        if digest_like(digest, content) != digest:
            raise bad_answer("the blob's content does not have the digest that it should have", str(place))
        return content

    def referrers(self, reference: str, digest: str, artifact_type: str) -> tuple[Descriptor, ...]:
        """What of that type refers to that digest in the reference's repository, in the registry's order; or ().

        A registry without the referrers API is asked for the tag that stands in for it. Those who write that (cosign 3
        among them) often leave the type to the manifest: then it is "" here, and the manifest has to be looked at.
        """
        place = replace(locate(reference), reference=digest)
        if not place.pinned:
            raise bad_answer("referrers are asked for by a digest that cannot be verified", str(place))
        found, wanted = self._referrers(place, artifact_type), {artifact_type}
        if found is None:
            found = self._tagged_referrers(replace(place, reference=referrers_tag(digest)))
            wanted = {artifact_type, ""}
        return tuple(item for item in found if item.artifact_type in wanted)

    def _head(self, place: Location) -> Manifest:
        answer = self._asking.found(self._asking.request("HEAD", place, place.path, ACCEPT), place)
        digest = answer.headers.get(_DIGEST, "")
        if not digest:
            return replace(self._get(place), content=b"")
        media_type = media_type_of(answer.headers.get("Content-Type", ""), str(place))
        if not is_digest(digest):
            raise bad_answer("the registry's digest is not one that can be verified", str(place))
        if place.pinned and digest != place.reference:
            raise bad_answer("the registry has another digest under that digest", str(place))
        return Manifest(IndexDigest(digest), media_type)

    def _get(self, place: Location) -> Manifest:
        answer = self._asking.found(self._asking.request("GET", place, place.path, ACCEPT), place)
        media_type = media_type_of(answer.headers.get("Content-Type", ""), str(place))
        wanted = place.reference if place.pinned else answer.headers.get(_DIGEST, "") or sha256(answer.content)
        if not is_digest(wanted) or digest_like(wanted, answer.content) != wanted:
            raise bad_answer("the manifest's content does not have the digest that it should have", str(place))
        return Manifest(IndexDigest(wanted), media_type, answer.content)

    def _tags(self, place: Location) -> Tags:
        request = self._asking.request("GET", place, place.below(f"tags/list?n={PAGE}"), "application/json")
        return self._listed(request, self._asking.found(request, place), place, tags_in)

    def _referrers(self, place: Location, artifact_type: str) -> tuple[Descriptor, ...] | None:
        """What the referrers API has; None where the registry has no such API."""
        path = place.below(f"referrers/{place.reference}?artifactType={quote(artifact_type, safe='')}")
        request = self._asking.request("GET", place, path, OCI_INDEX)
        answer = self._asking.answer(request, place)
        no_index = answer.status == OK and not answer.headers.get("Content-Type", "").startswith(OCI_INDEX)
        if answer.status in _NO_REFERRERS or no_index:  # some answer with a page for people
            return None
        return self._listed(request, self._asking.accepted(answer, place), place, descriptors_in)

    def _tagged_referrers(self, place: Location) -> tuple[Descriptor, ...]:
        try:
            return descriptors_in(self._get(place).content, str(place))
        except RegistryError as error:
            if error.reason == "ImageNotFound":
                return ()
            raise

    def _listed(
        self, request: Request, answer: Answer, place: Location, entries: Callable[[bytes, str], tuple[_Entry, ...]]
    ) -> tuple[_Entry, ...]:
        """The entries of the answer's page and of all that follow it."""
        found: list[_Entry] = []
        for _ in range(self._settings.pages):
            found += entries(answer.content, str(place))
            url = next_page(answer.headers.get("Link", ""), request.url, str(place))
            if len(found) > self._settings.entries:
                break
            if not url:
                return tuple(found)
            request = replace(request, url=url)
            answer = self._asking.found(request, place)
        bounds = f"{self._settings.entries} entries or {self._settings.pages} pages"
        raise bad_answer(f"the registry lists more than {bounds}", str(place))
