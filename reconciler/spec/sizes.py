"""Byte sizes as the Compose Spec writes them ("Specifying byte values"): binary units, `64m` is 64 MiB.

Used by the canonical form of every size in a spec and by the lowering.
"""

from __future__ import annotations

import re

from reconciler.spec.nodes import shown

_SIZE = re.compile(r"([+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?) ?([a-zA-Z]*)", re.ASCII)
_POWERS = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
LARGEST = 2**63 - 1
_LONGEST_TEXT = 100


def parse_bytes(text: str) -> int:
    """The size in bytes: a decimal number with an optional unit of k, m, g, t, p with `b` or `ib`.

    A negative whole number is returned as it is (`memswap_limit: -1` means unlimited). ValueError with what is wrong.
    """
    if re.fullmatch(r"-[0-9]{1,18}", text, re.ASCII):
        return int(text)
    match = _SIZE.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
    if match is None:
        raise ValueError(_malformed(text))
    unit = match[2].lower()
    power = _POWERS.get(unit[:1])
    if power is None or (len(unit) > 1 and (unit[1:] not in {"b", "ib"} or unit[0] == "b")):
        raise ValueError(f"size {shown(text)} has an unknown unit {match[2]!r} (known: b, k, m, g, t, p, with b or ib)")
    size = int(match[1]) if match[1].isdigit() else float(match[1])
    if size * 1024**power > LARGEST:
        raise ValueError(f"size {shown(text)} is larger than the engine can hold")
    return int(size * 1024**power)


def _malformed(text: str) -> str:
    return f"{shown(text)} is not a size (write it as 512m or 1.5g)"
