"""Which files of a build context are left out: `.dockerignore` as the Docker builders read it. Called by `context`.

The rules are those of moby's patternmatcher: ordered, the last match wins, what matches a folder matches all in it,
case-sensitive. `Dockerfile.dockerignore` next to the Dockerfile is preferred over `.dockerignore` in the context.
Where the builders differ (`docs` and then `!**/keep.md`), the documented rule holds here, as in current BuildKit.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from reconciler.errors import SpecError
from reconciler.images.wildcards import FOLDERS, NAME, REST, WILDCARDS, Walk

_BOM = b"\xef\xbb\xbf"
MAX_PATTERNS = 5000
_MOST_WILDCARDS = 2
_SPECIAL = re.compile(r"[*?\[\]\\]")
_REGULAR = re.compile(r"\||\{[0-9]+(?:,[0-9]*)?\}")
_NEVER = r"[^\s\S]"  # `^` in the middle
_ESCAPES = {
    **dict(zip("afnrtv", (r"\x07", r"\f", r"\n", r"\r", r"\t", r"\v"), strict=True)),
    "d": "[0-9]",
    "D": "[^0-9]",
    "w": "[0-9A-Za-z_]",
    "W": "[^0-9A-Za-z_]",
    "s": r"[\t\n\f\r ]",
    "S": r"[^\t\n\f\r ]",
}


@dataclass(frozen=True)
class Pattern:
    """One line: `text` cleaned and without its `!`; `keeps` says that it had one."""

    text: str
    keeps: bool
    expression: re.Pattern[str] | Walk

    def may_match_below(self, folder: str) -> bool:
        """Whether anything inside `folder` could match; wrong only in the direction of True."""
        for written, actual in zip(self.text.split("/"), folder.split("/"), strict=False):
            if _SPECIAL.search(written):
                return True
            if written != actual:
                return False
        return True


@dataclass(frozen=True)
class Verdict:
    """Whether a path is left out, and which patterns it matched, which its children inherit."""

    ignored: bool
    matched: tuple[bool, ...]


@dataclass(frozen=True)
class Ignore:
    """All patterns of one file, in order."""

    patterns: tuple[Pattern, ...] = ()

    def verdict(self, path: str, parent: Verdict | None = None) -> Verdict:
        """The verdict on a path relative to the context, with `/`; `parent` is that of the folder it is in."""
        ignored, matched = False, []
        for position, pattern in enumerate(self.patterns):
            matches = parent is not None and parent.matched[position]
            if not matches and pattern.keeps == ignored:
                matches = bool(pattern.expression.match(path))
            matched.append(matches)
            if matches:
                ignored = not pattern.keeps
        return Verdict(ignored, tuple(matched))

    def prunes(self, folder: str) -> bool:
        """Whether nothing inside a folder that is left out can be kept by a later `!` pattern."""
        return not any(pattern.keeps and pattern.may_match_below(folder) for pattern in self.patterns)

    def ignores(self, path: str) -> bool:
        """Whether one path is left out, seen from the context's root."""
        verdict = None
        for end in (*(match.start() for match in re.finditer("/", path)), len(path)):
            verdict = self.verdict(path[:end], verdict)
        return verdict is not None and verdict.ignored


def parse_ignore(content: bytes, source: str) -> Ignore:
    """The patterns of an ignore file. SpecError with `source:line` for one that the Docker builders refuse.

    More than MAX_PATTERNS are refused too.
    """
    lines = content.removeprefix(_BOM).decode(errors="surrogateescape").split("\n")
    patterns = (
        _pattern(line, f"{source}:{number}") for number, line in enumerate(lines, 1) if not line.startswith("#")
    )
    found = tuple(islice((pattern for pattern in patterns if pattern), MAX_PATTERNS + 1))
    if len(found) > MAX_PATTERNS:
        raise SpecError(f"more than {MAX_PATTERNS} patterns", source=source, hint="leave out whole folders")
    return Ignore(found)


def _pattern(line: str, place: str) -> Pattern | None:
    text = line.strip()
    if not text:
        return None
    keeps = text.startswith("!")
    if not (body := text[1:].strip() if keeps else text):
        raise SpecError("'!' alone keeps nothing", source=place, hint="name what to keep, such as !README.md")
    cleaned = _clean(body)
    if cleaned.startswith("!") and not keeps:  # `./!name` and `/!name` become a `!` pattern when they are cleaned
        keeps, cleaned = True, cleaned[1:]
    return Pattern(cleaned, keeps, _expression(cleaned, place))


