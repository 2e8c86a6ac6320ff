"""The instructions of a Dockerfile as the builders split it: directives, comments, continued lines, heredocs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_BOM = "\ufeff"
_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(\S.*?)\s*$")
_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)")
_WITH_HEREDOCS = {"ADD", "COPY", "RUN"}
_PLAIN = re.compile(r"\S+")

_Line = tuple[int, str]


@dataclass(frozen=True)
class Word:
    """A word of an instruction, and where each of its characters stands in the text."""

    text: str
    offsets: Sequence[int]

    @property
    def start(self) -> int:
        """Where it begins."""
        return self.offsets[0]

    @property
    def end(self) -> int:
        """Where it ends: the first character after it."""
        return self.offsets[-1] + 1

    def cut(self, start: int, end: int) -> Word:
        """A part of it."""
        return Word(self.text[start:end], self.offsets[start:end])


@dataclass(frozen=True)
class Instruction:
    """`name` in capitals, its flags (`--from=x`), and what follows them."""

    name: str
    flags: tuple[Word, ...]
    arguments: tuple[Word, ...]


@dataclass(frozen=True)
class Dockerfile:
    """What the directives say, and the instructions in order. `syntax` is the image of the frontend."""

    escape: str
    syntax: Word | None
    instructions: tuple[Instruction, ...]


def read_dockerfile(text: str) -> Dockerfile:
    """Split a Dockerfile; what no builder would take is split somehow, for the builder to refuse."""
    lines = list(_physical(text))
    directives = _directives(lines)
    escape = directives["escape"].text if "escape" in directives else "\\"
    return Dockerfile(escape, directives.get("syntax"), tuple(_instructions(iter(lines), escape)))


def replaced(text: str, places: Mapping[tuple[int, int], str]) -> str:
    """The text with other words at these places."""
    for (start, end), word in sorted(places.items(), reverse=True):
        text = f"{text[:start]}{word}{text[end:]}"
    return text


def _physical(text: str) -> Iterator[_Line]:
    position = 0
    for number, line in enumerate(text.split("\n")):
        skipped = len(_BOM) if number == 0 and line.startswith(_BOM) else 0
        yield position + skipped, line[skipped:].rstrip("\r")
        position += len(line) + 1


def _directives(lines: Sequence[_Line]) -> dict[str, Word]:
    """The first words of `# name=value` at the very top."""
    found: dict[str, Word] = {}
    for start, line in lines[1:] if lines[0][1].startswith("#!") else lines:
        match = _DIRECTIVE.match(line)
        if not match:
            break
        value = _PLAIN.match(match[2])
        if value:
            first = start + match.start(2)
            found.setdefault(match[1].lower(), Word(value[0], range(first, first + value.end())))
    return found


def _instructions(lines: Iterator[_Line], escape: str) -> Iterator[Instruction]:
    continued = re.compile(rf"(?<!{re.escape(escape)}){re.escape(escape)}[ \t]*$")
    for first in lines:
        if _is_nothing(first[1]):
            continue
        whole = _joined(first, lines, continued)
        words = [whole.cut(match.start(), match.end()) for match in _words(escape).finditer(whole.text)]
        if not words:
            continue
        name = words[0].text.upper()
        flags = next((index for index, word in enumerate(words[1:]) if not word.text.startswith("--")), len(words) - 1)
        yield Instruction(name, tuple(words[1 : flags + 1]), tuple(words[flags + 1 :]))
        if name in _WITH_HEREDOCS or (name == "ONBUILD" and words[1:] and words[1].text.upper() in _WITH_HEREDOCS):
            _skip_heredocs(words, lines)


def _is_nothing(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _joined(line: _Line, lines: Iterator[_Line], continued: re.Pattern[str]) -> Word:
    """An instruction with the lines that it is continued on; blank lines and comments between them do not count."""
    text, offsets = "", list[int]()
    while True:
        start, content = line
        match = continued.search(content)
        kept = content[: match.start()] if match else content
        text += kept
        offsets += range(start, start + len(kept))
        following = next((line for line in lines if not _is_nothing(line[1])), None) if match else None
        if following is None:
            return Word(text, offsets)
        line = following


def _words(escape: str) -> re.Pattern[str]:
    e = re.escape(escape)
    return re.compile(rf"""(?:[^\s"'{e}]|{e}.|"(?:[^"{e}]|{e}.)*"|'[^']*'|["'{e}])+""")


def _skip_heredocs(words: Sequence[Word], lines: Iterator[_Line]) -> None:
    for match in (_HEREDOC.fullmatch(word.text) for word in words):
        if match:
            ending = match[2].strip("\"'")
            any((line.lstrip("\t") if match[1] else line) == ending for _, line in lines)
