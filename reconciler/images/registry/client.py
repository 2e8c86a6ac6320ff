"""Asks registries what they have: digests by HEAD, which costs nobody's quota, and manifests by GET where needed.

OCI distribution specification, "Pulling manifests". Called by `registries`; the planner never sees it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Self

from reconciler.errors import RegistryError
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
from reconciler.images.registry.documents import ACCEPT, bad_answer, config_of, media_type_of, platforms_of, read
from reconciler.images.registry.names import Location, locate
from reconciler.images.registry.pacing import Pacing
from reconciler.images.registry.settings import DOCKER_CERTIFICATES, Settings
from reconciler.images.registry.tokens import Tokens, unauthorized
from reconciler.images.registry.wire import Answer, Request, Wire

Resolved = dict[str, Manifest | RegistryError]

_DIGEST = "Docker-Content-Digest"
_OK, _BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 200, 400, 401, 403, 404, 429
_FIRST_SERVER_ERROR = 500


class RegistryClient:
    """A client of all registries. Thread-safe. Every method raises RegistryError, whose source is the reference.

    `credentials` are asked for a host (`docker.io` for Docker Hub) once a pass, after a registry asked for them;
    `clock` is the time in seconds since the epoch.
    """

    def __init__(
        self, credentials: Lookup, settings: Settings | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings or Settings()
        self._credentials = Credentials(credentials)
        self._wire = Wire(self._settings)
        self._pacing = Pacing(clock)
        self._tokens = Tokens(self._paced, self._credentials, clock)

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def resolve(self, references: Iterable[str]) -> Resolved:
        """What each reference names now, or why that is not known: one pass.

        A reference is asked for once, however it is spelled; hosts in parallel, each by a few connections.
        """
        self._credentials.forget()
        found: Resolved = {}
        places: dict[Location, list[str]] = {}
        for reference in dict.fromkeys(references):
            try:
                places.setdefault(locate(reference), []).append(reference)
            except RegistryError as error:
                found[reference] = error
        for place, answer in self._asked(list(places)):
            found.update(dict.fromkeys(places[place], answer))
        return found

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

    def _asked(self, places: list[Location]) -> list[tuple[Location, Manifest | RegistryError]]:
        lanes = _lanes(places, self._settings.connections)
        workers = min(len(lanes), self._settings.hosts_at_once * self._settings.connections)
        if not lanes:
            return []
        with ThreadPoolExecutor(workers, thread_name_prefix="registry") as pool:
            return [pair for answers in pool.map(self._lane, lanes) for pair in answers]

    def _lane(self, places: list[Location]) -> list[tuple[Location, Manifest | RegistryError]]:
        return [(place, self._answer(place)) for place in places]

    def _answer(self, place: Location) -> Manifest | RegistryError:
        try:
            return self._head(place)
        except RegistryError as error:
            return error

    def _head(self, place: Location) -> Manifest:
        answer = self._ask("HEAD", place)
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
        answer = self._ask("GET", place)
        media_type = media_type_of(answer.headers.get("Content-Type", ""), str(place))
        wanted = place.reference if place.pinned else answer.headers.get(_DIGEST, "") or sha256(answer.content)
        if not is_digest(wanted) or digest_like(wanted, answer.content) != wanted:
            raise bad_answer("the manifest's content does not have the digest that it should have", str(place))
        return Manifest(IndexDigest(wanted), media_type, answer.content)

    def _ask(self, method: str, place: Location) -> Answer:
        """The answer 200, with what the registry asks for by 401."""
        url = self._wire.url(place.address, place.path())
        request = Request(method, url, str(place), {"Accept": ACCEPT})
        sent = self._tokens.known(place)
        answer = self._paced(_authorized(request, sent))
        if answer.status == _UNAUTHORIZED:
            sent = self._tokens.after(place, answer.headers.get("WWW-Authenticate", ""), sent)
            answer = self._paced(_authorized(request, sent))
        if answer.status != _OK:
            raise self._refusal(answer.status, place)
        return answer

    def _paced(self, request: Request) -> Answer:
        """The answer of a host that is not to be left alone for now; what it says of its patience is kept."""
        downloads = self._settings.downloads_left if request.method == "GET" and "/manifests/" in request.url else 0
        self._pacing.check(request.host, request.source, downloads_left=downloads)
        try:
            answer = self._wire.send(request)
        except RegistryError as error:
            if error.reason == "RegistryUnreachable":
                self._pacing.failed(request.host, error)
            raise
        if answer.status == _TOO_MANY or answer.status >= _FIRST_SERVER_ERROR:
            raise self._pacing.failed(
                request.host, _busy(answer.status, request), answer.headers.get("Retry-After", "")
            )
        self._pacing.answered(request.host, answer.headers)
        return answer

    def _refusal(self, status: int, place: Location) -> RegistryError:
        source = str(place)
        if status in {_UNAUTHORIZED, _FORBIDDEN}:
            return unauthorized(place)
        if status == _NOT_FOUND:
            hint = "push it, or correct the name or the tag"
            return RegistryError(f"{place.host} does not have it", reason="ImageNotFound", source=source, hint=hint)
        if status == _BAD_REQUEST and self._settings.is_plain(place.host):
            message = f"{place.host} does not take requests without TLS"
            hint = f"put its authority's certificate at {DOCKER_CERTIFICATES}/{place.host}/ca.crt"
            return RegistryError(message, reason="RegistryUntrusted", source=source, hint=hint)
        return bad_answer(f"{place.host} answered with HTTP status {status}", source)


def _authorized(request: Request, authorization: str) -> Request:
    if not authorization:
        return request
    return replace(request, headers={**request.headers, "Authorization": authorization})


def _busy(status: int, request: Request) -> RegistryError:
    if status == _TOO_MANY:
        message, hint = f"{request.host} is asked too often", "log in with docker login for a higher limit, or wait"
        return RegistryError(message, reason="RegistryRateLimited", source=request.source, hint=hint)
    message, hint = f"{request.host} answered with HTTP status {status}", "look into the registry's log, or wait"
    return RegistryError(message, reason="RegistryBadAnswer", source=request.source, hint=hint)


def _lanes(places: list[Location], width: int) -> list[list[Location]]:
    """The places by host, each host's in at most `width` lists of about the same length."""
    hosts: dict[str, list[Location]] = {}
    for place in places:
        hosts.setdefault(place.host, []).append(place)
    return [found[start::width] for found in hosts.values() for start in range(min(width, len(found)))]
