from __future__ import annotations

import json

import pytest

from reconciler.images.registry.names import locate
from reconciler.images.verify.documents import Rejected
from reconciler.images.verify.keys import load
from reconciler.images.verify.simple_signing import check
from reconciler.images.verify.subject import Subject
from tests.support.signatures import KINDS, payload, signer
from tests.support.standin import digest_of

REPOSITORY = "registry.example:5000/team/app"
DIGEST, OTHER = digest_of(b"image"), digest_of(b"other")
BY = signer()


def subject(reference: str = REPOSITORY) -> Subject:
    return Subject(locate(reference), DIGEST, reference)


def rejected(content: bytes, reference: str = REPOSITORY) -> Rejected:
    """Signed as it should be: what it says is what is wrong."""
    with pytest.raises(Rejected) as caught:
        check(content, BY.sign(content), subject(reference), load((BY.key,)))
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_passes(kind: str) -> None:
    """By every kind of key; the key's file is returned."""
    by, content = signer(kind), payload(REPOSITORY, DIGEST)
    assert check(content, by.sign(content), subject(), load((BY.key, by.key))) == by.key.path


@pytest.mark.parametrize(
    ("signed", "ours"),
    [
        ("index.docker.io/library/nginx", "nginx:1.27"),
        ("docker.io/library/nginx", "nginx"),
        ("nginx", "docker.io/library/nginx:1"),
        ("index.docker.io/team/app", "team/app"),
        (f"{REPOSITORY}:2", f"{REPOSITORY}:1"),
        (f"{REPOSITORY}@{OTHER}", REPOSITORY),
    ],
)
def test_a_repository_is_the_same_however_it_is_spelled(signed: str, ours: str) -> None:
    """Docker Hub has several names; a tag does not matter, for the digest is what is signed."""
    content = payload(signed, DIGEST)
    assert check(content, BY.sign(content), subject(ours), load((BY.key,))) == BY.key.path


@pytest.mark.parametrize(
    "signed",
    ["registry.example:5000/team/other", "registry.example/team/app", "team/app", "", "NOT a name", f"{REPOSITORY}/x"],
)
def test_a_signature_for_another_repository_is_refused(signed: str) -> None:
    """It was not made for here: whoever pushed it took it from elsewhere."""
    error = rejected(payload(signed, DIGEST))
    assert error.reason == "SignatureMismatch"
    assert "for the repository" in error.message


def test_a_signature_of_another_digest_is_refused() -> None:
    """An older, vulnerable image's signature says nothing of this one."""
    error = rejected(payload(REPOSITORY, OTHER))
    assert (error.reason, error.message) == ("SignatureMismatch", f"it is of {OTHER}")


def test_a_signature_of_another_type_is_refused() -> None:
    """Simple signing has other uses: atomic container signatures, for one."""
    error = rejected(payload(REPOSITORY, DIGEST, kind="atomic container signature"))
    assert error.reason == "SignatureMismatch"
    assert "atomic container signature" in error.message


def test_a_tampered_payload_is_refused() -> None:
    """Bytes are signed: one space more is another payload."""
    content = payload(REPOSITORY, DIGEST)
    for tampered, signature in ((content + b" ", BY.sign(content)), (content, BY.sign(content + b" "))):
        with pytest.raises(Rejected) as caught:
            check(tampered, signature, subject(), load((BY.key,)))
        assert caught.value.reason == "SignatureInvalid"


@pytest.mark.parametrize("missing", ["type", "image", "identity"])
def test_a_payload_that_says_less_is_refused(missing: str) -> None:
    """What is not said is not assumed."""
    document = json.loads(payload(REPOSITORY, DIGEST))
    del document["critical"][missing]
    assert rejected(json.dumps(document).encode()).reason == "SignatureUnreadable"


def test_a_payload_that_says_it_twice_is_refused() -> None:
    """Readers differ in which of two equal keys they take."""
    content = payload(REPOSITORY, OTHER)
    twice = content.replace(b'{"critical"', payload(REPOSITORY, DIGEST)[:-1] + b', "critical"')
    assert json.loads(twice)["critical"]["image"]["docker-manifest-digest"] == OTHER
    assert rejected(twice).reason == "SignatureUnreadable"
