from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.errors import RegistryError, SignatureError
from reconciler.images.registry.client import RegistryClient
from reconciler.images.verify import bundles
from reconciler.images.verify.documents import LIMIT
from reconciler.images.verify.outcome import Verified
from reconciler.images.verify.search import MOST
from reconciler.images.verify.verifier import verify
from reconciler.model.project import PublicKey
from tests.support.signatures import Shelf, layer, payload, signed_bundle, signer
from tests.support.standin import Asked, Reply, StandIn, digest_of

OURS, THEIRS = signer(), signer(name="other")
OTHER = digest_of(b"other")
API = pytest.mark.parametrize("api", [True, False], ids=["referrers", "tag"])


class World:
    """A registry with an image, and somebody who wants it verified."""

    def __init__(self, serve: Callable[..., StandIn], client: RegistryClient) -> None:
        self.shelf = Shelf()
        self.server = serve(self.shelf)
        self.client = client
        self.repository = f"{self.server.host}/{self.shelf.repository}"
        self.digest = self.shelf.image()

    def verify(self, *keys: PublicKey, digest: str = "") -> Verified:
        """By our key unless others are given."""
        return verify(self.client, f"{self.repository}:1", digest or self.digest, keys or (OURS.key,))

    def refused(self, *keys: PublicKey, digest: str = "") -> SignatureError:
        """Why nothing passes."""
        with pytest.raises(SignatureError) as caught:
            self.verify(*keys, digest=digest)
        assert caught.value.code == caught.value.reason
        return caught.value

    def unknown(self) -> RegistryError:
        """Why nothing is known."""
        with pytest.raises(RegistryError) as caught:
            self.verify()
        return caught.value

    def asked(self) -> list[str]:
        """The parts of the repository that were asked for since the last time."""
        found = [item.path.removeprefix(f"/v2/{self.shelf.repository}/") for item in self.server.asked]
        self.server.asked.clear()
        return found


@pytest.fixture
def world(serve: Callable[..., StandIn], make_client: Callable[..., RegistryClient]) -> World:
    return World(serve, make_client())


@API
def test_a_bundle_is_found(world: World, api: bool) -> None:
    """By the referrers API, or under the tag, where cosign 3 leaves the type to the manifest."""
    world.shelf.referrers_api = api
    world.shelf.put_bundle(world.digest, signed_bundle(OURS, world.digest))
    assert world.verify(THEIRS.key, OURS.key) == Verified(OURS.key.path, "bundle")
    assert [path.partition("/")[0] for path in world.asked()] == (
        ["referrers", "manifests", "blobs"] if api else ["referrers", "manifests", "manifests", "blobs"]
    )


def test_an_older_signature_is_found(world: World) -> None:
    """After nothing was found that refers to the image."""
    world.shelf.sign(world.digest, OURS, world.repository)
    assert world.verify() == Verified(OURS.key.path, "signature")
    tag = world.digest.replace(":", "-")
    assert world.asked()[:3] == [f"referrers/{world.digest}", f"manifests/{tag}", f"manifests/{tag}.sig"]


@API
def test_neither_form_hides_the_other(world: World, api: bool) -> None:
    """A bad bundle beside a good signature, and the other way round."""
    world.shelf.referrers_api = api
    world.shelf.put_bundle(world.digest, signed_bundle(THEIRS, world.digest))
    world.shelf.sign(world.digest, OURS, world.repository)
    assert world.verify().form == "signature"
    assert world.verify(THEIRS.key).form == "bundle"


def test_one_good_signature_among_several_suffices(world: World) -> None:
    """Whatever else was pushed beside it, of whatever shape."""
    world.shelf.put_bundle(world.digest, b"{")
    world.shelf.put_bundle(world.digest, signed_bundle(THEIRS, world.digest))
    world.shelf.put_bundle(world.digest, signed_bundle(OURS, OTHER))
    world.shelf.put_bundle(world.digest, signed_bundle(OURS, world.digest))
    assert world.verify().form == "bundle"
    other = world.shelf.image(("linux/arm64",))
    world.shelf.put_layers(other, None, "x", {}, layer(b"never pushed", b""))
    for repository in ("elsewhere/app", world.repository):
        world.shelf.sign(other, OURS, repository)
    assert world.verify(digest=other).form == "signature"


