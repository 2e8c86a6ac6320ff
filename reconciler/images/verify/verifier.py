"""Whether one of the keys signed an image: bundles first, then the older signatures, as cosign 3 looks for them.

Called for a digest that nobody verified yet; the caller keeps what runs where this raises. Nothing but the image's own
registry is asked: no transparency log, no certificates.
"""

from __future__ import annotations

from reconciler.errors import SignatureError
from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.digests import is_digest
from reconciler.images.registry.names import locate
from reconciler.images.verify.outcome import Verified
from reconciler.images.verify.subject import Subject
from reconciler.model.project import PublicKey
from reconciler.model.references import parse_reference


def verify(client: RegistryClient, reference: str, digest: str, keys: tuple[PublicKey, ...]) -> Verified:
    """The first signature by any of the keys that passes for the image with that digest in the reference's repository.

    `digest` is what the tag names: of an image for several platforms the index, whose signature covers them all.
    SignatureError where no signature passes, a key cannot be used or the extra `verify` is not installed. RegistryError
    where none that could be fetched passes and others could not: nothing is known then.
    """
    source = parse_reference(reference).pinned(digest)
    if not is_digest(digest) or not digest.startswith("sha256:"):
        hint = "deploy the image by its sha256 digest"
        raise SignatureError("cosign signs no such digest", reason="SignatureMissing", source=source, hint=hint)
    subject = Subject(locate(reference), digest, source)
    try:
        from reconciler.images.verify.search import search
    except ImportError as error:  # cryptography, which is an extra
        message, hint = f"signatures cannot be verified: {error}", "install the extra: pip install 'reconciler[verify]'"
        raise SignatureError(message, reason="VerifierMissing", source=source, hint=hint) from error
    return search(client, subject, keys)
