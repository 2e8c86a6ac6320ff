from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest

from reconciler.errors import RegistryError, SignatureError
from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.credentials import Credential
from reconciler.images.verify.bundles import BUNDLE
from reconciler.images.verify.outcome import Form, Verified
from reconciler.images.verify.verifier import verify
from reconciler.model.project import PublicKey
from tests.support.cosign import Cosign, cosign_in
from tests.support.real_registry import Registry, put, put_blob, running_registry
from tests.support.signatures import KINDS, Shelf, signed_bundle, signer
from tests.support.standin import MANIFEST, StandIn

pytestmark = pytest.mark.registry
OURS, THEIRS = signer("p256"), signer("rsa")
FORMS: dict[int, Form] = {2: "signature", 3: "bundle"}
SIGNED = [(version, kind) for version in FORMS for kind in KINDS if (version, kind) != (3, "ed25519")]
"""What can be signed: cosign 3.1 pre-hashes for a bundle with Ed25519, finds it does not verify that, and stops."""


@pytest.fixture(scope="module")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    found = cosign_in(tmp_path_factory.mktemp("cosign"))
    for kind in KINDS:
        found.import_key(signer(kind))
    return found


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("store") / "registry", locked=False) as running:
        yield running


@pytest.fixture
def image(registry: Registry, request: pytest.FixtureRequest) -> Image:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return Image(registry, f"verify/{name}")


class Image:
    """An image for one platform in a repository of its own."""

    def __init__(self, registry: Registry, repository: str) -> None:
        self.registry = registry
        self.shelf = Shelf(repository)
        self.digest = self.shelf.image()
        self.repository = f"{registry.address}/{repository}"
        upload(registry, self.shelf)

    @property
    def pinned(self) -> str:
        """What cosign is to sign."""
        return f"{self.repository}@{self.digest}"


def upload(registry: Registry, shelf: Shelf) -> None:
    """What is on a shelf, into a real registry."""
    for content in shelf.blobs.values():
        put_blob(registry, shelf.repository, content)
    for reference, (content, kind) in shelf.manifests.items():
        put(registry, shelf.repository, reference, kind, content)


def copied(client: RegistryClient, image: Image, tag: str, to: Image, new_tag: str) -> None:
    """What lies under a tag or digest, with all that it names, in another repository, as `crane copy` would have it."""
    found = client.manifest(f"{image.repository}{'@' if ':' in tag else ':'}{tag}")
    document = json.loads(found.content)
    for entry in document.get("manifests", []):
        copied(client, image, entry["digest"], to, entry["digest"])
    for entry in [*document.get("layers", []), *([document["config"]] if "config" in document else [])]:
        put_blob(to.registry, to.shelf.repository, client.blob(image.repository, entry["digest"], 100_000))
    put(to.registry, to.shelf.repository, new_tag, found.media_type, found.content)


def refused(client: RegistryClient, image: Image, *keys: PublicKey) -> SignatureError:
    with pytest.raises(SignatureError) as caught:
        verify(client, image.repository, image.digest, keys or (OURS.key,))
    return caught.value


@pytest.mark.parametrize(("version", "kind"), SIGNED)
def test_what_cosign_signs_passes(
    cosign: Cosign, image: Image, make_client: Callable[..., RegistryClient], version: int, kind: str
) -> None:
    """By its key and no other, for its digest and no other."""
    by, client = signer(kind), make_client()
    assert refused(client, image, by.key).reason == "SignatureMissing"
    cosign.sign(version, by, image.pinned)
    assert verify(client, f"{image.repository}:1", image.digest, (by.key,)) == Verified(by.key.path, FORMS[version])
    assert refused(client, image, signer(kind, "other").key).reason == "SignatureInvalid"
    with pytest.raises(SignatureError) as caught:
        verify(client, image.repository, image.shelf.parts["linux/amd64"], (by.key,))
    assert caught.value.reason == "SignatureMissing"


@pytest.mark.parametrize("kind", KINDS)
def test_cosign_takes_the_signatures_of_these_tests(
    cosign: Cosign, image: Image, make_client: Callable[..., RegistryClient], kind: str
) -> None:
    """So that what the other tests change about them was right before."""
    by, client = signer(kind), make_client()
    image.shelf.sign(image.digest, by, image.repository)
    upload(image.registry, image.shelf)
    assert cosign.accepts(2, by, image.pinned)
    assert verify(client, image.repository, image.digest, (by.key,)).form == "signature"
    image.shelf.put_bundle(image.digest, signed_bundle(by, image.digest))
    upload(image.registry, image.shelf)
    assert cosign.accepts(3, by, image.pinned)
    assert verify(client, image.repository, image.digest, (by.key,)).form == "bundle"


def test_several_signatures(cosign: Cosign, image: Image, make_client: Callable[..., RegistryClient]) -> None:
    """Of two versions, by two keys; each counts for its own."""
    client = make_client()
    for version, by in ((2, THEIRS), (2, OURS), (3, THEIRS)):
        cosign.sign(version, by, image.pinned)
    assert verify(client, image.repository, image.digest, (OURS.key,)) == Verified(OURS.key.path, "signature")
    assert verify(client, image.repository, image.digest, (THEIRS.key,)) == Verified(THEIRS.key.path, "bundle")
    assert "signature 2 of 2" in refused(client, image, signer("p384").key).message


