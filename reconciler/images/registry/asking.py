"""One question to a registry: with the credentials that it wants, at the pace that it bears, and why it says no."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from reconciler.errors import RegistryError
from reconciler.images.registry.credentials import Credentials
from reconciler.images.registry.documents import bad_answer
from reconciler.images.registry.names import Location
from reconciler.images.registry.pacing import Pacing
from reconciler.images.registry.settings import DOCKER_CERTIFICATES, Settings
from reconciler.images.registry.tokens import Tokens, unauthorized
from reconciler.images.registry.wire import OK, Answer, Request, Wire

_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 400, 401, 403, 404, 429
_FIRST_SERVER_ERROR = 500


class Asking:
    """Asks any number of registries. Thread-safe. Every method raises RegistryError."""

    def __init__(
        self, credentials: Credentials, settings: Settings, clock: Callable[[], float], pacing: Pacing
    ) -> None:
        self._settings = settings
        self._wire = Wire(settings)
        self._pacing = pacing
        self._tokens = Tokens(self._paced, credentials, clock)

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def request(self, method: str, place: Location, path: str, accept: str, limit: int | None = None) -> Request:
        """The request for a path at the place's registry; of its answer at most `limit` bytes are read."""
        return Request(method, self._wire.url(place.address, path), str(place), {"Accept": accept}, limit=limit)

    def found(self, request: Request, place: Location) -> Answer:
        """The answer 200; any other one is an error."""
        return self.accepted(self.answer(request, place), place)

    def accepted(self, answer: Answer, place: Location) -> Answer:
        """The answer where it is 200."""
        if answer.status != OK:
            raise self._refusal(answer.status, place)
        return answer

    def answer(self, request: Request, place: Location) -> Answer:
        """The answer, after what the registry asks for by 401."""
        sent = self._tokens.known(place)
        answer = self._paced(_authorized(request, sent))
        if answer.status == _UNAUTHORIZED:
            sent = self._tokens.after(place, answer.headers.get("WWW-Authenticate", ""), sent)
            answer = self._paced(_authorized(request, sent))
        return answer

    def _paced(self, request: Request) -> Answer:
        """The answer of a host that is not to be left alone for now; what it says of its patience is kept."""
        downloads = self._settings.downloads_left if request.method == "GET" and "/manifests/" in request.url else 0
        with self._pacing.turn(request.host, request.source, downloads_left=downloads):
            return self._sent(request)

    def _sent(self, request: Request) -> Answer:
        began = monotonic()
        try:
            answer = self._wire.send(request)
        except RegistryError as error:
            if error.reason == "RegistryUnreachable":
                self._pacing.failed(request.host, error, took=monotonic() - began)
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
