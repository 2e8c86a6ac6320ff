"""The copies on disk: written before they are needed, removed when nobody needs them. `<data_dir>/<project>/<digest>`.

A copy is complete or not there, and nothing in it can be written. The folder of a project may be passed through but not
listed: who knows a digest knows what it is of.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.files.materialising import Places, binds_of
from reconciler.files.trees import Tree, entries, tree_digest
from reconciler.model.observed import Container
from reconciler.model.project import Service

_FOLDER, _FILE, _PROGRAM, _PASSAGE = 0o555, 0o444, 0o555, 0o711
_COPY = re.compile(r"[0-9a-f]{64}")
_PARTIAL = re.compile(r"\.[0-9a-f]{64}\.[0-9a-f]{16}")


class FilesError(ReconcilerError):
    """Files that containers mount cannot be copied to where they are kept."""

    code = "FilesUnwritable"


def write(trees: Iterable[Tree], places: Places) -> None:
    """Copy those that are not there yet; FilesError where that fails. A copy that is there is never touched."""
    for tree in trees:
        try:
            _write(tree, places)
        except OSError as error:
            hint = "make data_dir writable, and see that it has room"
            where = f"{places.data_dir}: {error.strerror}"
            raise FilesError(f"{tree.path} cannot be copied to {where}", source=tree.source, hint=hint) from None


def in_use(containers: Iterable[Container], services: Iterable[Service]) -> frozenset[str]:
    """The digests of the copies that these containers (in any state) or definitions mount."""
    hosts = [*(item.host_config for item in containers), *(item.container.get("HostConfig") or {} for item in services)]
    names = {Path(bind.source).name for host in hosts for bind in binds_of(host)}
    return frozenset(name for name in names if _COPY.fullmatch(name))


def collect(data_dir: str, project: str, in_use: Collection[str]) -> tuple[str, ...]:
    """Remove the copies of a project that are not in use, and what a crash left of others; their digests, sorted.

    The caller holds the project's lock. Whatever has another name is left alone. OSError where one cannot be removed.
    """
    folder = Path(data_dir, project)
    if folder.is_symlink() or not folder.is_dir():
        return ()
    names = sorted(entry.name for entry in folder.iterdir())
    gone = tuple(name for name in names if _COPY.fullmatch(name) and name not in in_use)
    for name in (*gone, *(name for name in names if _PARTIAL.fullmatch(name))):
        _remove(folder / name)
    return gone


def _write(tree: Tree, places: Places) -> None:
    target = Path(places.here(tree.project, tree.digest))
    if os.path.lexists(target):
        return
    for folder in (target.parent.parent, target.parent):
        _make_passage(folder)
    partial = target.with_name(f".{tree.digest}.{secrets.token_hex(8)}")
    try:
        _copy(tree.path, partial)
        if tree_digest(str(partial), places.key) != tree.digest:
            message = f"{tree.path} changed while it was copied"
            raise FilesError(message, source=tree.source, hint="run again")
        partial.rename(target)
        _sync(target.parent)
    finally:
        _remove(partial)


def _make_passage(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(_PASSAGE)


def _copy(path: str, to: Path) -> None:
    folders = []
    for entry in entries(path):
        copy = to / entry.name if entry.name else to
        if entry.kind == "folder":
            copy.mkdir()
            folders.append(copy)
        elif entry.kind == "link":
            copy.symlink_to(Path(entry.path).readlink())
        else:
            shutil.copyfile(entry.path, copy, follow_symlinks=False)
            copy.chmod(_PROGRAM if entry.kind == "program" else _FILE)
            _sync(copy)
    for folder in reversed(folders):
        folder.chmod(_FOLDER)
        _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        if not stat.S_ISDIR(path.lstat().st_mode):
            path.unlink()
            return
        for folder in _folders(path):
            folder.chmod(0o700)
        shutil.rmtree(path)


def _folders(path: Path) -> Iterator[Path]:
    yield path
    for parent, names, _ in os.walk(path):
        yield from (Path(parent, name) for name in names if not Path(parent, name).is_symlink())
