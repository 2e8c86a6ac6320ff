"""What registries have under the references of a project, asked by our own client, else by the engine.

Called by `session`. The engine may reach what we cannot: it has name servers, proxies and certificates of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from reconciler.engine.protocol import Engine
from reconciler.errors import EngineError, RegistryError
from reconciler.executor import SessionExecutor
from reconciler.images.registry.names import is_loopback
from reconciler.model.observed import RegistryAnswer
from reconciler.model.redaction import redact_text
from reconciler.model.references import parse_reference

if TYPE_CHECKING:
    from reconciler.images.registry.client import RegistryClient
    from reconciler.images.registry.digests import ImageContent, Manifest
    from reconciler.images.registry.pacing import Pacing, Patience
    from reconciler.model.project import PublicKey

_OUT_OF_REACH = {"RegistryUnreachable", "RegistryUntrusted"}
_SERVER_ERROR = 500
_Answers = dict[str, RegistryAnswer]
Apart = Callable[[], AbstractContextManager[None]]
HANGS = 5.0
"""Seconds after which the engine's failure to ask a registry says that the registry hangs."""


def own_registries(
    host: str | None,
    context: str | None,
    *,
    engine_is_here: bool,
    patience: Patience | None = None,
    apart: Apart = nullcontext,
) -> Registries:
    """Asks with the credentials and settings of this process, which `-H` and `-c` choose among.

    `patience` is what others who ask have learned of registries, `apart` as in `Registries`.
    """
    from reconciler.engine.docker_connect import resolve_target
    from reconciler.engine.docker_credentials import credential_lookup
    from reconciler.images.registry.client import RegistryClient
    from reconciler.images.registry.pacing import Patience
    from reconciler.images.registry.settings import settings_from

    patience = patience or Patience()
    lookup = credential_lookup(resolve_target(host, context, os.environ))
    client = RegistryClient(lookup, settings_from(os.environ), pacing=patience.ours)
    return Registries(client, engine_is_here=engine_is_here, engines=patience.engines, apart=apart)


class Registries:
    """Asks with our own client, and the engine for what is out of its reach; a registry's refusal is final.

    Without a client the engine is asked for all: the simulated one answers by itself. A reference to a registry on
    `localhost` means the engine's machine: where `engine_is_here` is false only the engine can be asked for it.
    While registries are asked, which may take long, `apart` is entered, on the thread that wants to know. `engines` is
    what is known of those that the engine was asked for: one for which it hangs is left alone for a while.
    """

    def __init__(
        self,
        client: RegistryClient | None,
        *,
        engine_is_here: bool = True,
        engines: Pacing | None = None,
        apart: Apart = nullcontext,
    ) -> None:
        self._client = client
        self._engine_is_here = engine_is_here
        self._engines = engines
        self._apart = apart

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    def begin(self) -> None:
        """A pass begins: credentials are looked up anew, as passwords change and tokens of helpers expire."""
        if self._client is not None:
            self._client.begin()

    def answers(self, references: tuple[str, ...], executor: SessionExecutor | None) -> dict[str, RegistryAnswer]:
        """An answer for each reference. Without an executor there is no engine to ask."""
        if self._client is None:
            return _through_engine(references, executor)
        with self._apart():
            found = self._client.resolve(reference for reference in references if self._is_ours(reference))
            ours = {reference: _answer(answer) for reference, answer in found.items()}
            beyond = tuple(item for item in references if item not in ours or ours[item].reason in _OUT_OF_REACH)
            engines = _through_engine(beyond, executor, self._engines)
        return ours | {reference: _either(ours.get(reference), engines[reference]) for reference in beyond}

    def tags(self, references: tuple[str, ...]) -> dict[str, tuple[str, ...] | RegistryError]:
        """The tags of each reference's repository, or why they are not known; the engine cannot be asked for them."""
        ours = [reference for reference in references if self._client is not None and self._is_ours(reference)]
        with self._apart():
            found = self._client.all_tags(ours) if self._client is not None else {}
        hint = "write the tag, and leave track: none"
        return {
            reference: found[reference] if reference in found else _beyond(reference, "its tags", hint)
            for reference in references
        }

    def is_same(self, reference: str, digest: str, image: ImageContent) -> bool | None:
        """Whether the image that the reference's repository has under that index digest is the local one.

        None where that cannot be told.
        """
        if self._client is None or not self._is_ours(reference):
            return None
        from reconciler.images.registry.sameness import is_same

        try:
            with self._apart():
                return is_same(self._client, parse_reference(reference).repository, digest, image)
        except RegistryError:
            return None

    def check_signature(self, reference: str, digest: str, keys: tuple[PublicKey, ...]) -> None:
        """RegistryError or SignatureError where none of the keys is known to have signed that digest."""
        from reconciler.images.verify.verifier import verify

        if self._client is None:
            return
        if not self._is_ours(reference):
            raise _beyond(reference, "signatures", "give the registry a name that means the same on every machine")
        with self._apart():
            verify(self._client, reference, digest, keys)

    def _is_ours(self, reference: str) -> bool:
        """Whether our client and the engine mean the same registry by it."""
        return self._engine_is_here or not is_loopback(parse_reference(reference).repository.partition("/")[0])


