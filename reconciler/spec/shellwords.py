"""A command written as one string, split into words without a shell (Compose Spec, `command` and `entrypoint`).

Quotes and backslashes group words as in a shell, and `$$(...)` and backticks stay literal text. `;`, `|`, `&`, `<`, `>`
and bare parentheses need a shell and are refused, because splitting would silently drop them.
"""

from __future__ import annotations

import re

from reconciler.spec.nodes import MalformedError, shown

MAX_WORDS = 10_000
_PIECE = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
    | '(?P<single>[^']*)'
    | "(?P<double>(?:\\.|[^"\\])*)"
    | \\(?P<escaped>.)
    | (?P<literal>\$\([^()]*\)|`[^`]*`)
    | (?P<plain>(?:[^ \t\r\n'"\\;|&<>()`$]|\$(?!\())+)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def split_words(text: str) -> list[str]:
    """The words of a command line; MalformedError for unclosed quotes and for what only a shell understands."""
    words: list[str] = []
    word: str | None = None
    at = 0
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None:
            raise _refusal(text, at)
        at = match.end()
        if match.lastgroup == "space":
            words += [] if word is None else [word]
            word = None
            if len(words) > MAX_WORDS:
                raise MalformedError(f"a command of more than {MAX_WORDS} words")
        else:
            word = (word or "") + _piece(match)
    return words if word is None else [*words, word]


def _piece(match: re.Match[str]) -> str:
    text = match[match.lastgroup or 0]
    return _ESCAPED.sub(r"\1", text) if match.lastgroup == "double" else text


def _refusal(text: str, at: int) -> MalformedError:
    if text[at] in "'\"":
        return MalformedError(f"unclosed quote {text[at]} in {shown(text)}")
    if text[at] == "\\":
        return MalformedError(f"{shown(text)} ends with a backslash")
    hint = 'there is no shell: write ["sh", "-c", "..."], or quote the character'
    return MalformedError(f"{text[at]!r} in {shown(text)} needs a shell", hint)
