"""Whether what a registry has is what an engine has, by the digests that each kind of engine knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.errors import RegistryError
from reconciler.images.registry.digests import ConfigDigest, ImageContent, Platform, PlatformDigest, normal_variant
from reconciler.images.registry.sameness import is_same
from reconciler.model.observed import EngineInfo
from reconciler.observation import image_content
from tests.support.signatures import Shelf
from tests.support.standin import INDEX, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.images.registry.client import RegistryClient
    from tests.support.standin import StandIn

LINUX = Platform("linux", "amd64")
ENGINE = EngineInfo("test", "id", "20.10", "1.41")
CONTAINERD = EngineInfo("test", "id", "28", "1.48", snapshotter=True)


class Place:
    """A registry with a repository, and a client to compare with."""

    def __init__(self, serve: Callable[..., StandIn], client: RegistryClient) -> None:
        self.shelf = Shelf()
        self.client = client
        self.repository = f"{serve(self.shelf).host}/{self.shelf.repository}"

    def same(self, digest: str, image: ImageContent) -> bool:
        """Whether the index of that digest has the image."""
        return is_same(self.client, self.repository, digest, image)

    def part(self, version: str) -> PlatformDigest:
        """The manifest of linux/amd64 in the index of that version."""
        (found,) = self.client.platforms(f"{self.repository}@{self.shelf.push(version)}")
        return found.digest


@pytest.fixture
def place(serve: Callable[..., StandIn], make_client: Callable[..., RegistryClient]) -> Place:
    return Place(serve, make_client())


def test_graph_drivers_know_an_image_by_its_configuration(place: Place) -> None:
    """However the index around it changed."""
    mine = ImageContent(LINUX, ConfigDigest(digest_of(b"a")))
    assert place.same(place.shelf.push("a", "windows"), mine)
    assert not place.same(place.shelf.push("b"), mine)


def test_containerd_knows_an_image_by_its_manifest(place: Place) -> None:
    """That of the platform, whatever else was pulled with it."""
    mine = ImageContent(LINUX, manifests=frozenset({place.part("a")}))
    assert place.same(place.shelf.push("a", "windows"), mine)
    assert not place.same(place.shelf.push("b"), mine)


def test_where_an_engine_does_not_say_the_index_that_it_pulled_is_looked_at(place: Place) -> None:
    """The repository still has it; any of several will do."""
    old = (place.shelf.push("z"), place.shelf.push("a"))
    mine = ImageContent(LINUX, indexes=old)
    assert place.same(place.shelf.push("a", "windows"), mine)
    assert not place.same(place.shelf.push("b"), mine)
    assert not place.same(old[1], ImageContent(LINUX))
    with pytest.raises(RegistryError):
        place.same(place.shelf.push("c"), ImageContent(LINUX, indexes=(digest_of(b"gone"),)))


def test_an_index_without_the_platform_has_another_image(place: Place) -> None:
    """Nothing of it could run here; and of two that could nobody knows which would."""
    mine = ImageContent(Platform("windows", "amd64"), ConfigDigest(digest_of(b"a")))
    assert not place.same(place.shelf.push("a"), mine)
    assert not place.same(place.shelf.push("a", "windows", "windows"), mine)


def test_one_manifest_without_an_index_is_of_any_platform(place: Place) -> None:
    """Only its configuration says which."""
    digest = place.part("a").value
    assert place.same(digest, ImageContent(LINUX, ConfigDigest(digest_of(b"a"))))
    assert place.same(digest, ImageContent(LINUX, manifests=frozenset({PlatformDigest(digest)})))


def test_what_a_graph_driver_says_of_an_image() -> None:
    """Its id is its configuration."""
    raw = {"Id": "sha256:1", "Os": "linux", "Architecture": "arm64", "Variant": "v8"}
    assert image_content(raw, ENGINE) == ImageContent(Platform("linux", "arm64"), ConfigDigest("sha256:1"))


def test_what_containerd_says_of_an_image() -> None:
    """Of its manifests those that are images and here; before API 1.48 only the indexes of its repositories."""
    manifests = [
        {"Kind": "image", "Available": True, "Descriptor": {"digest": "sha256:2", "mediaType": INDEX}},
        {"Kind": "image", "Available": False, "Descriptor": {"digest": "sha256:3"}},
        {"Kind": "attestation", "Available": True, "Descriptor": {"digest": "sha256:4"}},
    ]
    raw = {"Id": "sha256:1", "Os": "linux", "Architecture": "amd64", "RepoDigests": ["app@sha256:1"]}
    assert image_content(raw, CONTAINERD) == ImageContent(LINUX, indexes=("sha256:1",))
    found = image_content({**raw, "Manifests": manifests}, CONTAINERD)
    assert found == ImageContent(LINUX, manifests=frozenset({PlatformDigest("sha256:2")}), indexes=("sha256:1",))


@pytest.mark.parametrize(
    ("platform", "variant"),
    [
        ({"architecture": "arm64", "variant": "v8"}, ""),
        ({"Architecture": "arm64", "Variant": "v9"}, "v9"),
        ({"architecture": "arm", "variant": "v8"}, "v8"),
        ({"Architecture": "amd64", "Variant": None}, ""),
        ({}, ""),
    ],
)
def test_arm64_has_but_one_variant(platform: dict[str, str | None], variant: str) -> None:
    """v8 is how some write it."""
    assert normal_variant(platform) == variant