def _beyond(reference: str, what: str, hint: str) -> RegistryError:
    return RegistryError(
        f"only a registry that this machine reaches can be asked for {what}",
        reason="RegistryUnreachable",
        source=reference,
        hint=hint,
    )


def _through_engine(
    references: tuple[str, ...], executor: SessionExecutor | None, pacing: Pacing | None = None
) -> _Answers:
    if executor is None:
        return dict.fromkeys(references, RegistryAnswer(error="there is none"))
    ask = partial(_patiently, pacing) if pacing else _from_engine
    return dict(zip(references, executor.gather(ask, references), strict=True))


def _patiently(pacing: Pacing, engine: Engine, reference: str) -> RegistryAnswer:
    """The engine's answer, or what it said of the same registry a short while ago, after it had waited in vain."""
    host = parse_reference(reference).repository.partition("/")[0]
    try:
        with pacing.turn(host, reference):
            return _noted(pacing, host, engine, reference)
    except RegistryError as error:
        return RegistryAnswer(error=error.message)


def _noted(pacing: Pacing, host: str, engine: Engine, reference: str) -> RegistryAnswer:
    began = monotonic()
    try:
        digest = engine.registry_digest(reference)
    except EngineError as error:
        said, took = redact_text(error.message), monotonic() - began
        if took >= HANGS and (error.status or _SERVER_ERROR) >= _SERVER_ERROR:
            pacing.failed(host, RegistryError(said, reason="RegistryUnreachable", source=reference), took=took)
        return RegistryAnswer(error=said)
    pacing.answered(host, {})
    return RegistryAnswer(digest=digest)


def _from_engine(engine: Engine, reference: str) -> RegistryAnswer:
    try:
        return RegistryAnswer(digest=engine.registry_digest(reference))
    except EngineError as error:
        return RegistryAnswer(error=redact_text(error.message))


def _answer(found: Manifest | RegistryError) -> RegistryAnswer:
    return answer_of(found) if isinstance(found, RegistryError) else RegistryAnswer(found.digest.value)


def answer_of(error: RegistryError) -> RegistryAnswer:
    """Why a registry has no answer, in words, and until when it wants no question."""
    hints = [_until(error.retry_at)] if error.reason == "RegistryRateLimited" else []
    hints += [error.hint] if error.hint else []
    said = f"{error.message} ({'; '.join(hints)})" if hints else error.message
    return RegistryAnswer(error=redact_text(said), reason=error.reason)


def _until(seconds: float | None) -> str:
    return f"not to be asked before {datetime.fromtimestamp(seconds or 0.0, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _either(ours: RegistryAnswer | None, engines: RegistryAnswer) -> RegistryAnswer:
    """The engine's digest; where it has none either, what both said."""
    if ours is None or engines.digest:
        return engines
    return RegistryAnswer(error=f"{ours.error}; the engine has no answer either: {engines.error}", reason=ours.reason)
