"""Values and messages as safe, short text: nothing a spec, an engine or a container says reaches the terminal raw."""

from __future__ import annotations

import json
import re
from typing import Any

from reconciler.model.redaction import REDACTED, redact_text

ABSENT = "(none)"
ARROW = "-> "
_LONG_HEX = re.compile(r"(?P<at>@?)(?:sha256:)?\b(?P<short>[0-9a-f]{12})[0-9a-f]{52}\b")
_ELLIPSIS = "…"


def clean(text: str) -> str:
    """The text with control and other unprintable characters escaped and URL passwords hidden; line breaks stay."""
    visible = (char if char.isprintable() or char == "\n" else _escaped(char) for char in text.expandtabs())
    return redact_text("".join(visible))


def show(value: Any) -> str:
    """A value on one line: text as it is where that is unambiguous, else as JSON; digests cut to 12 digits."""
    if value is None:
        return ABSENT
    text = value if isinstance(value, str) and _is_plain(value) else _json(value)
    return _short_digests(redact_text(text))


def name_of(resource: str) -> str:
    """An object's name as it may be shown: safe, and with digests cut to 12 digits."""
    return _short_digests(clean(resource))


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, the cut shown."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + _ELLIPSIS


def shorten_path(source: str, limit: int) -> str:
    """`file:line` in at most `limit` characters; the end says most, so the front goes."""
    return source if len(source) <= limit else _ELLIPSIS + source[len(source) - limit + 1 :]


def arrow(before: Any, after: Any, limit: int) -> tuple[str, ...]:
    """`before -> after`, in two lines where one of `limit` characters is too short; the difference is never cut off."""
    old, new = show(before), show(after)
    if old == new == REDACTED:
        return (shorten(f"{REDACTED} (changed, not shown)", limit),)
    if len(old) + len(new) + len(ARROW) + 1 <= limit:
        return (f"{old} {ARROW}{new}",)
    room = limit - len(ARROW)
    if max(len(old), len(new)) > room:
        old, new = _from_first_difference(old, new)
    return f"{' ' * len(ARROW)}{shorten(old, room)}", f"{ARROW}{shorten(new, room)}"


def _from_first_difference(old: str, new: str, context: int = 12) -> tuple[str, str]:
    alike = next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), 0)
    start = alike - context
    return (_ELLIPSIS + old[start:], _ELLIPSIS + new[start:]) if start > 0 else (old, new)


def _short_digests(text: str) -> str:
    return _LONG_HEX.sub(r"\g<at>\g<short>", text)


def _is_plain(text: str) -> bool:
    return bool(text) and text.isprintable() and text == text.strip() and " -> " not in text and text != ABSENT


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text if text.isprintable() else json.dumps(value, sort_keys=True, default=str)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
