"""Replaces variables in a word of a Dockerfile, as the builders do it in FROM and ARG. For `mentions`."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-+?]")
_BEFORE = '"$'  # what the escape character escapes within double quotes, beside itself

Values = Mapping[str, str | None]


class UnresolvedError(ValueError):
    """What a word stands for is not known."""


def expand(text: str, values: Values, escape: str) -> str:
    """The word without quotes and with values for its variables.

    A variable without a value is empty. UnresolvedError for one whose value is not known (None), and for the forms that
    cut or replace parts of values (`${NAME#pattern}` and so on).
    """
    found, position, quoted = "", 0, False
    while position < len(text):
        character = text[position]
        if character == "'" and not quoted:
            end = text.find("'", position + 1)
            found, position = found + text[position + 1 : end if end > 0 else None], (end if end > 0 else len(text)) + 1
        elif character == '"':
            quoted, position = not quoted, position + 1
        elif character == escape and position + 1 < len(text):
            kept = quoted and text[position + 1] not in _BEFORE + escape
            found, position = found + (escape if kept else "") + text[position + 1], position + 2
        elif character == "$":
            value, position = _variable(text, position + 1, values, escape)
            found += value
        else:
            found, position = found + character, position + 1
    return found


def _variable(text: str, position: int, values: Values, escape: str) -> tuple[str, int]:
    """The value of the variable after a `$`, and where the text goes on."""
    if not text.startswith("{", position):
        name = _NAME.match(text, position)
        return ("$", position) if name is None else (_value(name[0], values), name.end())
    name, end = _NAME.match(text, position + 1), _closing(text, position + 1)
    if name is None or end is None:
        raise UnresolvedError(text)
    rest = text[name.end() : end]
    operator = _OPERATOR.match(rest)
    if rest and operator is None:
        raise UnresolvedError(text)
    if operator is None:
        return _value(name[0], values), end + 1
    return _chosen(name[0], operator[0], rest[operator.end() :], values, escape), end + 1


def _chosen(name: str, operator: str, word: str, values: Values, escape: str) -> str:
    value = _value(name, values)
    there = bool(value) if operator.startswith(":") else name in values
    if operator.endswith("+"):
        return expand(word, values, escape) if there else ""
    if not there and operator.endswith("?"):
        raise UnresolvedError(name)
    return value if there else expand(word, values, escape)


def _value(name: str, values: Values) -> str:
    value = values.get(name, "")
    if value is None:
        raise UnresolvedError(name)
    return value


def _closing(text: str, position: int) -> int | None:
    """Where the brace that is open at `position` is closed."""
    depth = 1
    for index in range(position, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    return None
