"""What stood encrypted in a repository stands so in the state file too: encrypted to our own identities.

Of a definition that held, and of a container that was removed on the way, the store keeps what a rollback makes them
of. Other secrets are as clear in there as the engine keeps them; the file is its owner's alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from reconciler.age import AgeError, Keyring
from reconciler.encoding import UnreadableError
from reconciler.errors import SettingsError
from reconciler.model.memory import Stable
from reconciler.model.observed import Container
from reconciler.model.redaction import hidden_names

Change = Callable[[str], str]


def sealed(value: Any, keyring: Keyring) -> Any:
    """The value as it may be written: what is encrypted in it is so again. Other values are as they are.

    StateError where the identities that decrypted it do not encrypt.
    """
    return _changed(value, keyring.seal)


def opened(value: Any, keyring: Keyring) -> Any:
    """What `sealed` was made of. UnreadableError where our identities are others by now."""

    def unseal(text: str) -> str:
        return keyring.decrypt(text.encode()).decode(errors="surrogateescape")

    try:
        return _changed(value, unseal)
    except (AgeError, SettingsError):
        raise UnreadableError("what another identity encrypted") from None


def _changed(value: Any, change: Change) -> Any:
    if isinstance(value, Stable):
        service = value.service
        files = tuple(
            replace(file, content=change(file.content)) if file.encrypted else file for file in service.copied_files
        )
        container = _with_variables(service.container, service.hidden, change)
        return replace(value, service=replace(service, copied_files=files, container=container))
    if isinstance(value, Container):
        return replace(value, config=_with_variables(value.config, hidden_names(value.labels), change))
    return value


def _with_variables(config: Any, hidden: Collection[str], change: Change) -> Any:
    entries = config.get("Env") or ()
    return {**config, "Env": [*_variables(entries, hidden, change)]} if hidden and entries else config


def _variables(entries: Iterable[str], hidden: Collection[str], change: Change) -> Iterable[str]:
    for entry in entries:
        name, equals, value = entry.partition("=")
        yield f"{name}={change(value)}" if equals and name in hidden else entry
