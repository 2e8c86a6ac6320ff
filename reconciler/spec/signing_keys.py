"""The public keys that `x-reconcile.image.verify` names: read, and told from what is none.

Whether a key is sound is found out by whoever verifies with it.
"""

from __future__ import annotations

import binascii
import re

from reconciler.errors import SpecError
from reconciler.spec.files import Files, display_path
from reconciler.spec.image_rules import KEYS
from reconciler.spec.nodes import Items, MalformedError, Table, path_text, source_text
from reconciler.spec.sites import sites

LARGEST = 16 * 1024
_PUBLIC = re.compile(rb"-----BEGIN PUBLIC KEY-----\s([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----", re.ASCII)
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,60})-----")
_SEQUENCE = 0x30  # what a SubjectPublicKeyInfo begins with (RFC 5280, 4.1)
_HINT = "cosign public-key, or openssl pkey -pubout, writes one"


def read_keys(document: Table, files: Files, cwd: str) -> tuple[dict[str, str], list[SpecError]]:
    """The PEM of each key that services name, by its absolute path, and the errors of those that are none."""
    found: dict[str, str] = {}
    errors: list[SpecError] = []
    for site in sites(document):
        paths = site.section(*KEYS[:-1]).get("keys") or Items()
        for index, (path, mark) in enumerate(paths.marked()):
            place = path_text(("services", site.name, *KEYS, index))
            try:
                found[path] = _read(path, files, f"{place}: {display_path(path, cwd)}", source_text(mark))
            except SpecError as error:
                errors.append(error)
    return found, errors


def _read(path: str, files: Files, what: str, source: str) -> str:
    data = files.content(path, LARGEST, what=what, source=source, hint="create it, or correct the path")
    try:
        return _public_key(data)
    except MalformedError as error:
        raise SpecError(f"{what} {error}", source=source, hint=error.hint) from None


def _public_key(data: bytes) -> str:
    """The key's own lines, without what stands around them. Nothing of the file is part of an error."""
    kinds = [kind.decode() for kind in _BEGIN.findall(data)]
    if any(kind.endswith("PRIVATE KEY") for kind in kinds):
        raise MalformedError("is a private key: it signs, and has no place here", f"name its public key: {_HINT}")
    if len(data) > LARGEST:
        raise MalformedError(f"is larger than {LARGEST // 1024} kB: that is no key", _HINT)
    if len(kinds) > 1:
        raise MalformedError("holds more than one key", "write each into a file of its own")
    block = _PUBLIC.search(data)
    if block is None or not _is_sequence(block[1]):
        raise MalformedError("is no public key in PEM", _HINT)
    return f"{block[0].decode()}\n"


def _is_sequence(text: bytes) -> bool:
    try:
        return binascii.a2b_base64(b"".join(text.split()), strict_mode=True)[:1] == bytes([_SEQUENCE])
    except binascii.Error:
        return False
