"""Configs, secrets and mounted files of a service: what they contain, and what of it is put into a container."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from dataclasses import dataclass, field

DEFAULT_MODE = 0o444
KEYED = "hmac:"
LARGEST_COPIED = 512 * 1024  # about what Swarm takes for a secret


@dataclass(frozen=True)
class Content:
    """What a file that a replica reads contains: part of the definition, although the container does not show it.

    `field` is where the spec names it (`volumes./etc/nginx.conf`, `configs.nginx:/etc/nginx.conf`), `digest` SHA-256 in
    hex of content and settings ("" where the file cannot be read), or `KEYED` and an HMAC of that, `origin` what
    changed, in words; `path` is where this program reads it, empty where it stands in the spec or the environment or is
    put into the container. `writable` says that a replica may be who changes it, and `changed_at` when somebody did
    last (seconds since the epoch; 0.0 where that is not known). `copy` is what is mounted in place of the file: a copy
    that never changes, by its path on the engine's machine.
    """

    field: str
    digest: str
    source: str = ""
    origin: str = ""
    path: str = ""
    writable: bool = False
    copy: str = ""
    changed_at: float = dataclasses.field(default=0.0, compare=False)

    @property
    def target(self) -> str:
        """Where the container has it: an absolute path."""
        return self.field.removeprefix("volumes.") if self.field.startswith("volumes.") else self.field.split(":", 1)[1]


@dataclass(frozen=True)
class CopiedFile:
    """A config or secret to be put into a container before its first start, with mode and owner.

    `content` is text, or base64 of what is none (`binary`). `encrypted` says that it stood encrypted in its file, and
    is to stand in clear on no disk of ours.
    """

    path: str
    content: str = field(repr=False)
    mode: int = DEFAULT_MODE
    uid: int = 0
    gid: int = 0
    binary: bool = False
    encrypted: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 in hex of content and settings."""
        settings = f"{self.path} {self.uid} {self.gid} {self.mode:o}"
        return hashlib.sha256(settings.encode() + b"\0" + self.data).hexdigest()

    @property
    def data(self) -> bytes:
        """What stands in the container's file."""
        return base64.b64decode(self.content) if self.binary else self.content.encode(errors="surrogateescape")


@dataclass(frozen=True)
class FileReference:
    """A config or secret of `file:`, mounted from `path`: what it is called (`secrets.db`), and where it goes.

    Mode and owner (as written: numbers, or names that mean nothing here) hold where it is copied in instead.
    """

    name: str
    path: str
    target: str
    mode: int = DEFAULT_MODE
    uid: str = "0"
    gid: str = "0"

    @property
    def unknown_owner(self) -> str:
        """The key of an owner that is no number, "" where both are."""
        return next((key for key in ("uid", "gid") if not getattr(self, key).isdecimal()), "")

    def copied(self, data: bytes, *, encrypted: bool = False) -> CopiedFile:
        """The file that is put into a container in its place; not where an owner is unknown."""
        try:
            text, binary = data.decode(), False
        except UnicodeDecodeError:
            text, binary = base64.b64encode(data).decode(), True
        return CopiedFile(self.target, text, self.mode, int(self.uid), int(self.gid), binary, encrypted)
