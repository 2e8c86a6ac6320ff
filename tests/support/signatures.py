"""Signatures of images made here, in both of cosign's forms, and a registry's shelf to put them on.

What tests change about them is what an attacker would: every part can be given.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from reconciler.images.verify import bundles, simple_signing
from reconciler.model.project import PublicKey
from tests.support.standin import INDEX, MANIFEST, Reply, as_json, digest_of, manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cryptography.hazmat.primitives.hashes import HashAlgorithm

    from tests.support.standin import Asked

KINDS = ("p256", "p384", "p521", "rsa", "ed25519")
_CONFIG = "application/vnd.oci.image.config.v1+json"
_EMPTY = "application/vnd.oci.empty.v1+json"
_CURVES = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}


@dataclass(frozen=True)
class Signer:
    """Somebody with a private key of one of the KINDS."""

    kind: str
    private: Any

    @property
    def key(self) -> PublicKey:
        """What a spec holds of it."""
        return PublicKey(f"{self.kind}.pub", public_pem(self.private))

    @property
    def private_pem(self) -> str:
        """What nobody else should have."""
        made: bytes = self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return made.decode()

    def sign(self, data: bytes, algorithm: HashAlgorithm | None = None) -> bytes:
        """The signature as cosign 2 makes it (SHA-256 with every curve) unless another hash is given."""
        if isinstance(self.private, Ed25519PrivateKey):
            return self.private.sign(data)
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(data, padding.PKCS1v15(), algorithm or SHA256())
        made: bytes = self.private.sign(data, ec.ECDSA(algorithm or SHA256()))
        return made

    def sign_envelope(self, payload: bytes, kind: str = bundles.PAYLOAD) -> bytes:
        """The signature of a bundle as cosign 3 takes it; its own have the hash that belongs to the curve."""
        return self.sign(bundles.pae(kind, payload))


def public_pem(private: Any) -> str:
    """PEM of the public half, as cosign writes it."""
    made: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return made.decode()


@cache
def signer(kind: str = "p256", name: str = "") -> Signer:
    """A signer of that kind; another one for another name."""
    if kind == "rsa":
        return Signer(kind, rsa.generate_private_key(65537, 2048))
    return Signer(kind, Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(_CURVES[kind]))


def payload(repository: str, digest: str, kind: str = simple_signing.TYPE) -> bytes:
    """What cosign 2 signs."""
    image = {"docker-manifest-digest": digest}
    critical = {"identity": {"docker-reference": repository}, "image": image, "type": kind}
    return json.dumps({"critical": critical, "optional": None}).encode()


def layer(content: bytes, signature: bytes, **changes: Any) -> dict[str, Any]:
    """A payload's descriptor with the signature."""
    annotations = {simple_signing.ANNOTATION: base64.b64encode(signature).decode()}
    said = {"mediaType": simple_signing.PAYLOAD, "digest": digest_of(content), "size": len(content)}
    return {**said, "annotations": annotations, **changes}


def statement(digest: str, **changes: Any) -> bytes:
    """What cosign 3 signs."""
    algorithm, _, value = digest.partition(":")
    said = {"_type": bundles.STATEMENT, "subject": [{"digest": {algorithm: value}, "annotations": {}}]}
    return json.dumps({**said, "predicateType": bundles.SIGNATURE, "predicate": {}, **changes}).encode()


def bundle(content: bytes, signature: bytes, **changes: Any) -> bytes:
    """The bundle around a statement; `changes` are of its envelope."""
    encoded, signed = base64.b64encode(content).decode(), base64.b64encode(signature).decode()
    envelope = {"payload": encoded, "payloadType": bundles.PAYLOAD, "signatures": [{"sig": signed}], **changes}
    material = {"publicKey": {"hint": "bm90IHRydXN0ZWQ="}}
    return json.dumps(
        {"mediaType": bundles.BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope}
    ).encode()


def signed_bundle(by: Signer, digest: str, **changes: Any) -> bytes:
    """A bundle that is right; `changes` are of its statement."""
    content = statement(digest, **changes)
    return bundle(content, by.sign_envelope(content))


