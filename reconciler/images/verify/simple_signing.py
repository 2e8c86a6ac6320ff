"""Signatures as cosign up to 2 writes them: layers of an image under a tag, each a payload with its signature beside.

What passing proves: the key's owner signed this digest for this repository. The payload's format is Red Hat's "simple
signing"; cosign itself does not look at the repository, we do, or a signature could be moved to another one.
"""

from __future__ import annotations

from typing import Any

from reconciler.errors import RegistryError
from reconciler.images.registry.client import RegistryClient
from reconciler.images.verify.documents import Rejected, decoded, member, read_object, shown
from reconciler.images.verify.keys import Key, signer
from reconciler.images.verify.subject import Subject, fetched

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
ANNOTATION = "dev.cosignproject.cosign/signature"
TYPE = "cosign container image signature"


def listed(client: RegistryClient, subject: Subject) -> tuple[Any, ...]:
    """The layers that are to be signatures. RegistryError where they are not known; Rejected where they are none."""
    tag = f"{subject.digest.replace(':', '-')}.sig"
    try:
        manifest = client.manifest(f"{subject.repository}:{tag}")
    except RegistryError as error:
        if error.reason == "ImageNotFound":
            return ()
        raise
    return tuple(member(read_object(manifest.content, "manifest"), list, "layers"))


def passed(client: RegistryClient, subject: Subject, layer: Any, keys: tuple[Key, ...]) -> str:
    """The path of the key by which the layer passes. Rejected where it does not; RegistryError where it is not got."""
    kind = member(layer, str, "mediaType")
    if kind != PAYLOAD:
        raise Rejected("SignatureMismatch", f"it is no signature but {shown(kind)}")
    signature = decoded(member(layer, str, "annotations", ANNOTATION), "signature")
    return check(fetched(client, subject, layer), signature, subject, keys)


def check(payload: bytes, signature: bytes, subject: Subject, keys: tuple[Key, ...]) -> str:
    """The path of the key by which the signature of this payload passes. Rejected where it does not."""
    key = signer(keys, signature, payload)
    document = read_object(payload, "payload")
    kind = member(document, str, "critical", "type")
    if kind != TYPE:
        raise Rejected("SignatureMismatch", f"it is no signature of an image but {shown(kind)}")
    subject.check_digest(member(document, str, "critical", "image", "docker-manifest-digest"))
    subject.check_repository(member(document, str, "critical", "identity", "docker-reference"))
    return key
