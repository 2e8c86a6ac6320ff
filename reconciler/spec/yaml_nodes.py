"""Bytes of a spec file -> YAML documents as marked data. First stage of `load`; also asked by `source.directory`.

Built straight from libyaml's events, so that depth, size and alias expansion are bounded before anything is copied:
hostile input costs at most the events up to the limit. Duplicate keys are errors, as in Compose. `!reset` and
`!override` (Compose Spec, "Merge and override") become `Document.resets`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml import (
    AliasEvent,
    CSafeLoader,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from reconciler.errors import SpecError
from reconciler.spec.files import decode_text
from reconciler.spec.nodes import NOWHERE, Items, Mark, Path, Table, kind_of
from reconciler.spec.scalars import resolve, tagged

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 100
MAX_DOCUMENTS = 100
MAX_NODES = 250_000
_RESET, _OVERRIDE = "!reset", "!override"
_MERGE = "<<"
_VERSION = (1, 1)  # as go-yaml, which refuses others
_MARKUP_HINT = "a spec is YAML text in UTF-8"
_BOMB_HINT = "aliases (*name) and merge keys (<<) may not multiply a file beyond that"


@dataclass(frozen=True)
class Document:
    """One YAML document: its value, and the paths whose value from files before this one is to be forgotten.

    `size` counts its nodes with every alias expanded; it begins at `line`.
    """

    value: Any
    resets: tuple[Path, ...] = ()
    size: int = 1
    line: int = 1


def read_documents(data: bytes, file: str) -> list[Document]:
    """The documents of one file; `file` is its name in errors. SpecError with `file:line` for anything unreadable."""
    _check_text(data, file)
    loader = CSafeLoader(data)
    try:
        return _Reader(loader, file).documents()
    except yaml.YAMLError as error:
        raise _syntax_error(error, file) from None
    finally:
        loader.dispose()


def _check_text(data: bytes, file: str) -> None:
    if len(data) > MAX_BYTES:
        limit = MAX_BYTES // 1024 // 1024
        raise SpecError(f"the file is larger than {limit} MB", source=file, hint="split the project into several files")
    decode_text(data, file, _MARKUP_HINT)


def _syntax_error(error: yaml.YAMLError, file: str) -> SpecError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).splitlines()[0]
    where = f"{file}:{mark.line + 1}" if mark else file
    return SpecError(f"invalid YAML: {problem}", source=where)


@dataclass(slots=True)
class _Frame:
    """A collection that is being read. `size` counts its nodes with every alias expanded."""

    value: Table | Items
    line: int
    anchor: str | None
    tag: str | None
    size: int = 1
    key: str | None = None
    key_mark: Mark = NOWHERE
    merging: bool = False
    merges: list[tuple[Any, Mark]] = field(default_factory=list)


_DROPPED = object()
_OPEN = object()


class _Reader:
    """Turns the events of one file into documents. One use."""

    def __init__(self, loader: CSafeLoader, file: str) -> None:
        self._loader = loader
        self._file = file
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._resets: list[Path] = []
        self._marks: dict[int, Mark] = {}
        self._root: Any = None
        self._size = self._line = 1

    def documents(self) -> list[Document]:
        found: list[Document] = []
        while True:
            event: Any = self._loader.get_event()
            kind = type(event)
            if kind is ScalarEvent:
                self._scalar(event)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                self._open(event, Table() if kind is MappingStartEvent else Items())
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._close()
            elif kind is AliasEvent:
                self._alias(event)
            elif kind is DocumentStartEvent:
                self._begin(event)
            elif kind is yaml.DocumentEndEvent:
                found.append(Document(self._root, tuple(self._resets), self._size, self._line))
                if len(found) > MAX_DOCUMENTS:
                    raise self._error(f"more than {MAX_DOCUMENTS} documents in one file", event.start_mark.line)
            elif kind is StreamEndEvent:
                break
        return found

    def _begin(self, event: Any) -> None:
        self._anchors, self._resets, self._root = {}, [], None
        self._line = event.start_mark.line + 1
        if event.version not in (None, _VERSION):
            version = ".".join(map(str, event.version))
            raise self._error(
                f"%YAML {version} is not what a spec is read as", event.start_mark.line, "remove the line"
            )

    def _scalar(self, event: Any) -> None:
        line = event.start_mark.line
        tag, text = event.tag, event.value
        if "\0" in text:
            raise self._error("a NUL character can be in no value", line, "remove the \\0")
        if tag in (_RESET, _OVERRIDE):
            self._reset(line)
            value: Any = _DROPPED if tag == _RESET else resolve(text)
        elif tag is None and event.implicit[0]:
            if text == _MERGE and self._awaits_key():
                self._merge_key(line)
                return
            value = resolve(text)
        elif tag in (None, "!"):
            value = resolve(text) if tag and not event.style else text
        else:
            value = self._tagged(tag, text, line)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._deliver(value, 1, line)

    def _tagged(self, tag: str, text: str, line: int) -> Any:
        try:
            return tagged(tag, text)
        except ValueError as error:
            raise self._error(str(error), line) from None

    def _open(self, event: Any, value: Table | Items) -> None:
        line = event.start_mark.line
        if len(self._stack) >= MAX_DEPTH:
            raise self._error(f"nested more than {MAX_DEPTH} levels deep", line)
        if self._awaits_key():
            raise self._error("a key must be a string, not a mapping or a list", line)
        if event.tag in (_RESET, _OVERRIDE):
            self._reset(line)
        if event.anchor:
            self._anchors[event.anchor] = (_OPEN, 0)
        self._stack.append(_Frame(value, line, event.anchor, event.tag))

    def _close(self) -> None:
        frame = self._stack.pop()
        for source, mark in frame.merges:
            self._merge(frame, source, mark)
        if frame.anchor:
            self._anchors[frame.anchor] = (frame.value, frame.size)
        self._deliver(_DROPPED if frame.tag == _RESET else frame.value, frame.size, frame.line)

    def _alias(self, event: Any) -> None:
        line = event.start_mark.line
        if event.anchor not in self._anchors:
            raise self._error(f"unknown alias *{event.anchor}", line, f"define it first with &{event.anchor}")
        value, size = self._anchors[event.anchor]
        if value is _OPEN:
            raise self._error(f"alias *{event.anchor} contains itself", line)
        self._deliver(value, size, line)

    def _deliver(self, value: Any, size: int, line: int) -> None:
        """Put a finished node where it belongs: as root, key, value or item."""
        if not self._stack:
            self._root, self._size = None if value is _DROPPED else value, size
            return
        frame = self._stack[-1]
        frame.size += size
        if frame.size > MAX_NODES:
            raise self._error(f"the file has more than {MAX_NODES} nodes once aliases are expanded", line, _BOMB_HINT)
        if isinstance(frame.value, Items):
            frame.value.add(value, self._mark(line))
        elif frame.key is None:
            self._key(frame, value, line)
        else:
            self._entry(frame, frame.value, value)

    def _key(self, frame: _Frame, value: Any, line: int) -> None:
        if not isinstance(value, str) or type(value) is not str:
            raise self._error(f"key {value} must be a string, not {kind_of(value)}", line, f'quote it: "{value}"')
        if value in frame.value:
            first = frame.value.marks[value][1]  # type: ignore[call-overload]
            raise self._error(f"key {value!r} is already set at line {first}", line, "remove one of the two")
        frame.key, frame.key_mark = value, self._mark(line)

    def _entry(self, frame: _Frame, table: Table, value: Any) -> None:
        key = frame.key or ""
        if frame.merging:
            frame.merges.append((value, frame.key_mark))
        elif value is not _DROPPED:
            table.put(key, value, frame.key_mark)
        frame.key, frame.merging = None, False

    def _awaits_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].key is None and isinstance(self._stack[-1].value, Table)

    def _merge_key(self, line: int) -> None:
        frame = self._stack[-1]
        if frame.merges:
            raise self._error(
                f"key '<<' is already set at line {frame.merges[0][1][1]}", line, "give it a list: <<: [*a, *b]"
            )
        frame.key, frame.key_mark, frame.merging = _MERGE, self._mark(line), True

    def _merge(self, frame: _Frame, source: Any, mark: Mark) -> None:
        """Add the entries of `<<: *name` or `<<: [*a, *b]`: what is already there wins (YAML merge key)."""
        for table in source if isinstance(source, Items) else [source]:
            if not isinstance(table, Table):
                raise self._error("<< takes a mapping or a list of mappings", mark[1] - 1)
            for key, value in table.items():
                if key not in frame.value:
                    frame.value.put(key, value, table.marks[key])  # type: ignore[union-attr]

    def _reset(self, line: int) -> None:
        steps: list[str] = []
        for frame in self._stack:
            if isinstance(frame.value, Items) or frame.key is None:
                raise self._error("!reset and !override stand on the value of a key, not on a list item", line)
            steps.append(frame.key)
        self._resets.append(tuple(steps))

    def _mark(self, line: int) -> Mark:
        """The place of a line (from 0), one object for all that stands on it."""
        return self._marks.setdefault(line, (self._file, line + 1))

    def _error(self, message: str, line: int, hint: str | None = None) -> SpecError:
        return SpecError(message, source=f"{self._file}:{line + 1}", hint=hint)
