"""Signatures as cosign 3 writes them: a Sigstore bundle that refers to the image, with an in-toto statement in it.

What passing proves: the key's owner signed this digest as an image (not as the subject of an attestation). cosign
names no repository in the statement, so whoever may push to two repositories can move an image with its bundle from
one to the other, and the same key vouches for it there. A statement that does name one has to name this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.listing import Descriptor
from reconciler.images.verify.documents import Rejected, decoded, member, read_object, shown, unreadable
from reconciler.images.verify.keys import Key, signer
from reconciler.images.verify.subject import Subject, fetched

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
_UNNAMED = {"", "_"}  # in-toto: a name that says nothing


def listed(client: RegistryClient, subject: Subject) -> tuple[Descriptor, ...]:
    """What may be bundles of the image. RegistryError where that is not known."""
    return client.referrers(subject.repository, subject.digest, BUNDLE)


def passed(client: RegistryClient, subject: Subject, found: Descriptor, keys: tuple[Key, ...]) -> str:
    """The path of the key by which the bundle passes. Rejected where it does not; RegistryError where it is not got."""
    return check(_content(client, subject, found), subject, keys)


def check(content: bytes, subject: Subject, keys: tuple[Key, ...]) -> str:
    """The path of the key by which this bundle passes. Rejected where it does not."""
    envelope = member(read_object(content, "bundle"), dict, "dsseEnvelope")
    if member(envelope, str, "payloadType") != PAYLOAD:
        raise Rejected("SignatureMismatch", f"it signs {shown(envelope['payloadType'])}, not an in-toto statement")
    payload = decoded(member(envelope, str, "payload"), "payload")
    statement = _statement(payload)
    key = signer(keys, _signature(envelope), pae(PAYLOAD, payload))
    _check_subject(statement, subject)
    return key


def pae(payload_type: str, payload: bytes) -> bytes:
    """What is signed of an envelope: DSSE's pre-authentication encoding, version 1."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _content(client: RegistryClient, subject: Subject, found: Descriptor) -> bytes:
    manifest = read_object(client.manifest(f"{subject.repository}@{found.digest}").content, "manifest")
    kind = manifest.get("artifactType")
    if kind != BUNDLE:  # an index under a tag does not say so
        said = shown(kind) if isinstance(kind, str) else "of no type"
        raise Rejected("SignatureMissing", f"it is no signature but {said}")
    return fetched(client, subject, _only(manifest, "layers"))


def _statement(payload: bytes) -> Mapping[str, Any]:
    """The statement, which has to be that of a signature (in-toto attestation framework, Statement v1)."""
    statement = read_object(payload, "statement")
    predicate = member(statement, str, "predicateType")
    if predicate != SIGNATURE:
        raise Rejected("SignatureMismatch", f"it is an attestation ({shown(predicate)}), not a signature")
    if member(statement, str, "_type") != STATEMENT:
        raise unreadable(f"its statement is not of the type {STATEMENT}")
    return statement


def _signature(envelope: Mapping[str, Any]) -> bytes:
    """The envelope's signature; a bundle's has one (Sigstore bundle format, `dsse_envelope`)."""
    return decoded(member(_only(envelope, "signatures"), str, "sig"), "signature")


def _check_subject(statement: Mapping[str, Any], subject: Subject) -> None:
    """Rejected where the statement is of another image; a signature is of one."""
    signed = _only(statement, "subject")
    algorithm = subject.digest.partition(":")[0]
    subject.check_digest(f"{algorithm}:{member(signed, str, 'digest', algorithm)}")
    name = member({"name": "", **signed}, str, "name")
    if name not in _UNNAMED:
        subject.check_repository(name)


def _only(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object that is alone in a list."""
    found = member(document, list, name)
    if len(found) != 1 or not isinstance(found[0], dict):
        raise unreadable(f"it has not exactly one of its {name}")
    return found[0]
