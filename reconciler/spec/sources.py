"""Compose files as documents with their place: those of a load and all that they include and extend, bounded."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.errors import SpecError, SpecErrors
from reconciler.spec.files import Files, display_path
from reconciler.spec.nodes import MalformedError, Table, kind_of, shown
from reconciler.spec.volumes import resolve_path
from reconciler.spec.yaml_nodes import MAX_BYTES, MAX_NODES, Document, read_documents

NO_SERVICES_HINT = "a spec needs services:"
MAX_FILES = 500
MAX_TOTAL = 2 * MAX_BYTES
MAX_TOTAL_NODES = 2 * MAX_NODES
_REMOTE = ("http://", "https://", "git://", "ssh://", "git@", "github.com/", "oci://")


@dataclass(frozen=True)
class Source:
    """One document of one file; `file` is its name in errors, `path` is absolute."""

    document: Document
    table: Table
    file: str
    path: str


class Sources:
    """Reads the compose files of one load."""

    def __init__(self, cwd: str, files: Files) -> None:
        self._cwd = cwd
        self._on_disk = files
        self._files = 0
        self._bytes = 0
        self._nodes = 0

    def shown(self, path: str) -> str:
        """The file's name in errors."""
        return display_path(path, self._cwd)

    def read(self, path: str, named_at: str = "") -> list[Source]:
        """The documents of a file. SpecError where it is empty or malformed, at `named_at` where it cannot be read.

        SpecErrors, which ends the load, where the project reads more than it may.
        """
        file = self.shown(path)
        what = f"the file {file}" if named_at else "the file"
        data = self._on_disk.content(path, MAX_BYTES, what=what, source=named_at or file)
        self._files += 1
        self._bytes += len(data)
        self._check_totals(named_at or file)
        documents = read_documents(data, file)
        self._nodes += sum(one.size for one in documents)
        self._check_totals(named_at or file)
        if not documents:
            raise SpecError(f"{what} is empty", source=named_at or file, hint=NO_SERVICES_HINT)
        return [self._source(one, file, path) for one in documents]

    def _check_totals(self, place: str) -> None:
        if self._files > MAX_FILES or self._bytes > MAX_TOTAL or self._nodes > MAX_TOTAL_NODES:
            limit = f"{MAX_FILES} files, {MAX_TOTAL // 1024 // 1024} MB or {MAX_TOTAL_NODES} nodes"
            raise SpecErrors([SpecError(f"the project reads more than {limit} of spec", source=place)])

    def _source(self, document: Document, file: str, path: str) -> Source:
        place = f"{file}:{document.line}"
        if document.value is None:
            raise SpecError("the document that begins here is empty", source=place, hint="remove it, or write {}")
        if not isinstance(document.value, Table):
            raise SpecError(f"a spec is a mapping, not {kind_of(document.value)}", source=place, hint=NO_SERVICES_HINT)
        return Source(document, document.value, file, path)


def local_path(text: str, folder: str, home: str) -> str:
    """The absolute path of a compose file that another one names; MalformedError for one that is not on this disk."""
    if text.startswith(_REMOTE):
        raise MalformedError(f"{shown(text)} is not on this disk, and is not fetched", "keep a copy beside the spec")
    if not text:
        raise MalformedError("names no file")
    return resolve_path(text, folder, home)
