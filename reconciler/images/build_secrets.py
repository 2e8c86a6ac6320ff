"""The secrets of a build: what they contain, and what the content key may say about it. For `build_key` and `engine`.

A key stands on images that others can pull, and is to be the same on every machine, so there is no key of our own to
keep. The hash of a secret is slow instead (scrypt, salted with all else that the build reads): whoever guesses pays for
each guess and each build anew. A secret that few guesses find is not safe even so.
"""

from __future__ import annotations

import hashlib

from reconciler.errors import SpecError
from reconciler.images.context import text_file
from reconciler.model.project import BuildSecret

LARGEST = 500 * 1024  # what BuildKit takes
LARGEST_VARIABLE = 100 * 1024  # Linux passes no variable of 128 kB on to another program
_COST = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}


def secret_content(secret: BuildSecret) -> bytes:
    """What the build gets to see. SpecError, which names no content, where the file cannot be read or is too large."""
    content = _file_content(secret) if secret.file else secret.content.encode(errors="surrogateescape")
    place, limit = (f"the file {secret.file}", LARGEST) if secret.file else ("its variable", LARGEST_VARIABLE)
    if len(content) > limit:
        raise _unusable(secret, f"{place} is larger than {limit // 1024} kB")
    return content


def secret_hash(secret: BuildSecret, salt: bytes) -> str:
    """64 hex digits that change with the content, and from which guessing it is slow."""
    return hashlib.scrypt(secret_content(secret), salt=salt, **_COST).hex()


def _file_content(secret: BuildSecret) -> bytes:
    try:
        return text_file(secret.file)
    except OSError as error:
        raise _unusable(secret, f"the file {secret.file} cannot be read: {error.strerror}") from error


def _unusable(secret: BuildSecret, reason: str) -> SpecError:
    hint = "build.secrets are given to the build as they are"
    return SpecError(f"the secret {secret.id} of the build: {reason}", hint=hint, code="BuildSecretUnreadable")
