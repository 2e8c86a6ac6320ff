"""Whether somebody who may has signed a commit, or the annotated tag that leads to it.

git finds the signature and has gpg or ssh-keygen check it; here their verdict is read line by line. What is not
clearly good is refused.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import SourceError
from reconciler.model.revision import Revision
from reconciler.model.settings import SignedBy
from reconciler.source.git.access import Access
from reconciler.source.git.command import Git
from reconciler.source.git.failures import unanswered
from reconciler.source.git.process import Bounds, Finished, run
from reconciler.source.git.refs import Target

_MOST = 4 * 1024 * 1024
_GPG_CONF = "batch\nno-tty\nno-autostart\ntrust-model always\nno-auto-key-retrieve\nno-auto-key-locate\n"
_STATUS = re.compile(rb"^\[GNUPG:\] ([A-Z_]+) ?(.*)$", re.MULTILINE)
_BAD = {
    "BADSIG": "its signature does not fit it",
    "ERRSIG": "it was signed with a key that is not in keys_file",
    "EXPSIG": "its signature has expired",
    "EXPKEYSIG": "the key that signed it has expired",
    "REVKEYSIG": "the key that signed it was revoked",
}
_GOOD_SSH = re.compile(rb'^Good "git" signature for \S+', re.MULTILINE)
_PRIMARY = 9  # VALIDSIG's last field, the fingerprint of the primary key (GnuPG doc/DETAILS)


@dataclass(frozen=True)
class Signatures:
    """Checks what `signed_by` demands; `folder` is where it may put what gpg needs."""

    git: Git
    signed_by: SignedBy
    folder: Path

    @property
    def fingerprint(self) -> str:
        """A digest of whose signatures count: what was checked before holds only as long as this stays."""
        return f"{self.signed_by.method}:{hashlib.sha256(self._keys()).hexdigest()}"

    def check(self, store: str, target: Target, revision: Revision) -> None:
        """SourceError (SourceUnsigned) unless the commit, or the annotated tag that was followed to it, is signed."""
        faults = []
        with self._checker() as checker:
            if target.tag and target.object != revision.commit and self._is_named(store, target):
                faults.append(checker.fault(store, "verify-tag", target.object))
            if not faults or faults[0]:
                faults.append(checker.fault(store, "verify-commit", revision.commit))
        if faults[-1]:
            raise self._unsigned(revision, faults[-1])

    def _is_named(self, store: str, target: Target) -> bool:
        """Whether the tag's own text has the name that it was found by: an old tag must not pass for a new one."""
        text = self.git.run(f"--git-dir={store}", "cat-file", "tag", target.object)
        return f"tag {target.ref}".encode() in text.partition(b"\n\n")[0].splitlines()

    @contextmanager
    def _checker(self) -> Iterator[_Checker]:
        """Everything that git needs for the length of one check."""
        home = self.folder / "keys"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(mode=0o700)
        try:
            yield self._ssh() if self.signed_by.method == "ssh" else self._gpg(home)
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def _ssh(self) -> _Checker:
        self._keys()
        config = (("gpg.program", "false"), ("gpg.ssh.allowedSignersFile", self.signed_by.keys_file))
        return _Checker(self.git, (*config, ("gpg.x509.program", "false")), "", frozenset())

    def _gpg(self, home: Path) -> _Checker:
        (home / "gpg.conf").write_text(_GPG_CONF)
        (home / "keys").write_bytes(self._keys())
        fingerprints = self._imported(home)
        config = (("gpg.ssh.program", "false"), ("gpg.x509.program", "false"))
        return _Checker(self.git, config, str(home), fingerprints)

    def _imported(self, home: Path) -> frozenset[str]:
        program = shutil.which("gpg")
        if program is None:
            hint = "install GnuPG, or let commits be signed with ssh keys"
            raise unanswered("gpg is not installed", self.git.place, hint)
        command = (program, "--homedir", str(home), "--status-fd", "1", "--import", str(home / "keys"))
        bounds = Bounds(30.0, _MOST, _MOST, 256 * _MOST)
        done = run(command, {"HOME": str(home), "LC_ALL": "C"}, home, bounds)
        found = _STATUS.findall(done.out)
        imported = frozenset(rest.split()[1].decode() for word, rest in found if word == b"IMPORT_OK")
        if not imported:
            message = f"keys_file {self.signed_by.keys_file} holds no OpenPGP key that can be read"
            raise self._unusable(message, "export them with gpg --armor --export")
        return imported

    def _keys(self) -> bytes:
        try:
            keys = Path(self.signed_by.keys_file).read_bytes()
        except OSError as error:
            message = f"keys_file {self.signed_by.keys_file} cannot be read: {error.strerror}"
            raise self._unusable(message, "nothing is deployed that cannot be checked") from None
        if not keys.strip():
            raise self._unusable(f"keys_file {self.signed_by.keys_file} is empty", "put the keys that count into it")
        return keys

    def _unusable(self, message: str, hint: str) -> SourceError:
        return SourceError(message, reason="SourceInvalid", source=self.git.place, hint=hint)

    def _unsigned(self, revision: Revision, fault: str) -> SourceError:
        message = f"commit {revision.short} by {revision.author} is not deployed: {fault}"
        hint = (
            f"sign it with a key of {self.signed_by.keys_file} (git commit --amend -S), or add the signer's key there"
        )
        return SourceError(message, reason="SourceUnsigned", source=self.git.place, hint=hint)


@dataclass(frozen=True)
class _Checker:
    """git with the programs and keys of one method."""

    git: Git
    config: tuple[tuple[str, str], ...]
    gpg_home: str
    fingerprints: frozenset[str]

    def fault(self, store: str, command: str, name: str) -> str:
        """What is wrong with the object's signature, "" where it is good."""
        variables = {"GNUPGHOME": self.gpg_home} if self.gpg_home else {}
        config = (*self.config, ("gpg.minTrustLevel", "fully"))
        done = self.git.attempt(
            f"--git-dir={store}", command, "--raw", name, access=Access(), config=config, variables=variables
        )
        return _gpg_fault(done, self.fingerprints) if self.gpg_home else _ssh_fault(done)


def _ssh_fault(done: Finished) -> str:
    if done.good and len(_GOOD_SSH.findall(done.err)) == 1:
        return ""
    return "it has no ssh signature, or one by nobody who is in keys_file"


def _gpg_fault(done: Finished, fingerprints: frozenset[str]) -> str:
    status = [(word.decode(), rest.split()) for word, rest in _STATUS.findall(done.err)]
    words = [word for word, _ in status]
    bad = next((_BAD[word] for word in words if word in _BAD), None)
    if bad:
        return bad
    valid = [fields[_PRIMARY].decode() for word, fields in status if word == "VALIDSIG" and len(fields) > _PRIMARY]
    if done.good and words.count("GOODSIG") == 1 and len(valid) == 1 and valid[0] in fingerprints:
        return ""
    return "it has no OpenPGP signature" if not words else "its signature cannot be read"
