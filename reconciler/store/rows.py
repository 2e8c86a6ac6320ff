"""How the model's values become texts of the state file and back: exactly, or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from reconciler.model.memory import Memory

if TYPE_CHECKING:
    from pydantic import TypeAdapter

TRANSIENT = {"failed_operations", "quarantined", "earlier"}


class UnreadableError(ValueError):
    """A text that does not say what its column promises. Never shows the text: it may hold secrets."""


@dataclass(frozen=True)
class Table:
    """One field of `Memory` and the types of its keys and values; a set is kept as keys of None."""

    field: str
    key: Any
    value: Any

    def entries(self, memory: Memory) -> Mapping[Any, Any]:
        """The field's entries in this memory."""
        content = getattr(memory, self.field)
        return dict.fromkeys(content) if self.value is NoneType else content

    def content(self, entries: dict[Any, Any]) -> Any:
        """What the field holds with these entries."""
        return frozenset(entries) if self.value is NoneType else entries


@cache
def tables() -> tuple[Table, ...]:
    """Every field of `Memory` that outlives a run."""
    hints = get_type_hints(Memory)
    return tuple(_table(field.name, hints[field.name]) for field in fields(Memory) if field.name not in TRANSIENT)


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


def _table(field: str, hint: Any) -> Table:
    key, value = (*get_args(hint), NoneType) if get_origin(hint) is frozenset else get_args(hint)
    return Table(field, key, value)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
