"""`${VAR}` in values (Compose Spec, "Interpolation"): every operator, nested to a bounded depth.

`interpolate` works on one string (also for env files, which share the grammar), `interpolate_values` on a whole
document before anything else looks at it. Keys are never interpolated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from reconciler.errors import SpecError
from reconciler.model.project import Notice
from reconciler.spec.nodes import (
    MAX_ERRORS,
    Items,
    MalformedError,
    Mark,
    Path,
    Table,
    Timestamp,
    path_text,
    source_text,
)

MAX_NESTING = 12
MAX_TEXT = 1024 * 1024
MAX_VALUE = 4 * 1024 * 1024
MAX_OUTPUT = 32 * 1024 * 1024
_TOKEN = re.compile(r"\$(?:(\$)|([_a-zA-Z][_a-zA-Z0-9]*)|(\{))", re.ASCII)
_BRACED = re.compile(r"([_a-zA-Z][_a-zA-Z0-9]*)(?:\}|(:?[-?+]))", re.ASCII)
_BRACE = re.compile(r"\{.?|\}|\n")
_ESCAPE_HINT = "write $$ for a literal $"

Unset = Callable[[str], None]


def interpolate(text: str, lookup: Callable[[str], str | None], unset: Unset, depth: int = 0) -> str:
    """The text with every substitution made; `unset` is told of variables that became "" for want of a value.

    MalformedError for `${...}` outside the grammar and for `${VAR:?message}` without a value. As in Compose the text of
    a default is itself interpolated, and must be correct, even where the default is not taken.
    """
    if depth > MAX_NESTING:
        raise MalformedError(f"${{...}} is nested more than {MAX_NESTING} levels deep")
    if len(text) > MAX_TEXT:
        raise MalformedError(f"a value with variables in it is longer than {MAX_TEXT // 1024 // 1024} MB")
    parts: list[str] = []
    at = size = 0
    while match := _TOKEN.search(text, at):
        parts.append(text[at : match.start()])
        at = match.end()
        if match[1]:
            value = "$"
        elif match[2]:
            value = _value(match[2], lookup, unset)
        else:
            value, at = _braced(text, match.end(), lookup, unset, depth)
        parts.append(value)
        size += len(value)
        if size > MAX_VALUE:
            raise MalformedError(f"interpolation makes the value larger than {MAX_VALUE // 1024 // 1024} MB")
    return "".join((*parts, text[at:]))


def _value(name: str, lookup: Callable[[str], str | None], unset: Unset) -> str:
    value = lookup(name)
    if value is None:
        unset(name)
        return ""
    return value


def _braced(text: str, start: int, lookup: Callable[[str], str | None], unset: Unset, depth: int) -> tuple[str, int]:
    """The value of the `${` whose content begins at `start`, and where the text goes on."""
    match = _BRACED.match(text, start)
    if match is None:
        raise _invalid(text, start)
    if match[2] is None:
        return _value(match[1], lookup, unset), match.end()
    end = _closing(text, start, match.end())
    value = lookup(match[1])
    word_taken = _takes_word(match[2], value)
    word = interpolate(text[match.end() : end], lookup, unset if word_taken else _ignore, depth + 1)
    return _apply(match[1], match[2], value, word), end + 1


def _ignore(_: str) -> None:
    """A default that is not taken says nothing about its variables."""


def _takes_word(operator: str, value: str | None) -> bool:
    missing = not value if operator.startswith(":") else value is None
    return not missing if operator.endswith("+") else missing


def _apply(name: str, operator: str, value: str | None, word: str) -> str:
    taken = _takes_word(operator, value)
    if operator.endswith("?"):
        if taken:
            raise MalformedError(_required(name, word), f"set {name} in the environment or in .env")
        return value or ""
    if operator.endswith("+"):
        return word if taken else ""
    return word if taken else value or ""


def _required(name: str, message: str) -> str:
    return f"required variable {name} is missing a value" + (f": {message}" if message else "")


def _closing(text: str, opened: int, start: int) -> int:
    """Where the brace that matches the one before `opened` stands; where none does, the last one of the line."""
    level, end = 1, len(text)
    for brace in _BRACE.finditer(text, start):
        if brace[0] == "\n":
            end = brace.start()
            break
        level += 1 if brace[0][0] == "{" else -1
        if level == 0:
            return brace.start()
    last = text.rfind("}", start, end)
    if last < 0:
        raise _invalid(text, opened)
    return last


def _invalid(text: str, start: int) -> MalformedError:
    shown = text[start - 2 : start + 40].splitlines()[0]
    return MalformedError(f"invalid interpolation {shown!r}", _ESCAPE_HINT)


@dataclass
class Interpolation:
    """What one load interpolates with, and what it found out on the way."""

    environment: Mapping[str, str]
    errors: list[SpecError] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    _reported: set[str] = field(default_factory=set)
    _output: int = 0

    def text(self, text: str, path: Path, mark: Mark) -> str:
        """The interpolated string; an error is kept, with its place, and gives ""."""
        if self._output > MAX_OUTPUT:
            return ""
        try:
            return self._counted(interpolate(text, self.environment.get, lambda name: self._unset(name, mark)))
        except MalformedError as error:
            self._error(str(error), path, mark, error.hint)
            return ""

    def _error(self, message: str, path: Path, mark: Mark, hint: str | None) -> None:
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(SpecError(f"{path_text(path)}: {message}", source=source_text(mark), hint=hint))

    def scalar(self, value: Any, path: Path, mark: Mark) -> Any:
        """Any other scalar; timestamps outside of `x-*` and infinities inside are in no JSON, and errors."""
        extension = any(str(step).startswith("x-") for step in path)
        if isinstance(value, Timestamp) and not extension:
            self._error("a bare timestamp is not a string", path, mark, "quote it")
        elif isinstance(value, float) and not isfinite(value) and extension:
            self._error("an infinite number is no JSON", path, mark, "quote it")
        return value

    def _counted(self, result: str) -> str:
        self._output += len(result)
        if self._output > MAX_OUTPUT:
            raise MalformedError(f"interpolation produces more than {MAX_OUTPUT // 1024 // 1024} MB")
        return result

    def _unset(self, name: str, mark: Mark) -> None:
        if name not in self._reported:
            self._reported.add(name)
            message = f'variable {name} is not set: it becomes "" (give it a default: ${{{name}:-value}})'
            self.notices.append(Notice("VariableUnset", message, source_text(mark)))


def interpolate_values(value: Any, work: Interpolation, path: Path = (), mark: Mark = ("", 0)) -> Any:
    """A copy of the document with every string value interpolated. Bare timestamps are refused outside of `x-*`."""
    if type(value) is str:
        return work.text(value, path, mark) if "$" in value else value
    if isinstance(value, Table):
        table = Table()
        for key, item in value.items():
            where = value.marks[key]
            table.put(key, interpolate_values(item, work, (*path, key), where), where)
        return table
    if isinstance(value, Items):
        items = Items()
        for index, (item, where) in enumerate(value.marked()):
            items.add(interpolate_values(item, work, (*path, index), where), where)
        return items
    return work.scalar(value, path, mark) if isinstance(value, Timestamp | float) else value
