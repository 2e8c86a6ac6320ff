from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from reconciler.images.registry.names import locate
from reconciler.images.verify import bundles
from reconciler.images.verify.documents import Rejected
from reconciler.images.verify.keys import load
from reconciler.images.verify.subject import Subject
from tests.support.signatures import KINDS, Signer, bundle, signed_bundle, signer, statement
from tests.support.standin import digest_of

REPOSITORY = "registry.example:5000/team/app"
DIGEST, OTHER = digest_of(b"image"), digest_of(b"other")
SUBJECT = Subject(locate(REPOSITORY), DIGEST, REPOSITORY)
BY = signer()


def check(content: bytes, by: Signer = BY) -> str:
    return bundles.check(content, SUBJECT, load((by.key,)))


def rejected(content: bytes) -> Rejected:
    with pytest.raises(Rejected) as caught:
        check(content)
    return caught.value


def named(digest: str, name: Any) -> list[dict[str, Any]]:
    return [{"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}]


@pytest.mark.parametrize("kind", KINDS)
def test_a_bundle_passes(kind: str) -> None:
    """By every kind of key; the key's file is returned."""
    by = signer(kind)
    assert check(signed_bundle(by, DIGEST), by) == by.key.path


def test_the_alphabet_of_base64_does_not_matter() -> None:
    """DSSE leaves it to the signer."""
    content = statement(DIGEST, predicate={"x": "\u00fb\u00ff?>~~"})
    encoded = base64.urlsafe_b64encode(content).decode()
    assert check(bundle(content, BY.sign_envelope(content), payload=encoded)) == BY.key.path


@pytest.mark.parametrize("predicate", ["https://slsa.dev/provenance/v1", "https://cosign.sigstore.dev/attestation/v1"])
def test_an_attestation_is_no_signature(predicate: str) -> None:
    """Who attests to what is in an image does not say that it may run."""
    error = rejected(signed_bundle(BY, DIGEST, predicateType=predicate))
    assert (error.reason, error.message) == (
        "SignatureMismatch",
        f"it is an attestation ({predicate}), not a signature",
    )


def test_a_bundle_of_another_digest_is_refused() -> None:
    """Bundles can be pushed beside any image."""
    error = rejected(signed_bundle(BY, OTHER))
    assert (error.reason, error.message) == ("SignatureMismatch", f"it is of {OTHER}")


def test_a_bundle_for_another_repository_is_refused() -> None:
    """Where it names one; cosign's does not."""
    error = rejected(signed_bundle(BY, DIGEST, subject=named(DIGEST, "registry.example:5000/team/other")))
    assert error.reason == "SignatureMismatch"
    assert "for the repository registry.example:5000/team/other, not registry.example:5000/team/app" in error.message
    for name in (REPOSITORY, f"{REPOSITORY}:3", "", "_"):
        assert check(signed_bundle(BY, DIGEST, subject=named(DIGEST, name))) == BY.key.path


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": []},
        {"subject": "x"},
        {"subject": ["x"]},
        {"subject": [{}]},
        {"subject": [{"digest": {"sha512": "x"}}]},
        {"subject": [{"digest": {"sha256": 7}}]},
        {"subject": named(OTHER, "") + named(DIGEST, "")},
        {"subject": named(DIGEST, 7)},
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"_type": None},
        {"predicateType": ["x"]},
    ],
)
def test_a_statement_of_another_shape_is_refused(changes: dict[str, Any]) -> None:
    """Signed as it should be: a signature is of one image."""
    assert rejected(signed_bundle(BY, DIGEST, **changes)).reason == "SignatureUnreadable"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"payloadType": "text/plain"}, "SignatureMismatch"),
        ({"payloadType": None}, "SignatureUnreadable"),
        ({"payload": "%"}, "SignatureUnreadable"),
        ({"payload": None}, "SignatureUnreadable"),
        ({"signatures": []}, "SignatureUnreadable"),
        ({"signatures": None}, "SignatureUnreadable"),
        ({"signatures": ["x"]}, "SignatureUnreadable"),
        ({"signatures": [{"sig": 7}]}, "SignatureUnreadable"),
        ({"signatures": [{"sig": "%"}]}, "SignatureUnreadable"),
        ({"signatures": [{"sig": ""}]}, "SignatureInvalid"),
        ({"signatures": [{"sig": "AAAA"}, {"sig": "AAAA"}]}, "SignatureUnreadable"),
        ({"payload": base64.b64encode(statement(DIGEST) + b" ").decode()}, "SignatureInvalid"),
        ({"payload": base64.b64encode(b'{"subject": 1, "subject": 2}').decode()}, "SignatureUnreadable"),
    ],
)
def test_a_tampered_envelope_is_refused(changes: dict[str, Any], reason: str) -> None:
    """The type of the payload is signed with it, so that it cannot be taken for another."""
    content = statement(DIGEST)
    assert rejected(bundle(content, BY.sign_envelope(content), **changes)).reason == reason


def test_the_encoding_before_signing_is_dsses() -> None:
    """The example of its specification (protocol.md), which no part of the payload can imitate."""
    signed = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert bundles.pae("http://example.com/HelloWorld", b"hello world") == signed
    content = statement(DIGEST)
    assert rejected(bundle(content, BY.sign(content))).reason == "SignatureInvalid"
    assert rejected(bundle(content, BY.sign_envelope(content, "text/plain"))).reason == "SignatureInvalid"


def test_a_bundle_without_an_envelope_is_refused() -> None:
    """That of a signed file has a message signature, whose digest anybody could have signed as a file."""
    document = {"mediaType": bundles.BUNDLE, "messageSignature": {"signature": "AAAA"}}
    assert rejected(json.dumps(document).encode()).reason == "SignatureUnreadable"
    assert rejected(b'{"dsseEnvelope": {}, "dsseEnvelope": {}}').reason == "SignatureUnreadable"