def _clean(path: str) -> str:
    """Go's filepath.Clean, and no leading slash: patterns are relative to the context."""
    cleaned = posixpath.normpath("/" + path.lstrip("/") if path.startswith("/") else path)
    return cleaned[1:] if len(cleaned) > 1 and cleaned.startswith("/") else cleaned


def _expression(pattern: str, place: str) -> re.Pattern[str] | Walk:
    r"""What is no regular expression to the builders is compared as it is: a name, `**` before one, or after one.

    In the others, `^` is left to mean what it means to regular expressions, and so is what follows a `\`.
    """
    if pattern.startswith("**") and not _SPECIAL.search(pattern[2:]):
        return re.compile(_ends_with(pattern[2:]), re.DOTALL)
    if not _SPECIAL.search(pattern.removesuffix("**")):
        rest = REST if pattern.endswith("**") else ""
        return re.compile(f"{re.escape(pattern.removesuffix('**'))}{rest}\\Z", re.DOTALL)
    tokens = list(_tokens(pattern.lstrip("^"), place))
    if sum(token in WILDCARDS for token in tokens) > _MOST_WILDCARDS:
        return Walk(tokens)
    return re.compile("".join(tokens) + r"\Z", re.DOTALL)


def _ends_with(ending: str) -> str:
    """`**/name` is that name at any depth; `**name` is any path that ends so."""
    return rf"(?:.*/)?{re.escape(ending[1:])}\Z" if ending.startswith("/") else rf".*{re.escape(ending)}\Z"


def _tokens(pattern: str, place: str) -> Iterator[str]:
    position = 0
    while position < len(pattern):
        token, position = _token(pattern, position, place)
        yield token


def _token(pattern: str, position: int, place: str) -> tuple[str, int]:
    """The regular expression of what stands at `position`, and where the next thing starts."""
    character = pattern[position]
    if pattern.startswith("**", position):
        after = position + 2
        after += pattern.startswith("/", after)
        return (FOLDERS if after < len(pattern) else REST), after
    if character == "*":
        return NAME, position + 1
    if character == "?":
        return "[^/]", position + 1
    if character == "[":
        return _character_class(pattern, position, place)
    if character == "\\":
        return _escaped(pattern, position, place)
    if _REGULAR.match(pattern, position):
        hint = f"the builders take {character} for a part of a regular expression: escape it"
        raise SpecError(f"malformed pattern '{pattern}'", source=place, hint=hint)
    return (_NEVER if character == "^" else re.escape(character)), position + 1


def _escaped(pattern: str, position: int, place: str) -> tuple[str, int]:
    if position + 1 == len(pattern):
        raise _malformed(pattern, place)
    escaped = pattern[position + 1]
    return _ESCAPES.get(escaped) or re.escape(_literal(escaped, pattern, place)), position + 2


def _literal(escaped: str, pattern: str, place: str) -> str:
    """A character that stands for itself after a backslash."""
    if escaped.isalnum() or not escaped.isascii():
        hint = f"a backslash makes something else of {escaped}: leave it out"
        raise SpecError(f"malformed pattern '{pattern}'", source=place, hint=hint)
    return escaped


def _character_class(pattern: str, position: int, place: str) -> tuple[str, int]:
    r"""`[a-z]`, negated by `^` only; `\` escapes."""
    negated = pattern.startswith("^", position + 1)
    position += 1 + negated
    members: list[str] = []
    while position < len(pattern) and not (pattern[position] == "]" and members):
        low, position = _member(pattern, position, place)
        high = low
        if pattern.startswith("-", position):
            high, position = _member(pattern, position + 1, place)
        if high < low:
            raise _malformed(pattern, place)
        members.append(f"{re.escape(low)}-{re.escape(high)}")
    if position == len(pattern):
        raise _malformed(pattern, place)
    return f"[{'^' if negated else ''}{''.join(members)}]", position + 1


def _member(pattern: str, position: int, place: str) -> tuple[str, int]:
    escaped = pattern.startswith("\\", position)
    position += escaped
    if position >= len(pattern) or (pattern[position] in "-]" and not escaped):
        raise _malformed(pattern, place)
    if escaped:
        return _literal(pattern[position], pattern, place), position + 1
    if pattern[position] in "*?" or pattern.startswith("[:", position):
        hint = f"the builders take {pattern[position]} for something else between brackets: escape it"
        raise SpecError(f"malformed pattern '{pattern}'", source=place, hint=hint)
    return pattern[position], position + 1


def _malformed(pattern: str, place: str) -> SpecError:
    return SpecError(
        f"malformed pattern '{pattern}'", source=place, hint=r"close every [ and escape a literal one as \["
    )
