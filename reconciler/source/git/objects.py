"""Git's objects of a source: fetched one commit deep, within bounds, and never checked out in place.

A fetch that was not ended in order (a kill, a crash, a full disk) leaves a mark; the next one then begins with nothing,
so that no half of a pack and no forgotten lock is ever met again. So does one that finds many packs.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from reconciler.errors import SourceError
from reconciler.model.settings import GitSource
from reconciler.source.git.access import Access
from reconciler.source.git.command import Git

MOST_PACKS = 50
_FOLLOWED = "refs/reconciler/followed"
_ATTRIBUTES = "* -text !eol -ident !filter !working-tree-encoding\n"  # files as they were committed, byte for byte
_SHA256 = 64


class Objects:
    """The object store of one source below `folder`."""

    def __init__(self, settings: GitSource, folder: Path, git: Git) -> None:
        self._settings = settings
        self._git = git
        self._mark = folder / "fetching"
        self._stores = folder / "objects"

    def fetch(self, wanted: str, url: str, access: Access) -> str:
        """The folder of a store (a GIT_DIR) that has the object and all that its files are made of.

        SourceError where it cannot be had, or where what came with it is more than the source may have.
        """
        store = self._store(wanted)
        before = _size(store)
        most = self._settings.max_bytes
        what = f"+{wanted}:{_FOLLOWED}"
        flags = ("--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
        self._mark.touch()
        try:
            self._git.run(
                *(f"--git-dir={store}", "fetch", *flags, "--no-recurse-submodules", "--no-show-forced-updates"),
                *("--", url, what),
                access=access,
                guard=lambda: _size(store) - before <= most,
            )
        except SourceError:
            self.discard()
            raise
        self._mark.unlink()
        return str(store)

    def discard(self) -> None:
        """Remove all objects: the next fetch begins with nothing."""
        shutil.rmtree(self._stores, ignore_errors=True)
        self._mark.unlink(missing_ok=True)

    def _store(self, wanted: str) -> Path:
        form = "sha256" if len(wanted) == _SHA256 else "sha1"
        store = self._stores / f"{form}.git"
        if self._mark.exists() or _size(store) > self._settings.max_bytes or _packs(store) > MOST_PACKS:
            self.discard()
        if not (store / "info" / "attributes").exists():
            self.discard()
            self._stores.mkdir(mode=0o700)
            self._git.run("init", "--quiet", "--bare", "--template=", f"--object-format={form}", "--", str(store))
            (store / "info").mkdir(exist_ok=True)
            (store / "info" / "attributes").write_text(_ATTRIBUTES)
        return store


def _packs(store: Path) -> int:
    return sum(1 for _ in store.glob("objects/pack/*.pack"))


def _size(store: Path) -> int:
    """The bytes of all packs, also of those that are still coming in."""
    total = 0
    for path in store.glob("objects/pack/*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue  # git has just given it its final name
    return total
