"""Files encrypted by age, as a user's tool writes them, and the identities that decrypt them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pyrage  # type: ignore[import-untyped]


def identity(folder: Path, name: str = "key.txt") -> Path:
    """A file with a new identity, as age-keygen writes it."""
    made, path = pyrage.x25519.Identity.generate(), folder / name
    path.write_text(f"# created: today\n# public key: {made.to_public()}\n{made}\n")
    path.chmod(0o600)
    return path


def ssh_identity(folder: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A new private key of OpenSSH."""
    path = folder / f"id_{kind}"
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "a test", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def encrypt(text: str | bytes, key: Path, *, armored: bool = True) -> bytes:
    """The text, encrypted to who has that identity."""
    data = text.encode() if isinstance(text, str) else text
    public = key.with_suffix(".pub")
    if public.exists():
        recipient = pyrage.ssh.Recipient.from_str(public.read_text().strip())
    else:
        line = next(line for line in key.read_text().splitlines() if line.startswith("AGE-SECRET-KEY"))
        recipient = pyrage.x25519.Identity.from_str(line).to_public()
    found: bytes = pyrage.encrypt(data, [recipient], armored=armored)
    return found
