"""How the model's values become JSON texts and back, exactly or not at all: for the state file and the socket."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class UnreadableError(ValueError):
    """A text that does not say what its place promises. Never shows the text: it may hold secrets."""


def encode(kind: Any, value: Any) -> str:
    """A value of this type as JSON. Characters that no UTF-8 text can hold become question marks."""
    if value is None:
        return "null"
    plain = _adapter(kind).dump_python(value, warnings=False)
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace").decode()


def decode(kind: Any, text: str) -> Any:
    """The value of this type that the JSON says. UnreadableError where it says none."""
    try:
        return _adapter(kind).validate_json(text, strict=True)
    except ValueError:
        raise UnreadableError(getattr(kind, "__name__", str(kind))) from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
