"""Which fields of `Memory` the state file keeps, and the types of their keys and values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from reconciler.model.memory import Memory

TRANSIENT = {"failed_operations", "refused", "quarantined", "earlier"}
APART = {"suspended"}


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
    """Every field of `Memory` that a run saves: not what is its own, nor what others write while it is under way."""
    hints, left_out = get_type_hints(Memory), TRANSIENT | APART
    return tuple(_table(field.name, hints[field.name]) for field in fields(Memory) if field.name not in left_out)


def _table(field: str, hint: Any) -> Table:
    key, value = (*get_args(hint), NoneType) if get_origin(hint) is frozenset else get_args(hint)
    return Table(field, key, value)
