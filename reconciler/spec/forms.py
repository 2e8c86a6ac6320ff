"""Forms that many keys share: text or list, list or mapping, booleans and numbers written as text, sizes, durations.

Each rule takes a value and the spot where it stands and returns the one form the rest of the program knows; `section`,
`mapping` and `listing` build rules for whole parts of a spec out of them. A rule raises MalformedError (or ValueError)
for its own value; what is wrong inside of it is reported and left out, so that one load finds every error. Values of a
type that no form allows pass through: the schema says what is wrong with them. Null means "not given here".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from reconciler.errors import SpecError
from reconciler.model.project import Notice
from reconciler.spec.durations import format_duration, parse_duration
from reconciler.spec.nodes import (
    MAX_ERRORS,
    Items,
    MalformedError,
    Mark,
    Path,
    Table,
    kind_of,
    path_text,
    shown,
    source_text,
)
from reconciler.spec.scalars import number_text, shortest_single
from reconciler.spec.sizes import LARGEST, parse_bytes


@dataclass
class Scope:
    """What rules need to know of the load, and what they report to it."""

    folder: str
    home: str
    ports: int = 0
    errors: list[SpecError] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)


@dataclass(slots=True)
class Spot:
    """Where a value stands."""

    path: Path
    mark: Mark
    scope: Scope

    def child(self, step: str | int, mark: Mark) -> Spot:
        """The spot of an entry or item of this value."""
        return Spot((*self.path, step), mark, self.scope)

    def report(self, error: ValueError) -> None:
        """Keep an error of this value for the end of the load."""
        if len(self.scope.errors) >= MAX_ERRORS:
            return
        hint = getattr(error, "hint", None)
        self.scope.errors.append(
            SpecError(f"{path_text(self.path)}: {error}", source=source_text(self.mark), hint=hint)
        )

    def notice(self, code: str, message: str) -> None:
        """Tell the user something about this value."""
        self.scope.notices.append(Notice(code, f"{path_text(self.path)}: {message}", source_text(self.mark)))


Rule = Callable[[Any, Spot], Any]

FAILED = object()
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_LONGEST_NUMBER = 100
_NAMELESS = "a name may not be empty"
TRUE, FALSE = ("true", "y", "yes", "on"), ("false", "n", "no", "off")


def convert(rule: Rule, value: Any, spot: Spot) -> Any:
    """The converted value, or FAILED after the error has been reported."""
    try:
        return rule(value, spot)
    except ValueError as error:
        spot.report(error)
        return FAILED


def section(rules: Mapping[str, Rule], *, keep_extensions: bool = False) -> Rule:
    """A rule for a mapping with known keys. Nested `x-*` keys mean nothing and go, unless they are to be kept."""

    def apply(value: Any, spot: Spot) -> Table:
        table = Table()
        for key, item in need_table(value).items():
            mark, rule = value.marks[key], rules.get(key)
            if rule is None and key.startswith("x-") and not keep_extensions:
                continue
            converted = item if rule is None or item is None else convert(rule, item, spot.child(key, mark))
            if converted is not FAILED:
                table.put(key, converted, mark)
        return table

    return apply


def mapping(rule: Rule) -> Rule:
    """A rule for a mapping whose keys the user chooses."""

    def apply(value: Any, spot: Spot) -> Table:
        table = Table()
        for key, item in need_table(value).items():
            mark = value.marks[key]
            converted = None if item is None else convert(rule, item, spot.child(key, mark))
            if converted is not FAILED:
                table.put(key, converted, mark)
        return table

    return apply


def listing(rule: Rule) -> Rule:
    """A rule for a list. Where the item's rule returns `Items`, each of them becomes an item."""

    def apply(value: Any, spot: Spot) -> Items:
        items = Items()
        for index, (item, mark) in enumerate(need_items(value).marked()):
            converted = convert(rule, item, spot.child(index, mark))
            for one in converted if isinstance(converted, Items) else [converted]:
                if one is not FAILED:
                    items.add(one, mark)
        return items

    return apply


def need_table(value: Any) -> Table:
    """The value as a mapping; MalformedError where it is none."""
    if not isinstance(value, Table):
        raise MalformedError(f"must be a mapping, not {kind_of(value)}")
    return value


def need_items(value: Any) -> Items:
    """The value as a list; MalformedError where it is none."""
    if not isinstance(value, Items):
        raise MalformedError(f"must be a list, not {kind_of(value)}")
    return value


def need_text(value: Any) -> str:
    """The value as a string; MalformedError where it is none."""
    if not isinstance(value, str):
        hint = None if isinstance(value, dict | list) or value is None else "quote it"
        raise MalformedError(f"must be a string, not {kind_of(value)}", hint)
    return value


def text(value: Any, _: Spot) -> Any:
    """A string, checked."""
    return need_text(value)


def text_list(value: Any, spot: Spot) -> Items:
    """`string_or_list`: a list of strings."""
    if not isinstance(value, str):
        return need_items(value)
    items = Items()
    items.add(value, spot.mark)
    return items