def test_an_image_that_nobody_signed(world: World) -> None:
    """Says so, and how to sign it."""
    error = world.refused()
    assert (error.reason, error.source) == ("SignatureMissing", f"{world.repository}:1@{world.digest}")
    assert error.message == "not signed by p256.pub: it has no signature at all"
    assert f"cosign sign --key KEY {world.repository}@{world.digest}" in str(error.hint)


def test_the_error_says_of_each_signature_what_is_wrong_with_it(world: World) -> None:
    """Its reason is the weightiest: somebody else's signature."""
    world.shelf.put_bundle(world.digest, signed_bundle(OURS, world.digest, predicateType="https://spdx.dev/Document"))
    world.shelf.put_bundle(world.digest, signed_bundle(OURS, OTHER))
    world.shelf.sign(world.digest, OURS, "elsewhere/app")
    error = world.refused()
    assert error.reason == "SignatureMismatch"
    assert error.message == (
        "not signed by p256.pub: "
        "bundle 1 of 2: it is an attestation (https://spdx.dev/Document), not a signature; "
        f"bundle 2 of 2: it is of {OTHER}; "
        f"signature 1 of 1: it is for the repository elsewhere/app, not {world.repository}"
    )
    world.shelf.sign(world.digest, THEIRS, world.repository)
    error = world.refused(OURS.key, signer("rsa").key)
    assert error.reason == "SignatureInvalid"
    assert "not signed by p256.pub or rsa.pub: " in error.message
    assert "signature 2 of 2: none of the keys made it" in error.message


@pytest.mark.parametrize(
    ("changes", "reason", "said"),
    [
        ({"artifactType": "application/spdx+json"}, "SignatureMissing", "no signature but application/spdx+json"),
        ({"artifactType": None}, "SignatureMissing", "of no type"),
        ({"layers": []}, "SignatureUnreadable", "layers"),
        ({"layers": {}}, "SignatureUnreadable", "layers"),
        ({"layers": [{}]}, "SignatureUnreadable", "digest"),
        ({"layers": [{"digest": OTHER, "mediaType": "x", "size": LIMIT + 1}]}, "SignatureUnreadable", "1024 kB"),
        ({"layers": [{"digest": OTHER, "mediaType": "x", "size": 5}]}, "SignatureUnreadable", "does not have it"),
        ({"layers": [{"digest": "sha256:../x", "mediaType": "x", "size": 5}]}, "SignatureUnreadable", "digest"),
        ({"mediaType": "x"}, "SignatureUnreadable", "says of itself"),
    ],
)
def test_what_is_no_bundle_is_refused(world: World, changes: dict[str, Any], reason: str, said: str) -> None:
    """Whoever may push may push anything, and the tag's index does not say of what type it is."""
    world.shelf.put_bundle(world.digest, signed_bundle(OURS, world.digest), **changes)
    error = world.refused()
    assert error.reason == reason
    assert said in error.message
    assert "bundle 1 of 1" in error.message


def test_a_manifest_that_says_its_type_twice_is_refused(world: World) -> None:
    """As every document here."""
    manifest = b'{"artifactType": "x", "artifactType": "%b", "layers": []}' % bundles.BUNDLE.encode()
    world.shelf.referrers_api = True
    entry = {"mediaType": "x", "digest": world.shelf.put(manifest), "size": 1, "artifactType": bundles.BUNDLE}
    world.shelf.referrers[world.digest] = [entry]
    assert "manifest is not JSON that can be relied on" in world.refused().message