@dataclass
class Shelf:
    """What a stand-in registry has of one repository; `referrers_api` false as with docker-registry.

    `instead` answers in its place where it has an answer.
    """

    repository: str = "team/app"
    referrers_api: bool = False
    manifests: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    referrers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    instead: Callable[[Asked], Reply | None] = lambda _: None

    def __call__(self, asked: Asked) -> Reply:
        """The registry's answer."""
        if (reply := self.instead(asked)) is not None:
            return reply
        kind, _, reference = asked.path.removeprefix(f"/v2/{self.repository}/").partition("/")
        if kind == "blobs" and reference in self.blobs:
            return Reply(200, {}, self.blobs[reference])
        if kind == "manifests" and reference in self.manifests:
            return manifest(*self.manifests[reference])
        if kind == "tags":
            return as_json({"tags": [name for name in self.manifests if not name.startswith("sha256")]})
        if kind == "referrers" and self.referrers_api:
            return as_json(_index(self.referrers.get(reference, [])), **{"Content-Type": INDEX})
        return Reply(404)

    def put(self, document: Mapping[str, Any] | bytes, tag: str = "", kind: str = MANIFEST) -> str:
        """Store a manifest, by its digest and a tag; its digest."""
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        for reference in (digest_of(content), tag or digest_of(content)):
            self.manifests.pop(reference, None)
            self.manifests[reference] = (content, kind)
        return digest_of(content)

    def put_blob(self, content: bytes) -> dict[str, Any]:
        """Store a blob; the half of its descriptor that is not its type."""
        self.blobs[digest_of(content)] = content
        return {"digest": digest_of(content), "size": len(content)}

    def push(self, version: str, *others: str, tag: str = "1") -> str:
        """Store an index of an image for linux/amd64 with that content, and of ones for other systems; its digest."""
        entries = []
        for system, config in (("linux", version), *((other, "") for other in others)):
            content = json.dumps(self._manifest(config.encode(), _CONFIG)).encode()
            platform = {"os": system, "architecture": "amd64"}
            entries.append({"mediaType": MANIFEST, "digest": self.put(content), "size": len(content)})
            entries[-1] |= {"platform": platform}
        return self.put(_index(entries), tag, INDEX)

    def image(self, platforms: tuple[str, ...] = ("linux/amd64",), tag: str = "1") -> str:
        """Store an index of platforms, whose manifests are `parts`; its digest."""
        entries = []
        for name in platforms:
            system, _, architecture = name.partition("/")
            platform = {"os": system, "architecture": architecture}
            self.parts[name] = self.put(self._manifest(json.dumps(platform).encode(), _CONFIG))
            size = len(self.manifests[self.parts[name]][0])
            entry = {"mediaType": MANIFEST, "digest": self.parts[name], "size": size}
            entries.append({**entry, "platform": platform})
        return self.put(_index(entries), tag, INDEX)

    def _manifest(self, config: bytes = b"{}", kind: str = _EMPTY) -> dict[str, Any]:
        described = {"mediaType": kind, **self.put_blob(config)}
        return {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": []}

    def sign(self, digest: str, by: Signer, repository: str) -> None:
        """A signature as cosign 2 stores it, after those that are there."""
        content = payload(repository, digest)
        self.put_blob(content)
        self.put_layers(digest, layer(content, by.sign(content)))

    def put_layers(self, digest: str, *layers: Any) -> None:
        """Layers of the image's signatures, after those that are there."""
        tag = f"{digest.replace(':', '-')}.sig"
        known, _ = self.manifests.get(tag, (b'{"layers": []}', ""))
        found = [*json.loads(known)["layers"], *layers]
        self.put({**self._manifest(kind=_CONFIG), "layers": found}, tag)

    def put_bundle(self, digest: str, content: bytes, **changes: Any) -> None:
        """A bundle as cosign 3 stores it, after those that are there; `changes` are of its manifest."""
        stored = {"mediaType": bundles.BUNDLE, **self.put_blob(content)}
        image = {"mediaType": INDEX, "digest": digest, "size": len(self.manifests[digest][0])}
        said = {"artifactType": bundles.BUNDLE, "layers": [stored], "subject": image}
        document = {**self._manifest(), **said, **changes}
        content = json.dumps(document).encode()
        entry = {"mediaType": MANIFEST, "digest": self.put(content), "size": len(content)}
        known = self.referrers.setdefault(digest, [])
        known.append({**entry, "artifactType": document["artifactType"] if self.referrers_api else _EMPTY})
        if not self.referrers_api:
            self.put(_index(known), digest.replace(":", "-"), INDEX)


def _index(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
