"""Documents that anybody may have pushed, read strictly: bounded, without duplicate keys, of the expected shape."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from reconciler.errors import SignatureReason

LIMIT = 1024 * 1024
_SHOWN = 120
_Kind = TypeVar("_Kind")


class Rejected(Exception):  # noqa: N818 - the verdict on one signature, not a failure of the program
    """Why one signature does not count."""

    def __init__(self, reason: SignatureReason, message: str) -> None:
        super().__init__(message)
        self.reason: SignatureReason = reason
        self.message = message


def unreadable(message: str) -> Rejected:
    """A document that is not what it has to be."""
    return Rejected("SignatureUnreadable", message)


def read_object(content: bytes, what: str) -> Mapping[str, Any]:
    """The JSON object that the content is (RFC 8259). Rejected where it is none, too large, too deep or ambiguous."""
    if len(content) > LIMIT:
        raise unreadable(f"its {what} is larger than {LIMIT // 1024} kB")
    try:
        document = json.loads(content.decode(), object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise unreadable(f"its {what} is not JSON that can be relied on") from error
    if not isinstance(document, dict):
        raise unreadable(f"its {what} is not a JSON object")
    return document


def member(document: object, kind: type[_Kind], *path: str) -> _Kind:
    """What lies at the path. Rejected where it is missing or of another type."""
    found = document
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    if not isinstance(found, kind):
        raise unreadable(f"it has no usable {'.'.join(path)}")
    return found


def decoded(text: str, what: str) -> bytes:
    """The bytes that the base64 is, in either alphabet (RFC 4648; DSSE allows both). Rejected where it is none."""
    try:
        return base64.b64decode(text.translate({ord("-"): "+", ord("_"): "/"}), validate=True)
    except ValueError as error:
        raise unreadable(f"its {what} is not base64") from error


def shown(text: str) -> str:
    """The text as it may stand in a message, whoever wrote it."""
    short = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return short if short.isascii() and short.isprintable() else ascii(short)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")
