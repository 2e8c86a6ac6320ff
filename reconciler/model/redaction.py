"""What may be shown: values whose name looks secret, and passwords inside URLs, never leave the program."""

from __future__ import annotations

import re
from typing import Any

REDACTED = "***"
_SECRET_NAME = re.compile(
    r"(pass(word|wd|phrase|code)?|secret|token|credential|private|api_?key|access_?key|auth|cookie|salt|signature|dsn|_key$|^key$|pwd)",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://[^/\s:@]*):[^@\s]+@", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether an environment variable, build argument or label of this name is taken to hold a secret."""
    return bool(_SECRET_NAME.search(name))


def redact_text(text: str) -> str:
    """The text with the password of every URL in it replaced."""
    return _URL_PASSWORD.sub(rf"\g<scheme>:{REDACTED}@", text)


def redact(field: str, value: Any) -> Any:
    """The value of a spec field as it may be shown; the last part of the field's path decides whether it is secret."""
    if value is None:
        return None
    if field.startswith(("environment.", "labels.", "build.args.")) and is_secret_name(field.rsplit(".", 1)[-1]):
        return REDACTED
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, list | tuple):
        return [redact(field, item) for item in value]
    if isinstance(value, dict):
        return {key: redact(f"{field}.{key}", item) for key, item in value.items()}
    return value
