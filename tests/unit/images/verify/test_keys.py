from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

from reconciler.errors import SignatureError
from reconciler.images.verify.documents import Rejected
from reconciler.images.verify.keys import load
from reconciler.images.verify.keys import signer as made_by
from reconciler.model.project import PublicKey
from tests.support.signatures import KINDS, public_pem, signer

DATA = b"what is signed"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_key_knows_its_own_signatures(kind: str) -> None:
    """And nothing else: not those of another, not of other data, not what is no signature."""
    by, other = signer(kind), signer(kind, "other")
    keys = load((other.key, by.key))
    assert made_by(keys, by.sign(DATA), DATA) == by.key.path
    assert not keys[0].made(by.sign(DATA), DATA)
    for signature, data in ((by.sign(DATA), DATA + b"."), (b"", DATA), (by.sign(DATA)[:-1], DATA), (DATA, DATA)):
        with pytest.raises(Rejected, match="none of the keys made it") as caught:
            made_by(keys, signature, data)
        assert caught.value.reason == "SignatureInvalid"


def test_a_curve_has_the_hashes_that_cosign_uses_with_it() -> None:
    """SHA-256 with every curve by cosign 2; that of the curve by cosign 3; no other."""
    hashes = (SHA256(), SHA384(), SHA512())
    taken = {
        kind: [load((signer(kind).key,))[0].made(signer(kind).sign(DATA, algorithm), DATA) for algorithm in hashes]
        for kind in ("p256", "p384", "p521")
    }
    assert taken == {"p256": [True, False, False], "p384": [True, True, False], "p521": [True, False, True]}


def test_rsa_is_not_taken_with_another_padding() -> None:
    """The key's type decides, not what a signature looks like."""
    by = signer("rsa")
    probabilistic = by.private.sign(DATA, padding.PSS(padding.MGF1(SHA256()), 32), SHA256())
    assert not load((by.key,))[0].made(probabilistic, DATA)
    assert not load((by.key,))[0].made(by.sign(DATA, SHA512()), DATA)


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        ("", "no public key"),
        ("ssh-ed25519 AAAA", "no public key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no public key"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no public key"),
        ("\udcff\x00", "no public key"),
        (public_pem(ec.generate_private_key(ec.SECP256K1())), "not ECDSA P-256"),
        (public_pem(rsa.generate_private_key(65537, 1024)), "not ECDSA P-256"),  # noqa: S505 - which is the point
        (public_pem(Ed448PrivateKey.generate()), "not ECDSA P-256"),
        (public_pem(X25519PrivateKey.generate()), "not ECDSA P-256"),
        (signer("p256").key.pem + signer("p384").key.pem, "more than one key"),
    ],
)
def test_a_key_that_cannot_be_used_is_named(pem: str, why: str) -> None:
    """With its file and what is wrong with it, also where another key could do."""
    with pytest.raises(SignatureError, match=why) as caught:
        load((signer().key, PublicKey("keys/ours.pub", pem)))
    assert (caught.value.reason, caught.value.source) == ("KeyUnusable", "keys/ours.pub")


def test_a_private_key_is_not_printed() -> None:
    """Whoever took the wrong file is told so, in few words."""
    for pem in (signer().private_pem, "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nc2VjcmV0\n"):
        with pytest.raises(SignatureError, match="a private key") as caught:
            load((PublicKey("cosign.key", pem),))
        secret = pem.splitlines()[1]
        assert secret not in f"{caught.value} {caught.value.__cause__}"
