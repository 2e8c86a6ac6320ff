"""What a YAML document becomes: plain data whose mappings and lists remember where each entry was written.

Made by `yaml_nodes`; every later stage (interpolation, canonical form, merge, defaults) carries the marks along, so
that any value of the final document can be traced to its `file:line`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Mark = tuple[str, int]
Path = tuple[str | int, ...]
NOWHERE: Mark = ("", 0)
MAX_ERRORS = 100
_LONGEST_SHOWN = 60


class Table(dict[str, Any]):
    """A mapping; `marks` says where each key was written."""

    __slots__ = ("marks",)

    def __init__(self) -> None:
        super().__init__()
        self.marks: dict[str, Mark] = {}

    def put(self, key: str, value: Any, mark: Mark) -> None:
        """Set an entry and where it was written."""
        self[key] = value
        self.marks[key] = mark

    def mark(self, key: str) -> Mark:
        """Where the entry was written, NOWHERE for one that nobody wrote."""
        return self.marks.get(key, NOWHERE)

    def drop(self, key: str) -> None:
        """Remove an entry if it is there."""
        self.pop(key, None)
        self.marks.pop(key, None)


class Items(list[Any]):
    """A list; `marks` says where each item was written, in the same order."""

    __slots__ = ("marks",)

    def __init__(self) -> None:
        super().__init__()
        self.marks: list[Mark] = []

    def add(self, value: Any, mark: Mark) -> None:
        """Append an item and where it was written."""
        self.append(value)
        self.marks.append(mark)

    def marked(self) -> Iterator[tuple[Any, Mark]]:
        """Each item with where it was written."""
        return zip(self, self.marks, strict=True)


class Timestamp(str):
    """A bare YAML timestamp in RFC 3339 form. The Compose Spec has no place for one outside of `x-*`."""

    __slots__ = ()


class MalformedError(ValueError):
    """A value that its key's grammar does not allow; `hint` says how to write it. The caller knows path and place."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def shown(text: str) -> str:
    """The text as an error quotes it: shortened, on one line."""
    return repr(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "...")


def path_text(path: Path) -> str:
    """The path as errors and `Loaded.sources` write it: `services.web.ports[0]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if len(step) <= _LONGEST_SHOWN else step[:_LONGEST_SHOWN] + "..."
            text += f".{name}" if text else name
    return text


def source_text(mark: Mark) -> str:
    """`file:line`, or the empty string for NOWHERE."""
    return f"{mark[0]}:{mark[1]}" if mark[1] else mark[0]


def kind_of(value: Any) -> str:
    """What a person calls the type of a YAML value: `a mapping`, `a number`, `nothing`."""
    for types, name in _KINDS:
        if isinstance(value, types):
            return name
    return "nothing" if value is None else type(value).__name__


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "a boolean"),
    ((int, float), "a number"),
    (Timestamp, "a timestamp"),
    (str, "a string"),
    (dict, "a mapping"),
    (list, "a list"),
)
