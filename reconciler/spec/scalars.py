"""What a bare YAML word means, as Compose reads it (YAML 1.2 core schema with the leftovers of 1.1 that go-yaml keeps).

`yes`, `on`, `22:22` stay strings; `017`, `0o17`, `0b11`, `1_000` are whole numbers; `1e3` is a number; `2024-01-01` is
a timestamp. Called by `yaml_nodes` for every scalar; `number_text` by whatever turns a number into a string.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from reconciler.spec.nodes import Timestamp, shown

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
_CLOCK = r"(\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d+)?"
_TIMESTAMP = re.compile(rf"(\d{{4}})-(\d{{1,2}})-(\d{{1,2}})(?:[Tt]{_CLOCK}(Z|[-+]\d\d:\d\d)| {_CLOCK})?", re.ASCII)
_MAX_INT, _MIN_INT, _MAX_UINT = 2**63 - 1, -(2**63), 2**64 - 1
_LONGEST_NUMBER = 400
_PLAIN_EXPONENTS = range(-4, 6)
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


def shortest_single(value: float) -> float:
    """The shortest decimal that is the same float of 32 bits as the value; OverflowError where there is none."""
    bits = struct.pack("<f", value)
    candidates = (float(f"{value:.{digits}g}") for digits in range(1, 10))
    return next(one for one in candidates if struct.pack("<f", one) == bits)


def _go_float(value: float) -> str:
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text, minus = "".join(map(str, digits)), "-" if sign else ""
    power = len(text) - 1 + int(exponent)
    if power not in _PLAIN_EXPONENTS:
        mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
        return f"{minus}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if power < 0:
        return f"{minus}0.{'0' * (-power - 1)}{text}"
    whole, part = text[: power + 1].ljust(power + 1, "0"), text[power + 1 :]
    return minus + whole + ("." + part if part else "")


def _number_or_text(text: str) -> Scalar:
    timestamp = _timestamp(text)
    if timestamp is not None:
        return timestamp
    plain = text.replace("_", "")
    whole = _whole(plain)
    if whole is not None:
        return whole
    number = _float(text if text.startswith(".") else plain)
    return text if number is None else number


def _whole(text: str) -> int | None:
    match = _WHOLE.fullmatch(text)
    if match is None:
        return None
    digits, base = next(
        (digits, base) for digits, base in zip(match.groups()[1:], _BASES, strict=True) if digits is not None
    )
    value = int(digits, base)
    if not match[1]:
        return value if value <= _MAX_UINT else None
    signed = -value if match[1] == "-" else value
    return signed if _MIN_INT <= signed <= _MAX_INT else None


def _float(text: str) -> float | None:
    if not _FLOAT.fullmatch(text):
        return None
    value = float(text)
    return None if value in (float("inf"), float("-inf")) else value


def _timestamp(text: str) -> Timestamp | None:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    year, month, day, *clock = match.groups()
    hour, minute, second, fraction = clock[:4] if clock[0] else clock[5:]
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC
        )
    except ValueError:
        return None
    return Timestamp(f"{moment:%Y-%m-%dT%H:%M:%S}{(fraction or '').rstrip('0').rstrip('.')}{clock[4] or 'Z'}")


def _typed(name: str, types: tuple[type, ...]) -> Callable[[str], Scalar]:
    def convert(text: str) -> Scalar:
        value = resolve(text)
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise ValueError(f"{shown(text)} is not a {name}")
        return value

    return convert


def _to_float(text: str) -> Scalar:
    value = _typed("number", (int, float))(text)
    return float(value) if isinstance(value, int | float) else value


def _to_binary(text: str) -> Scalar:
    try:
        return base64.b64decode(text, validate=False).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("!!binary does not hold base64 of UTF-8 text") from None


_TAGS: dict[str, Callable[[str], Scalar]] = {
    "str": str,
    "int": _typed("whole number", (int,)),
    "float": _to_float,
    "bool": _typed("boolean", (bool,)),
    "null": _typed("null", (type(None),)),
    "timestamp": _typed("timestamp", (Timestamp,)),
    "binary": _to_binary,
}
