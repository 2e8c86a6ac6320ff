"""Files that stand encrypted in a repository (the format of age-encryption.org/v1), decrypted in memory.

The arithmetic is pyrage's, an extra, which is asked for only where something is encrypted.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reconciler.errors import SettingsError
from reconciler.keyfiles import read_key_file

if TYPE_CHECKING:
    from reconciler.model.project import Notice

SETTING = "RECONCILER_AGE_IDENTITY_FILE"
BINARY = b"age-encryption.org/v1\n"
ARMORED = b"-----BEGIN AGE ENCRYPTED FILE-----"
LONGEST_MARK = max(len(BINARY), len(ARMORED))
_NATIVE = "AGE-SECRET-KEY-1"
_OPENSSH = (b"-----BEGIN OPENSSH PRIVATE KEY-----", b"-----END OPENSSH PRIVATE KEY-----")
_MAGIC = b"openssh-key-v1\0"
_WHAT = "age-keygen makes one; a key of OpenSSH must be without a passphrase"
_INSTALL = "install reconciler with its extra `age`: pip install 'reconciler[age]'"


class AgeError(Exception):
    """Something cannot be decrypted: why, and what to do; nothing of what it holds. `keyless`: for want of a key."""

    def __init__(self, message: str, hint: str | None = None, *, keyless: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.keyless = keyless


def is_encrypted(data: bytes) -> bool:
    """Whether a file that begins so is encrypted by age, binary or armored."""
    return data.startswith((BINARY, ARMORED))


class Keyring:
    """The identities (X25519, or one private key of OpenSSH) of a file, read when the first of them is needed."""

    def __init__(self, identity_file: str = "", place: str = "") -> None:
        self._file = identity_file
        self._place = place
        self._identities: Sequence[Any] | None = None
        self._recipients: Sequence[Any] = ()
        self.notices: tuple[Notice, ...] = ()

    def decrypt(self, data: bytes) -> bytes:
        """What was encrypted. AgeError where it cannot be decrypted, SettingsError where the identities are none."""
        pyrage = _pyrage()
        if not self._file:
            hint = f"name the file of its identity with {SETTING}"
            raise AgeError("is encrypted with age, and there is no identity to decrypt it with", hint, keyless=True)
        if self._identities is None:
            self._identities = self._read(pyrage)
        try:
            plain: bytes = pyrage.decrypt(data, self._identities)
        except pyrage.DecryptError as error:
            if "matching keys" in str(error):
                hint = f"encrypt it to the recipient of {self._file} too"
                raise AgeError("is encrypted with age, to none of our identities", hint) from None
            raise AgeError("is encrypted with age, and damaged", "encrypt it anew") from None
        return plain

    def seal(self, text: str) -> str:
        """The text encrypted to our own identities, armored: what `decrypt` takes. SettingsError where they cannot."""
        pyrage = _pyrage()
        if self._identities is None:
            self._identities = self._read(pyrage)
        found: bytes = pyrage.encrypt(text.encode(errors="surrogateescape"), self._recipients, armored=True)
        return found.decode()

    def _read(self, pyrage: Any) -> Sequence[Any]:
        data, self.notices = read_key_file(self._file, "age_identity_file", self._place)
        try:
            found, self._recipients = _identities(pyrage, data)
        except (pyrage.IdentityError, pyrage.RecipientError, ValueError):
            found = []
        if found:
            return found
        message = f"age_identity_file: {self._file} holds no identity of age"
        raise SettingsError(message, source=self._place or None, hint=_WHAT)


def _identities(pyrage: Any, data: bytes) -> tuple[list[Any], list[Any]]:
    """The identities of the file, and whom to encrypt for so that they decrypt it."""
    if _OPENSSH[0] in data:
        recipient = pyrage.ssh.Recipient.from_str(_public_key(data))
        return [pyrage.ssh.Identity.from_buffer(data)], [recipient]
    lines = (line.strip() for line in data.decode().splitlines())
    found = [pyrage.x25519.Identity.from_str(line) for line in lines if line.startswith(_NATIVE)]
    return found, [identity.to_public() for identity in found]


def _public_key(data: bytes) -> str:
    """The public key of a private one, as `authorized_keys` writes it; ValueError where the file is none.

    OpenSSH, PROTOCOL.key: a magic word, the names of cipher and key derivation, its options, the number of keys, and
    the first public key; texts are preceded by their length in four bytes.
    """
    text = data.partition(_OPENSSH[0])[2].partition(_OPENSSH[1])[0]
    rest = base64.b64decode(text).removeprefix(_MAGIC)
    for _ in ("cipher", "derivation", "options"):
        rest = _field(rest)[1]
    blob = _field(rest[4:])[0]
    return f"{_field(blob)[0].decode()} {base64.b64encode(blob).decode()}"


def _field(data: bytes) -> tuple[bytes, bytes]:
    end = 4 + int.from_bytes(data[:4])
    return data[4:end], data[end:]


def _pyrage() -> Any:
    try:
        import pyrage  # type: ignore[import-untyped]
    except ImportError:
        message = "is encrypted with age, and nothing is installed that decrypts it"
        raise AgeError(message, _INSTALL, keyless=True) from None
    return pyrage
