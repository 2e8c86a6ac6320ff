"""A repository as a source: asked for its ref, fetched where that moved, checked, checked out, put in force.

The service calls `fetch` in a thread of the source's own. It always returns: every git command has its `timeout`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.errors import SourceError
from reconciler.model.project import Notice
from reconciler.model.revision import SHORT, Revision
from reconciler.model.settings import GitSource
from reconciler.source.checkout import Checkout
from reconciler.source.git.access import Access, access_to
from reconciler.source.git.address import Address, address_of
from reconciler.source.git.checkouts import FILES, Checkouts, Record
from reconciler.source.git.command import Git
from reconciler.source.git.failures import unanswered
from reconciler.source.git.objects import Objects
from reconciler.source.git.refs import Target, asked_for, checked, chosen, parsed
from reconciler.source.git.signatures import Signatures
from reconciler.source.git.tree import inspected, notices

_FORMAT = "%H%x00%an%x00%ae%x00%ct%x00%s"
_LONGEST = 200
_LASTING = ("SourceInvalid", "SourceTooLarge", "SourceUnsigned")  # true of an object for as long as it is the same


class GitRepository:
    """A repository that is followed. `folder` is this source's own in the data directory; it is made where missing."""

    def __init__(self, settings: GitSource, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._git = Git(settings, folder)
        self._objects = Objects(settings, folder, self._git)
        self._checkouts = Checkouts(folder, settings.name)
        self._signatures = Signatures(self._git, settings.signed_by, folder) if settings.signed_by else None
        self._fetching = threading.Lock()
        self._last: Checkout | None = None
        self._refused: tuple[Target, str, SourceError] | None = None

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._settings.name

    def kept(self) -> Checkout | None:
        """The checkout that was good last, from disk alone; None where there was none yet, or its files are gone."""
        record = self._checkouts.current()
        return None if record is None else self._same(record)

    def kept_at(self, commit: str) -> Checkout | None:
        """An earlier checkout that `keep` left, None where it is not there."""
        record = self._checkouts.at(commit)
        return None if record is None else self._checkout(record)

    def keep(self, commits: frozenset[str]) -> None:
        """Remove the checkouts of other commits than these and the last good one."""
        self._checkouts.keep(commits)

    def stop(self) -> None:
        """End a fetch that runs in another thread, within a moment: it ends with a SourceError; later ones too."""
        self._git.stopped.set()

    def fetch(self) -> Checkout:
        """What the ref leads to now, checked out; the same object as before where it leads to the same.

        Only the ref is asked for where nothing moved. SourceError where the repository cannot be read, or what it has
        may not be used: then what was good last stays in force (`kept`).
        """
        try:
            with self._alone():
                return self._same(self._fetch())
        except OSError as error:
            message = f"the source's folder cannot be used: {error.strerror or error}"
            hint = f"see that {self._folder} is writable and has room"
            raise unanswered(message, self._git.place, hint) from None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One fetch at a time, also among processes. SourceError where another one is at it."""
        with self._fetching:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                self._lock(descriptor)
                yield
            finally:
                os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"another process uses the folder {self._folder}"
            raise unanswered(message, self._git.place, "give each service its own data_dir") from None

    def _fetch(self) -> Record:
        checked(self._settings.ref, self._git.place)
        address = address_of(self._settings)
        basis = self._basis()
        record = self._checkouts.current()
        if record is not None and record.basis == basis and self._settings.ref.kind == "commit":
            return record
        access = access_to(self._settings, address)
        target = self._target(address, access)
        if record is not None and (record.basis, record.object) == (basis, target.object):
            return record
        self._raise_refused(target, basis)
        try:
            return self._taken(target, address, access, basis)
        except SourceError as error:
            if error.reason in _LASTING and (target.listed or error.reason != "SourceInvalid"):
                self._refused = (target, basis, error)
            raise

    def _raise_refused(self, target: Target, basis: str) -> None:
        """What was refused once is not fetched again until it, or the settings, are others."""
        if self._refused and self._refused[:2] == (target, basis):
            error = self._refused[2]
            raise SourceError(error.message, reason=error.reason, source=error.source, hint=error.hint)

    def _target(self, address: Address, access: Access) -> Target:
        ref = self._settings.ref
        if ref.kind == "commit":
            return Target(ref.value, ref.value[:SHORT], listed=False)
        flag, *names = asked_for(ref)
        listing = self._git.run("ls-remote", "--quiet", flag, "--", address.url, *names, access=access)
        return chosen(ref, parsed(listing), self._git.place)

    def _taken(self, target: Target, address: Address, access: Access, basis: str) -> Record:
        """The target, fetched, checked and put in force."""
        before = self._checkouts.current()
        store = self._objects.fetch(target.object, address.url, access)
        revision = self._revision(store, target)
        if self._signatures:
            self._signatures.check(store, target, revision)
        listing = self._git.run(f"--git-dir={store}", "ls-tree", "-r", "-z", "-l", "--full-tree", revision.commit)
        found = inspected(listing, self._settings, self._git.place)
        said = (*notices(found, self._git.place), *self._moved_back(before, revision, basis))
        record = Record(revision, target.object, basis, said)
        self._put_in_force(store, record)
        return record

    def _revision(self, store: str, target: Target) -> Revision:
        what = f"{target.object}^{{commit}}"
        shape = ("-1", "--encoding=UTF-8", f"--format={_FORMAT}")
        said = self._git.run(f"--git-dir={store}", "log", *shape, what, "--")
        commit, author, mail, at, subject = said.decode("utf-8", "replace").rstrip("\n").split("\0", 4)
        return Revision(self.name, commit, f"{_plain(author)} <{_plain(mail)}>", _plain(subject), float(at), target.ref)

    def _put_in_force(self, store: str, record: Record) -> None:
        there = self._checkouts.path(record.revision.commit)
        if there.is_dir():
            self._find_specs(there)
        if not self._checkouts.resume(record):
            made = self._checkouts.new()
            self._check_out(store, record.revision.commit, made)
            self._find_specs(made / FILES)
            self._checkouts.place(made, record)

    def _check_out(self, store: str, commit: str, made: Path) -> None:
        places = {"GIT_INDEX_FILE": str(made / "index"), "GIT_WORK_TREE": str(made / FILES)}
        self._git.run(f"--git-dir={store}", "read-tree", commit, variables=places)
        self._git.run(f"--git-dir={store}", "checkout-index", "--all", "--quiet", variables=places)

    def _find_specs(self, root: Path) -> None:
        """SourceError where the folder of the specs is not there, or not inside."""
        real = (root / self._settings.subdir).resolve()
        if not real.is_relative_to(root.resolve()) or not real.is_dir():
            message = f"the commit has no folder {self._settings.subdir!r}"
            raise SourceError(message, reason="SourceInvalid", source=self._git.place, hint="check subdir")

    def _moved_back(self, before: Record | None, revision: Revision, basis: str) -> tuple[Notice, ...]:
        """A word where the ref leads to something older than before: history is not fetched, so the time has to do."""
        if before is None or before.basis != basis or before.revision.at <= revision.at:
            return ()
        message = f"{revision.ref} ({revision.short}) is older than {before.revision.short}, which was followed before"
        return (Notice("RefWentBack", message, self._git.place),)

    def _same(self, record: Record) -> Checkout:
        """The record as others see it; the same object for as long as it says the same."""
        made = self._checkout(record)
        if made != self._last:
            self._last = made
        return self._last

    def _checkout(self, record: Record) -> Checkout:
        root = self._checkouts.path(record.revision.commit)
        folder = os.path.normpath(root / self._settings.subdir)
        files = (folder,) if self._settings.subdir else ()
        return Checkout(str(root), folder, record.revision, files, confined=True, notices=record.notices)

    def _basis(self) -> str:
        """A digest of what decides whether an object is good: with other settings it has to be checked anew."""
        settings, ref = self._settings, self._settings.ref
        signed = self._signatures.fingerprint if self._signatures else ""
        parts = [settings.url, ref.kind, ref.value, settings.subdir, settings.max_bytes, signed]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _plain(text: str) -> str:
    """The text without control and direction characters, at most 200 long."""
    return "".join(letter for letter in text if not unicodedata.category(letter).startswith("C"))[:_LONGEST]
