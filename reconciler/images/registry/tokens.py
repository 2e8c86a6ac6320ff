"""Authorization for a repository: what a registry's 401 asked for, got from its token service and kept while it holds.

Distribution's token specification (GET with Basic) and OAuth2 (POST grant_type=refresh_token for identity tokens).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from reconciler.errors import ReconcilerError, RegistryError
from reconciler.images.registry.challenge import Basic, Bearer, parse_challenge
from reconciler.images.registry.documents import bad_answer
from reconciler.images.registry.wire import Request, web_address

if TYPE_CHECKING:
    from reconciler.images.registry.credentials import Credential, Credentials
    from reconciler.images.registry.names import Location
    from reconciler.images.registry.wire import Answer

DEFAULT_LIFE = 60.0
_MARGIN = 5.0
_CLIENT = "reconciler"
_OK = 200
_Key = tuple[str, str, str]


class Tokens:
    """What each registry asked for, and the tokens that met it. Thread-safe. `clock` is seconds since the epoch."""

    def __init__(self, send: Callable[[Request], Answer], credentials: Credentials, clock: Callable[[], float]) -> None:
        self._send = send
        self._credentials = credentials
        self._clock = clock
        self._asked: dict[str, Bearer | Basic] = {}
        self._tokens: dict[_Key, tuple[str, float, str]] = {}
        self._locks: dict[_Key, threading.Lock] = {}

    def known(self, place: Location) -> str:
        """The Authorization header for a repository whose host has asked before; "" where it has not.

        Asking beforehand saves the 401 of every further repository.
        """
        asked = self._asked.get(place.host)
        if isinstance(asked, Bearer):
            return self._bearer(Bearer(asked.realm, asked.service, _scope(place)), place, refused="")
        return self._basic(place) if asked else ""

    def after(self, place: Location, header: str, refused: str) -> str:
        """The Authorization header that meets a 401 with that WWW-Authenticate header; `refused` was sent before.

        RegistryError `RegistryUnauthorized` where nothing more can be offered than what was refused.
        """
        challenge = parse_challenge(header)
        if challenge is None:
            raise unauthorized(place)
        self._asked[place.host] = challenge
        if isinstance(challenge, Basic):
            found = self._basic(place)
        else:
            scope = challenge.scope or _scope(place)
            found = self._bearer(Bearer(challenge.realm, challenge.service, scope), place, refused=refused)
        if not found or found == refused:
            raise unauthorized(place)
        return found

    def _basic(self, place: Location) -> str:
        credential = self._credential(place)
        return credential.basic if credential and credential.user else ""

    def _bearer(self, asked: Bearer, place: Location, *, refused: str) -> str:
        credential = self._credential(place)
        key = (asked.realm, asked.service, asked.scope)
        whose = credential.fingerprint if credential else ""
        with self._locks.setdefault(key, threading.Lock()):
            token, until, got_by = self._tokens.get(key, ("", 0.0, ""))
            if until <= self._clock() or got_by != whose or f"Bearer {token}" == refused:
                token, life = self._fetch(asked, credential, place)
                self._tokens[key] = token, self._clock() + life - min(_MARGIN, life / 2), whose
            return f"Bearer {token}"

    def _credential(self, place: Location) -> Credential | None:
        try:
            return self._credentials.of(place.host)
        except ReconcilerError as error:
            raise RegistryError(
                error.message, reason="CredentialsUnusable", source=error.source, hint=error.hint
            ) from error

    def _fetch(self, asked: Bearer, credential: Credential | None, place: Location) -> tuple[str, float]:
        answer = self._send(_request(asked, credential, str(place)))
        if answer.status in {400, 401, 403, 404}:
            raise unauthorized(place)
        if answer.status != _OK:
            raise bad_answer(f"the token service answered with HTTP status {answer.status}", str(place))
        return _token(answer.content, str(place))


def unauthorized(place: Location) -> RegistryError:
    """Refused: registries do not say whether that is for want of the image or of permission."""
    return RegistryError(
        f"{place.host} refuses it: the image is missing or access to it is forbidden",
        reason="RegistryUnauthorized",
        source=str(place),
        hint=f"see whether the name is right, else docker login {place.host}",
    )


def _scope(place: Location) -> str:
    return f"repository:{place.repository}:pull"


def _request(asked: Bearer, credential: Credential | None, source: str) -> Request:
    wanted = {"service": asked.service, "scope": asked.scope}
    wanted = {name: value for name, value in wanted.items() if value}
    realm = web_address("", asked.realm, source)
    if credential and credential.identity_token:
        form = {"grant_type": "refresh_token", "client_id": _CLIENT, "refresh_token": credential.identity_token}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return Request("POST", realm, source, headers, urlencode({**form, **wanted}))
    mark = "&" if "?" in realm else "?"
    sent = {"Authorization": credential.basic} if credential and credential.user else {}
    return Request("GET", f"{realm}{mark}{urlencode(wanted)}", source, sent)


def _token(content: bytes, source: str) -> tuple[str, float]:
    """The token and its life in seconds."""
    answer = _object(content)
    token = answer.get("token") or answer.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise bad_answer("the token service answered without a token", source)
    life = answer.get("expires_in")
    usable = isinstance(life, int | float) and life > 0
    return token, float(life or 0) if usable else DEFAULT_LIFE


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