def test_an_attestation_is_no_signature(
    cosign: Cosign, image: Image, make_client: Callable[..., RegistryClient]
) -> None:
    """By the right key and of the right digest; also under the tag of signatures. cosign 3 itself takes its own."""
    client, tag = make_client(), image.digest.replace(":", "-")
    cosign.attest(2, OURS, image.pinned)
    assert refused(client, image).reason == "SignatureMissing"
    copied(client, image, f"{tag}.att", image, f"{tag}.sig")
    error = refused(client, image)
    assert (error.reason, "application/vnd.dsse.envelope" in error.message) == ("SignatureMismatch", True)
    cosign.attest(3, OURS, image.pinned)
    error = refused(client, image)
    assert (error.reason, "https://cosign.sigstore.dev/attestation/v1" in error.message) == ("SignatureMismatch", True)


@pytest.mark.parametrize("version", FORMS)
def test_a_signature_under_another_images_name(
    cosign: Cosign, image: Image, make_client: Callable[..., RegistryClient], version: int
) -> None:
    """Moved to another digest of the repository it is refused: that is what is signed."""
    client = make_client()
    cosign.sign(version, OURS, image.pinned)
    suffix = ".sig" if version == 2 else ""
    part = image.shelf.parts["linux/amd64"].replace(":", "-")
    copied(client, image, f"{image.digest.replace(':', '-')}{suffix}", image, f"{part}{suffix}")
    with pytest.raises(SignatureError, match=f"it is of {image.digest}") as caught:
        verify(client, image.repository, image.shelf.parts["linux/amd64"], (OURS.key,))
    assert caught.value.reason == "SignatureMismatch"


def test_a_signature_in_another_repository(
    cosign: Cosign, image: Image, make_client: Callable[..., RegistryClient]
) -> None:
    """A payload names its repository and is refused in another one; a bundle of cosign's names none and passes."""
    client, there = make_client(), Image(image.registry, "verify/elsewhere")
    tag = image.digest.replace(":", "-")
    assert there.digest == image.digest
    cosign.sign(2, OURS, image.pinned)
    copied(client, image, f"{tag}.sig", there, f"{tag}.sig")
    error = refused(client, there)
    assert error.reason == "SignatureMismatch"
    assert f"for the repository {image.repository}, not {there.repository}" in error.message
    cosign.sign(3, OURS, image.pinned)
    copied(client, image, tag, there, tag)
    assert verify(client, there.repository, there.digest, (OURS.key,)).form == "bundle"


@pytest.mark.parametrize("version", FORMS)
def test_one_platform_or_all(
    cosign: Cosign, image: Image, make_client: Callable[..., RegistryClient], version: int
) -> None:
    """The index counts; `--recursive` signs it with its parts."""
    client = make_client()
    cosign.sign(version, OURS, f"{image.repository}@{image.shelf.parts['linux/amd64']}")
    assert "only its manifest for linux/amd64 is signed" in refused(client, image).message
    cosign.sign(version, OURS, image.pinned, "--recursive")
    assert verify(client, image.repository, image.digest, (OURS.key,)).form == FORMS[version]


def test_a_bundle_through_the_referrers_api(
    cosign: Cosign, image: Image, serve: Callable[..., StandIn], make_client: Callable[..., RegistryClient]
) -> None:
    """docker-registry has none, so a stand-in serves what cosign stored there, by the type that its manifest says."""
    client, shelf = make_client(), Shelf(image.shelf.repository, referrers_api=True)
    cosign.sign(3, OURS, image.pinned)
    cosign.attest(3, OURS, image.pinned)
    for found in client.referrers(image.repository, image.digest, BUNDLE):
        content = client.manifest(f"{image.repository}@{found.digest}").content
        document = json.loads(content)
        shelf.put_blob(client.blob(image.repository, document["layers"][0]["digest"], 100_000))
        entry = {"mediaType": MANIFEST, "digest": shelf.put(content), "size": len(content)}
        shelf.referrers.setdefault(image.digest, []).append({**entry, "artifactType": document["artifactType"]})
    assert len(shelf.referrers[image.digest]) == 2
    repository = f"{serve(shelf).host}/{shelf.repository}"
    assert verify(client, repository, image.digest, (OURS.key,)).form == "bundle"


def test_what_else_is_signed_with_the_image(
    cosign: Cosign, image: Image, make_client: Callable[..., RegistryClient]
) -> None:
    """Annotations say nothing that is asked for."""
    client = make_client()
    for version, form in FORMS.items():
        cosign.sign(version, OURS, image.pinned, "-a", "build=7")
        assert verify(client, image.repository, image.digest, (OURS.key,)).form == form


def test_a_registry_with_a_password_that_goes_away(
    cosign: Cosign,
    tmp_path: object,
    tmp_path_factory: pytest.TempPathFactory,
    make_client: Callable[..., RegistryClient],
    known: dict[str, Credential],
) -> None:
    """Refused, verified, out of reach: three different things."""
    with running_registry(tmp_path_factory.mktemp("store") / "registry", locked=True) as registry:
        image, client = Image(registry, "verify/locked"), make_client()
        password = "open-sesame"  # noqa: S105 - of this registry only
        cosign.sign(3, OURS, image.pinned, "--registry-username", "ci", "--registry-password", password)
        with pytest.raises(RegistryError) as caught:
            verify(client, image.repository, image.digest, (OURS.key,))
        assert caught.value.reason == "RegistryUnauthorized"
        known[registry.address] = Credential("ci", password)
        client = make_client()
        assert verify(client, image.repository, image.digest, (OURS.key,)).form == "bundle"
    with pytest.raises(RegistryError) as caught:
        verify(client, image.repository, image.digest, (OURS.key,))
    assert caught.value.reason == "RegistryUnreachable"
