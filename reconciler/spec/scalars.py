"""What a bare YAML word means, as Compose reads it (YAML 1.2 core schema with the leftovers of 1.1 that go-yaml keeps).

`yes`, `on`, `22:22` stay strings; `017`, `0o17`, `0b11`, `1_000` are whole numbers; `1e3` is a number; `2024-01-01` is a
timestamp. Called by `yaml_nodes` for every scalar; `number_text` by whatever turns a number into a string.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from reconciler.spec.nodes import Timestamp

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_WHOLE = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]([0-7]+)|0([0-7]+)|(0|[1-9][0-9]*))", re.ASCII)
_BASES = (16, 2, 8, 8, 10)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d+)?(Z|[-+]\d\d:\d\d))|(?: (\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d+)?))?",
    re.ASCII,
)
_MAX_INT, _MIN_INT, _MAX_UINT = 2**63 - 1, -(2**63), 2**64 - 1
_LONGEST_NUMBER = 400
_PLAIN_EXPONENTS = range(-4, 21)
_EXPONENT_FROM = 6
_CORE = "tag:yaml.org,2002:"


@lru_cache(maxsize=4096)
def resolve(text: str) -> Scalar:
    """The value of a bare (plain, untagged) scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789+-." or len(text) > _LONGEST_NUMBER:
        return text
    return _number_or_text(text)


def tagged(tag: str, text: str) -> Scalar:
    """The value of a scalar with an explicit tag such as `!!int`; ValueError where the text is no such value."""
    convert = _TAGS.get(tag.removeprefix(_CORE)) if tag.startswith(_CORE) else None
    return convert(text) if convert else text


def number_text(value: float) -> str:
    """A number as Go prints it in a string: `1000`, `1.1`, `1.23456789e+08`, `+Inf`."""
    if isinstance(value, int):
        return str(value)
    if value != value:  # noqa: PLR0124  not a number is the only value that differs from itself
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return _go_float(value)


def _go_float(value: float) -> str:
    digits, exponent = f"{value!r}e0".split("e")[:2] if "e" not in repr(value) else repr(value).split("e")
    sign = "-" if digits.startswith("-") else ""
    whole, _, part = digits.lstrip("-").partition(".")
    significant = (whole + ("" if part == "0" else part)).lstrip("0")
    if not significant:
        return f"{sign}0"
    leading = len(whole) - 1 if whole != "0" else -1 - (len(part) - len(part.lstrip("0")))
    power = leading + int(exponent)
    significant = significant.rstrip("0")
    if power < _PLAIN_EXPONENTS.start or power >= max(_EXPONENT_FROM, 0) and power >= _shortest_plain(significant):
        mantissa = significant[0] + ("." + significant[1:] if len(significant) > 1 else "")
        return f"{sign}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{significant}"
    padded = significant.ljust(power + 1, "0")
    return sign + padded[: power + 1] + ("." + padded[power + 1 :] if len(padded) > power + 1 else "")
