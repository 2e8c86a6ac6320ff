"""What may be shown: values whose name looks secret, and passwords inside URLs, never leave the program."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from reconciler.model.labels import HIDDEN

REDACTED = "***"
MIN_SECRET_LENGTH = 4
_SECRET_NAME = re.compile(
    r"(pass(word|wd|phrase|code)?|secret|token|credential|private|api_?key|access_?key|auth|cookie|salt|signature|dsn|_key$|^key$|pwd)",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://[^/\s:@]*):[^@\s]+@", re.IGNORECASE)
_VARIABLES = "environment."
_NAMED = (_VARIABLES, "labels.", "build.args.")


def is_secret_name(name: str) -> bool:
    """Whether an environment variable, build argument or label of this name is taken to hold a secret."""
    return bool(_SECRET_NAME.search(name))


def redact_text(text: str) -> str:
    """The text with the password of every URL in it replaced."""
    return _URL_PASSWORD.sub(rf"\g<scheme>:{REDACTED}@", text) if "@" in text else text


def hide_values(text: str, environment: Iterable[str]) -> str:
    """The text without the values of those `NAME=value` entries whose name looks secret, and without URL passwords."""
    for entry in environment if text else ():
        name, _, value = entry.partition("=")
        if is_secret_name(name) and len(value) >= MIN_SECRET_LENGTH:
            text = text.replace(value, REDACTED)
    return redact_text(text)


def secret_entries(environment: Iterable[str], hidden: Collection[str]) -> list[str]:
    """The `NAME=value` entries, under a name that looks secret where theirs is one of the `hidden`."""
    parts = ((entry.partition("="), entry) for entry in environment)
    return [f"secret={value}" if name in hidden else entry for (name, _, value), entry in parts]


def hidden_names(labels: Mapping[str, str]) -> frozenset[str]:
    """The variables of a container that stood encrypted in their file, by its labels."""
    return frozenset(name for name in labels.get(HIDDEN, "").split(",") if name)


def redact(field: str, value: Any, environment: Iterable[str] = (), hidden: Collection[str] = ()) -> Any:
    """The value of a spec field as it may be shown; the name of the variable, label or argument decides.

    Secrets of `environment` (`NAME=value` entries) that the field repeats are hidden in it too, and variables whose
    name is one of the `hidden`.
    """
    if value is None:
        return None
    prefix = next((prefix for prefix in _NAMED if field.startswith(prefix)), None)
    name = field.removeprefix(prefix) if prefix else ""
    if is_secret_name(name) or (prefix == _VARIABLES and name in hidden):
        return REDACTED
    if isinstance(value, str):
        return hide_values(value, environment)
    if isinstance(value, list | tuple):
        return [redact(field, item, environment) for item in value]
    if isinstance(value, dict):
        return {key: redact(f"{field}.{key}", item, environment) for key, item in value.items()}
    return value
