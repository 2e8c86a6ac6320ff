"""Env files: the text of `.env`, `--env-file` and a service's `env_file` (Compose Spec, "Env_file format").

`KEY=value`, `KEY: value`, `export KEY=value`, a bare `KEY` inherited from the shell, `#` comments, single
quotes literal, double quotes with escapes, both over several lines; `$VAR` is substituted except in single quotes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.spec.interpolation import Unset, interpolate
from reconciler.spec.nodes import MalformedError

MAX_BYTES = 1024 * 1024
MAX_EXPANDED = 4 * 1024 * 1024
_BLANK = " \t\v\f\r\x85\xa0"
_SKIPPED = re.compile(rf"(?:[{_BLANK}\n]+|#[^\n]*)+")
_EXPORT = re.compile(r"export\s+")
_KEY = re.compile(rf"([\w.\-\[\]{_BLANK}]*)([=:\n]|\Z)")
_QUOTED = {quote: re.compile(rf"{quote}((?:\\.|[^{quote}\\])*){quote}", re.DOTALL) for quote in "'\""}
_ESCAPE = re.compile(r'\\(?:([abfnrtv$"\\])|0([0-7]{0,3}))')
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "$": "$$"}


class EnvFileError(MalformedError):
    """A line of an env file that says nothing; `line` counts from 1."""

    def __init__(self, message: str, line: int, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.line = line


def parse_env_file(
    text: str, inherited: Mapping[str, str], unset: Unset, earlier: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The variables of an env file in file order; EnvFileError with the line where it is malformed.

    `inherited` gives bare keys their value and wins over the file in `$VAR`, and the file over `earlier`; `unset` is
    told of variables without a value.
    """
    return _Parser(text.removeprefix("\ufeff"), inherited, unset, earlier or {}).parse()


def parse_raw_file(text: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """The variables of an env file of `format: raw`: all after the first `=` is the value, unquoted, unexpanded."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not key.strip() or any(blank in key.lstrip() for blank in _BLANK):
            raise EnvFileError(f"{line[:40]!r} does not begin with a variable name", number)
        if equals or key in inherited:
            found[key.strip()] = value if equals else inherited[key]
    return found


@dataclass
class _Parser:
    text: str
    inherited: Mapping[str, str]
    unset: Unset
    earlier: Mapping[str, str]
    at: int = 0
    expanded: int = 0
    found: dict[str, str] = field(default_factory=dict)

    def parse(self) -> dict[str, str]:
        while True:
            self._skip(_SKIPPED)
            if self.at >= len(self.text):
                return self.found
            self._skip(_EXPORT)
            self._statement()

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _statement(self) -> None:
        start = self.at
        match = _KEY.match(self.text, start)
        if match is None:
            raise self._bad_key(start)
        key, self.at = match[1].strip(_BLANK), match.end()
        if not key or any(blank in key for blank in _BLANK):
            raise self._error(f"{self._shown(start)} is not a variable", start, "write it as NAME=value")
        if match[2] in "=:" and match[2]:
            self.found[key] = self._value()
        elif not match[2]:
            hint = f"write {key}=value, or end the line to inherit {key} from the environment"
            raise self._error(f"{key!r} has no value and no end of line", start, hint)
        elif key in self.inherited:
            self.found[key] = self.inherited[key]

    def _value(self) -> str:
        while self.at < len(self.text) and self.text[self.at] in _BLANK:
            self.at += 1
        quote = self.text[self.at : self.at + 1]
        return self._quoted(quote) if quote and quote in "'\"" else self._unquoted()

    def _unquoted(self) -> str:
        start = self.at
        end = self.text.find("\n", start)
        self.at = len(self.text) if end < 0 else end
        line = self.text[start : self.at]
        comment = re.search(r"\s#", line)
        return self._expand(line[: comment.start()] if comment else line, start).rstrip()

    def _quoted(self, quote: str) -> str:
        start = self.at
        match = _QUOTED[quote].match(self.text, start)
        if match is None:
            raise self._error(f"the quote at {self._shown(start)} is never closed", start)
        self.at = match.end()
        end = self.text.find("\n", self.at)
        rest = self.text[self.at : len(self.text) if end < 0 else end].strip(_BLANK)
        if rest and not rest.startswith("#"):
            raise self._error(f"{rest[:40]!r} follows a quoted value", start, "quote the whole value")
        if quote == "'":
            return match[1].replace("\\'", "'")
        return self._expand(_ESCAPE.sub(_unescape, match[1]), start)

    def _expand(self, text: str, start: int) -> str:
        if "$" not in text:
            return text
        try:
            value = interpolate(text, self._lookup, self.unset)
        except MalformedError as error:
            raise self._error(str(error), start, error.hint) from None
        self.expanded += len(value)
        if self.expanded > MAX_EXPANDED:
            limit = MAX_EXPANDED // 1024 // 1024
            raise self._error(f"variables make the values of this file larger than {limit} MB", start)
        return value

    def _lookup(self, name: str) -> str | None:
        return self.inherited.get(name, self.found.get(name, self.earlier.get(name)))

    def _bad_key(self, start: int) -> EnvFileError:
        return self._error(f"{self._shown(start)} does not begin with a variable name", start, "write it as NAME=value")

    def _shown(self, start: int) -> str:
        return repr(self.text[start : start + 40].splitlines()[0])

    def _error(self, message: str, start: int, hint: str | None = None) -> EnvFileError:
        return EnvFileError(message, self.text.count("\n", 0, start) + 1, hint)


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        return _ESCAPED.get(match[1], match[1])
    return chr(int(match[2], 8)) if match[2] else "\\"