@pytest.mark.parametrize("manifest", [b"{", b"[]", b"{}", b'{"layers": 1}', b'{"layers": [], "layers": []}'])
def test_what_lies_under_the_signatures_tag_may_be_anything(world: World, manifest: bytes) -> None:
    """It is said to be unreadable, and a bundle is found all the same."""
    world.shelf.put(manifest, f"{world.digest.replace(':', '-')}.sig")
    error = world.refused()
    assert error.reason == "SignatureUnreadable"
    assert "signatures: " in error.message
    world.shelf.put_bundle(world.digest, signed_bundle(OURS, world.digest))
    assert world.verify().form == "bundle"


def test_what_lies_under_the_referrers_tag_may_be_anything(world: World) -> None:
    """It does not hide a signature."""
    world.shelf.put(b'{"manifests": [{}]}', world.digest.replace(":", "-"))
    assert world.refused().reason == "SignatureUnreadable"
    world.shelf.sign(world.digest, OURS, world.repository)
    assert world.verify().form == "signature"


@pytest.mark.parametrize(
    ("changes", "reason", "said"),
    [
        ({"mediaType": "application/vnd.dsse.envelope.v1+json"}, "SignatureMismatch", "vnd.dsse.envelope"),
        ({"annotations": {}}, "SignatureUnreadable", "annotations"),
        ({"annotations": None}, "SignatureUnreadable", "annotations"),
        ({"annotations": {"dev.cosignproject.cosign/signature": "%"}}, "SignatureUnreadable", "base64"),
        ({"size": LIMIT + 1}, "SignatureUnreadable", "1024 kB"),
        ({"size": "5"}, "SignatureUnreadable", "descriptor"),
        ({"digest": OTHER}, "SignatureUnreadable", "does not have it"),
    ],
)
def test_what_is_no_signature_is_refused(world: World, changes: dict[str, Any], reason: str, said: str) -> None:
    """An attestation's envelope under the tag of signatures, for one."""
    content = payload(world.repository, world.digest)
    world.shelf.put_blob(content)
    world.shelf.put_layers(world.digest, layer(content, OURS.sign(content), **changes))
    error = world.refused()
    assert error.reason == reason
    assert said in error.message


def test_a_blob_that_is_larger_than_it_says_is_not_read(world: World) -> None:
    """Its size is what somebody wrote; a registry sends what it has."""
    large = b" " * LIMIT + signed_bundle(OURS, world.digest)
    described = {"mediaType": bundles.BUNDLE, **world.shelf.put_blob(large), "size": 5}
    world.shelf.put_bundle(world.digest, b"", layers=[described])
    error = world.refused()
    assert error.reason == "SignatureUnreadable"
    assert f"more than {LIMIT} bytes" in error.message


def test_a_registry_that_swaps_a_blob_is_not_believed(world: World) -> None:
    """What it sends has to have the digest under which it was asked for."""
    world.shelf.put_bundle(world.digest, b"{}")
    world.shelf.blobs[digest_of(b"{}")] = signed_bundle(OURS, world.digest)
    assert world.refused().reason == "SignatureUnreadable"


def test_so_many_signatures_are_looked_at(world: World) -> None:
    """Pushing more than that keeps an image from being deployed, which whoever may push can do anyway."""
    world.shelf.put_layers(world.digest, *[{}] * (MOST - 1))
    world.shelf.sign(world.digest, OURS, world.repository)
    assert world.verify().form == "signature"
    world.shelf.manifests.pop(f"{world.digest.replace(':', '-')}.sig")
    world.shelf.put_layers(world.digest, *[{}] * MOST)
    world.shelf.sign(world.digest, OURS, world.repository)
    error = world.refused()
    assert error.reason == "SignatureUnreadable"
    assert error.message.endswith(f"; and {MOST + 1 - 10} more")
    assert len(error.message) < 2000


def outage(part: str, reply: Reply) -> Callable[[Asked], Reply | None]:
    return lambda asked: reply if part in asked.path else None


