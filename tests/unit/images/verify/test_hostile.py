from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.images.registry.names import locate
from reconciler.images.verify import bundles, simple_signing
from reconciler.images.verify.documents import Rejected
from reconciler.images.verify.keys import load
from reconciler.images.verify.subject import Subject
from tests.support.signatures import bundle, payload, signed_bundle, signer, statement
from tests.support.standin import digest_of

REPOSITORY = "registry.example/team/app"
DIGEST = digest_of(b"image")
SUBJECT = Subject(locate(REPOSITORY), DIGEST, REPOSITORY)
BY = signer()
KEYS = load((BY.key,))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)
WITHOUT_CLOCK = settings(deadline=None)


def rejected(content: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        bundles.check(content, SUBJECT, KEYS)
    assert caught.value.message.isprintable()


@WITHOUT_CLOCK
@given(st.binary() | DOCUMENTS.map(lambda found: json.dumps(found).encode()))
def test_nothing_passes_for_a_bundle_or_a_payload(content: bytes) -> None:
    """Neither what is no JSON nor what is; also where a key of ours signed it."""
    rejected(content)
    rejected(bundle(content, BY.sign_envelope(content)))
    with pytest.raises(Rejected):
        simple_signing.check(content, BY.sign(content), SUBJECT, KEYS)


@WITHOUT_CLOCK
@given(st.sampled_from(["payload", "payloadType", "signatures"]), DOCUMENTS)
def test_no_part_of_an_envelope_can_be_something_else(part: str, value: Any) -> None:
    """Whatever it is, it is a rejection."""
    content = statement(DIGEST)
    rejected(bundle(content, BY.sign_envelope(content), **{part: value}))


@WITHOUT_CLOCK
@given(st.sampled_from(["_type", "subject", "predicateType"]), DOCUMENTS)
def test_no_part_of_a_statement_can_be_something_else(part: str, value: Any) -> None:
    """Though it is signed as it should be."""
    rejected(signed_bundle(BY, DIGEST, **{part: value}))


@WITHOUT_CLOCK
@given(st.sampled_from(["image", "identity", "type"]), DOCUMENTS)
def test_no_part_of_a_payload_can_be_something_else(part: str, value: Any) -> None:
    """Though it is signed as it should be."""
    document = json.loads(payload(REPOSITORY, DIGEST))
    document["critical"][part] = value
    content = json.dumps(document).encode()
    with pytest.raises(Rejected) as caught:
        simple_signing.check(content, BY.sign(content), SUBJECT, KEYS)
    assert caught.value.message.isprintable()
