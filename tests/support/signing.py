"""Keys of people who sign commits, made by gpg and ssh-keygen, and commits and tags that they signed."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.git_server import AT, Repository

if TYPE_CHECKING:
    from pathlib import Path

ADA = "Ada Example <ada@example.com>"


@dataclass(frozen=True)
class Signer:
    """Somebody with a key: what git is configured with so that it signs, and the file that others know them by."""

    config: tuple[str, ...]
    keys: Path
    home: Path

    def signed_commit(self, repository: Repository, parent: str) -> str:
        """A commit like its parent, signed and on main."""
        tree = f"{parent}^{{tree}}"
        made = self._git(repository, "commit-tree", "-S", "-m", "Signed", tree)
        repository.git("update-ref", "refs/heads/main", made)
        return made

    def signed_tag(self, repository: Repository, name: str, commit: str) -> str:
        """A signed tag; its object name."""
        self._git(repository, "tag", "-s", "-m", name, name, commit)
        return repository.git("rev-parse", f"refs/tags/{name}")

    def _git(self, repository: Repository, *arguments: str) -> str:
        options = [part for setting in self.config for part in ("-c", setting)]
        who = {f"GIT_{role}_{part}": text for role in ("AUTHOR", "COMMITTER") for part, text in _WHO.items()}
        return repository.git(*options, *arguments, variables={"GNUPGHOME": str(self.home), **who})


_WHO = {"NAME": "Ada Example", "EMAIL": "ada@example.com", "DATE": f"{AT} +0000"}


def ssh_signer(folder: Path) -> Signer:
    """Somebody with an ssh key; `keys` is an allowed_signers file."""
    folder.mkdir()
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = key.with_suffix(".pub").read_text().split()
    allowed = folder / "allowed_signers"
    allowed.write_text(f'ada@example.com namespaces="git" {public[0]} {public[1]}\n')
    return Signer(("gpg.format=ssh", f"user.signingKey={key}"), allowed, folder)


class Gpg:
    """A key ring of its own, whose agent ends with `close`."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        folder.mkdir(mode=0o700)

    def run(self, *arguments: str) -> bytes:
        """What gpg prints."""
        command = ["gpg", "--homedir", str(self.home), "--batch", "--no-tty", "--quiet", "--passphrase", "", *arguments]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        done = subprocess.run(command, capture_output=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def signer(self, who: str, *more: str) -> Signer:
        """Somebody with a new key; `keys` is its armored public part."""
        self.run(*more, "--quick-generate-key", who, "ed25519", "sign", "never")
        return self.exported(who)

    def exported(self, who: str) -> Signer:
        """Somebody whose key is in the ring."""
        keys = self.home / f"{who.partition(' ')[0]}.asc"
        keys.write_bytes(self.run("--armor", "--export", who))
        return Signer((f"user.signingKey={who}",), keys, self.home)

    def close(self) -> None:
        """End the agent, and remove the ring."""
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False, capture_output=True)
        shutil.rmtree(self.home, ignore_errors=True)
