"""Files that a spec names and that stand encrypted in its repository: decrypted in memory, or told why they are not."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from reconciler.age import LONGEST_MARK, AgeError, Keyring, is_encrypted
from reconciler.errors import SpecError
from reconciler.model.files import LARGEST_COPIED
from reconciler.model.project import Notice
from reconciler.spec.file_references import SECTIONS
from reconciler.spec.files import display_path, file_mode
from reconciler.spec.nodes import Table, source_text

LARGEST = 1024 * 1024
UNDECRYPTED = "NotDecrypted"


class Decrypting:
    """What decrypts for one load. `optional` says that a file whose key is missing is told of, and empty."""

    def __init__(self, keyring: Keyring, *, optional: bool) -> None:
        self._keyring = keyring
        self._optional = optional
        self.notices: list[Notice] = []

    def plain(self, data: bytes, what: str, source: str) -> bytes:
        """What the file holds. SpecError at `source`, calling it `what`, where it cannot be decrypted."""
        try:
            return self._keyring.decrypt(data)
        except AgeError as error:
            if not (error.keyless and self._optional):
                raise SpecError(f"{what} {error.message}", source=source, hint=error.hint) from None
            hint = f" ({error.hint})" if error.hint else ""
            self.notices.append(Notice(UNDECRYPTED, f"{what} {error.message}: it is not looked into{hint}", source))
            return b""

    def files(self, document: Table, cwd: str) -> tuple[dict[str, bytes], list[SpecError]]:
        """What those configs and secrets of the document hold whose files are encrypted, by path, and what is wrong."""
        found: dict[str, bytes] = {}
        errors: list[SpecError] = []
        for name, path, source in _named(document):
            what = f"{name}.file: {display_path(path, cwd)}"
            try:
                if path not in found and begins_encrypted(path):
                    found[path] = self._bounded(path, what, source)
            except SpecError as error:
                errors.append(error)
        return found, errors

    def _bounded(self, path: str, what: str, source: str) -> bytes:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST + 1)
        plain = self.plain(data, what, source) if len(data) <= LARGEST else b""
        if len(data) > LARGEST or len(plain) > LARGEST_COPIED:
            message = f"{what} holds more than {LARGEST_COPIED // 1024} kB"
            raise SpecError(message, source=source, hint="that is the most that is copied into a container")
        return plain


def begins_encrypted(path: str) -> bool:
    """Whether there is a regular file that begins as age's do; whoever needs another one says what is wrong with it."""
    if not stat.S_ISREG(file_mode(path) or 0):
        return False
    try:
        with Path(path).open("rb") as file:
            return is_encrypted(file.read(LONGEST_MARK))
    except OSError:
        return False


def hidden(document: Mapping[str, object], names: Mapping[str, frozenset[str]], shown: str) -> dict[str, object]:
    """The document with `shown` in place of the variables that stood encrypted, by service."""
    services = document.get("services")
    if not isinstance(services, dict):
        return dict(document)
    return {**document, "services": {key: _without(entry, names.get(key), shown) for key, entry in services.items()}}


def _without(service: dict[str, object], names: frozenset[str] | None, shown: str) -> dict[str, object]:
    variables = service.get("environment")
    if not names or not isinstance(variables, dict):
        return service
    return {**service, "environment": {key: shown if key in names else value for key, value in variables.items()}}


def _named(document: Table) -> Iterator[tuple[str, str, str]]:
    """Name, path and `file:line` of each config and secret of `file:`."""
    for kind in SECTIONS:
        for name, definition in (document.get(kind) or Table()).items():
            if isinstance(definition.get("file"), str):
                yield f"{kind}.{name}", definition["file"], source_text(definition.mark("file"))
