"""Public keys, and whether one made a signature. The only module that knows `cryptography`, which is an extra.

A key's own type decides the algorithm; what a signature says of its key is not read. cosign signs with ECDSA (SHA-256;
in bundles the hash that belongs to the curve), RSA (PKCS #1 v1.5, SHA-256) and Ed25519 (RFC 8032, not pre-hashed).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from reconciler.errors import SignatureError
from reconciler.images.verify.documents import Rejected
from reconciler.model.project import PublicKey

_HASHES: dict[str, tuple[HashAlgorithm, ...]] = {
    "secp256r1": (SHA256(),),
    "secp384r1": (SHA256(), SHA384()),
    "secp521r1": (SHA256(), SHA512()),
}
_SMALLEST_RSA = 2048
_BEGIN = "-----BEGIN "
_Check = Callable[[bytes, bytes], None]


@dataclass(frozen=True)
class Key:
    """A key by its file; `checks` are (signature, data), one for each algorithm, and raise InvalidSignature."""

    path: str
    checks: tuple[_Check, ...]

    def made(self, signature: bytes, data: bytes) -> bool:
        """Whether the key's owner signed the data."""
        return any(_passes(check, signature, data) for check in self.checks)


def load(keys: tuple[PublicKey, ...]) -> tuple[Key, ...]:
    """The keys, ready for use. SignatureError `KeyUnusable` names the first file that holds none that can be used."""
    return tuple(Key(key.path, _checks(key)) for key in keys)


def signer(keys: tuple[Key, ...], signature: bytes, data: bytes) -> str:
    """The path of the key that made the signature. Rejected where none did."""
    found = next((key.path for key in keys if key.made(signature, data)), None)
    if found is None:
        raise Rejected("SignatureInvalid", "none of the keys made it")
    return found


def _passes(check: _Check, signature: bytes, data: bytes) -> bool:
    try:
        check(signature, data)
    except InvalidSignature:
        return False
    return True


def _checks(key: PublicKey) -> tuple[_Check, ...]:
    if "PRIVATE KEY-----" in key.pem:
        raise _unusable(key, "holds a private key, which belongs to whoever signs")
    if key.pem.count(_BEGIN) > 1:
        raise _unusable(key, "holds more than one key")
    try:
        public = load_pem_public_key(key.pem.encode(errors="replace"))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable(key, "holds no public key that can be read") from error
    return _algorithms(key, public)


def _algorithms(key: PublicKey, public: object) -> tuple[_Check, ...]:
    if isinstance(public, EllipticCurvePublicKey) and public.curve.name in _HASHES:
        return tuple(_ecdsa(public, algorithm) for algorithm in _HASHES[public.curve.name])
    if isinstance(public, RSAPublicKey) and public.key_size >= _SMALLEST_RSA:
        return (lambda signature, data: public.verify(signature, data, PKCS1v15(), SHA256()),)
    if isinstance(public, Ed25519PublicKey):
        return (public.verify,)
    raise _unusable(key, f"holds a key that is not ECDSA P-256, P-384 or P-521, RSA from {_SMALLEST_RSA} bits, Ed25519")


def _ecdsa(public: EllipticCurvePublicKey, algorithm: HashAlgorithm) -> _Check:
    return lambda signature, data: public.verify(signature, data, ECDSA(algorithm))


def _unusable(key: PublicKey, what: str) -> SignatureError:
    hint = "give one PEM public key a file, as cosign generate-key-pair writes it to cosign.pub"
    return SignatureError(f"it {what}", reason="KeyUnusable", source=key.path, hint=hint)