@pytest.mark.parametrize("part", ["/referrers/", "/manifests/sha256-", "/blobs/"])
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(500), "RegistryBadAnswer"),
        (Reply(429), "RegistryRateLimited"),
        (Reply(403), "RegistryUnauthorized"),
        (Reply(cut=True), "RegistryUnreachable"),
    ],
)
def test_an_outage_is_not_a_missing_signature(world: World, part: str, reply: Reply, reason: str) -> None:
    """What could not be looked at may be good: the registry's own error, and no verdict."""
    world.shelf.sign(world.digest, THEIRS, world.repository)
    world.shelf.put_bundle(world.digest, signed_bundle(THEIRS, world.digest))
    world.shelf.instead = outage(part, reply)
    assert world.unknown().reason == reason


def test_an_outage_does_not_matter_beside_a_signature_that_passes(world: World) -> None:
    """One suffices."""
    world.shelf.sign(world.digest, OURS, world.repository)
    world.shelf.instead = outage("/referrers/", Reply(403))
    assert world.verify().form == "signature"


@pytest.mark.parametrize("form", ["bundle", "signature"])
def test_a_signature_of_one_platform_is_not_the_images(world: World, form: str) -> None:
    """The index says what belongs to the image, and it can be exchanged around a signed part."""
    world.digest = world.shelf.image(("linux/arm64", "linux/amd64"))
    part = world.shelf.parts["linux/amd64"]
    if form == "bundle":
        world.shelf.put_bundle(part, signed_bundle(OURS, part))
    else:
        world.shelf.sign(part, OURS, world.repository)
    error = world.refused()
    assert error.reason == "SignatureMissing"
    assert "only its manifest for linux/amd64 is signed" in error.message
    assert "--recursive" in str(error.hint)
    assert "no signature at all" in world.refused(THEIRS.key).message
    assert world.verify(digest=part).form == form


def test_an_image_without_index_has_no_parts_to_look_at(world: World) -> None:
    """It is asked for once, to learn that."""
    world.refused(digest=world.shelf.parts["linux/amd64"])
    assert [path.partition("/")[0] for path in world.asked()] == ["referrers", *["manifests"] * 3]


def test_a_digest_that_the_registry_does_not_have(world: World) -> None:
    """Has no signature either."""
    assert world.refused(digest=OTHER).reason == "SignatureMissing"
    for digest in ("sha256:x", "", f"sha512:{'0' * 128}"):
        with pytest.raises(SignatureError) as caught:
            verify(world.client, world.repository, digest, (OURS.key,))
        assert caught.value.reason == "SignatureMissing"


def test_without_keys_nothing_passes(world: World) -> None:
    """Whoever asks for it by mistake gets no yes."""
    world.shelf.sign(world.digest, OURS, world.repository)
    with pytest.raises(SignatureError):
        verify(world.client, world.repository, world.digest, ())


def test_a_key_that_cannot_be_used_is_found_before_anything_is_asked(world: World) -> None:
    """It is the spec's fault, not the registry's."""
    assert world.refused(PublicKey("a.pub", "x")).reason == "KeyUnusable"
    assert not world.server.asked


def test_without_the_extra_the_error_says_what_to_install() -> None:
    """In a process of its own, which has no cryptography."""
    program = """
import sys
sys.modules["cryptography"] = None
from reconciler.errors import SignatureError
from reconciler.images.verify.verifier import verify
try:
    verify(None, "team/app:1", "sha256:" + "0" * 64, ())
except SignatureError as error:
    print(error.reason, error)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.startswith(f"VerifierMissing team/app:1@sha256:{'0' * 64}: signatures cannot be verified")
    assert "pip install 'reconciler[verify]'" in found.stdout


def test_the_extra_is_not_loaded_before_it_is_needed() -> None:
    """Most specs name no keys, and start-up time is a feature."""
    program = "import sys, reconciler.images.verify.verifier; print('cryptography' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