def boolean(value: Any, spot: Spot) -> Any:
    """A boolean, also as text; `yes`, `on` and their like are what YAML 1.1 called so."""
    if not isinstance(value, str):
        return value
    lowered = value.lower()
    if lowered not in TRUE + FALSE:
        raise MalformedError(f"must be true or false, not {shown(value)}")
    meant = lowered in TRUE
    if lowered not in ("true", "false"):
        spot.notice(
            "YamlBoolean", f"{shown(value)} is read as {str(meant).lower()}; YAML 1.2 knows only true and false"
        )
    return meant


def whole(value: Any, _: Spot) -> Any:
    """A whole number, also as text or as `3.0`."""
    if isinstance(value, str):
        if not _WHOLE.fullmatch(value):
            raise MalformedError(f"must be a whole number, not {shown(value)}")
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def number(value: Any, _: Spot) -> Any:
    """A number, also as text; a whole one is an int."""
    if isinstance(value, str):
        if len(value) > _LONGEST_NUMBER or not _NUMBER.fullmatch(value):
            raise MalformedError(f"must be a number, not {shown(value)}")
        value = float(value)
    if isinstance(value, float) and not isfinite(value):
        raise MalformedError(f"must be a number, not {number_text(value)}")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def single(value: Any, spot: Spot) -> Any:
    """A number as one of 32 bits, in the fewest digits that tell it from its neighbours: Compose keeps it so."""
    exact = number(value, spot)
    if isinstance(exact, bool) or not isinstance(exact, int | float):
        return exact
    try:
        rounded = shortest_single(float(exact))
        return int(rounded) if rounded.is_integer() else rounded
    except OverflowError:
        raise MalformedError(f"the number {number_text(exact)} is too large") from None


def size(value: Any, _: Spot) -> Any:
    """Bytes as a decimal string: from `64m`, or a whole number of bytes."""
    if isinstance(value, float):
        raise MalformedError(
            f"must be a whole number of bytes, not {number_text(value)}", "write it with a unit, such as 512m"
        )
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value if value <= LARGEST else parse_bytes(str(value)))
    return size_text(value, _)


def natural_size(value: Any, spot: Spot) -> Any:
    """As `size`; less than nothing is refused as a number too."""
    if isinstance(value, int) and value < 0:
        raise MalformedError(f"size {value} is negative")
    return size(value, spot)


def size_text(value: Any, _: Spot) -> str:
    """Bytes as a decimal string, from text only."""
    if need_text(value).startswith("-"):
        raise MalformedError(f"size {shown(value)} is negative")
    return str(parse_bytes(value))


def duration(value: Any, _: Spot) -> str:
    """A duration as Go prints it."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise MalformedError("must be a duration, not a number", f"write {number_text(value)}s for seconds")
    nanoseconds = parse_duration(need_text(value))
    if nanoseconds < 0:
        raise MalformedError(f"duration {shown(value)} is negative")
    return format_duration(nanoseconds)


def plain_text(value: Any, _: Spot) -> Any:
    """A scalar as the text that Compose makes of it: `true`, `1000`, `1.1`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return number_text(value)
    if not isinstance(value, str):
        raise MalformedError(f"must be a string, a number or a boolean, not {kind_of(value)}")
    return value


def number_or_text(value: Any, spot: Spot) -> Any:
    """A number or a string as text; booleans are refused."""
    if isinstance(value, bool):
        raise MalformedError("must be a string or a number, not a boolean", "quote it")
    return plain_text(value, spot)


def pairs(value: Any, spot: Spot) -> Table:
    """`list_or_dict`: a mapping of text; a key without a value has None."""
    if not isinstance(value, Items):
        if "" in need_table(value):
            raise MalformedError(_NAMELESS)
        return mapping(plain_text)(value, spot)  # type: ignore[no-any-return]
    table = Table()
    for index, (item, mark) in enumerate(value.marked()):
        line = convert(_pair, item, spot.child(index, mark))
        if line is not FAILED:
            key, equals, rest = line.partition("=")
            table.put(key, rest if equals else None, mark)
    return table


def _pair(value: Any, _: Spot) -> str:
    """`NAME` or `NAME=VALUE`; what has no name is refused by engines."""
    if need_text(value).partition("=")[0] == "":
        raise MalformedError(_NAMELESS)
    return str(value)


def variables(value: Any, spot: Spot) -> Table:
    """As `pairs`, for `environment`: no blank may stand before the `=` of a line."""
    table = pairs(value, spot)
    spaced = next((key for key in table if key[-1].isspace()), None) if isinstance(value, Items) else None
    if spaced is not None:
        raise MalformedError(f"variable {shown(spaced)} ends in a blank", f"write {spaced.strip()}=")
    return table


def labels(value: Any, spot: Spot) -> Table:
    """`list_or_dict` where no value means an empty one."""
    table = pairs(value, spot)
    for key, item in table.items():
        if item is None:
            table[key] = ""
    return table


def options(value: Any, spot: Spot) -> Table:
    """Driver options: a mapping of strings and numbers."""
    return mapping(number_or_text)(value, spot)  # type: ignore[no-any-return]


def from_plain(value: Any, spot: Spot) -> Any:
    """Plain data made by a grammar, marked with the place it was written at."""
    if isinstance(value, dict):
        table = Table()
        for key, item in value.items():
            table.put(key, from_plain(item, spot), spot.mark)
        return table
    if isinstance(value, list):
        items = Items()
        for item in value:
            items.add(from_plain(item, spot), spot.mark)
        return items
    return value
