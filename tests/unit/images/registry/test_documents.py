from __future__ import annotations

import json

import pytest

from reconciler.errors import RegistryError
from reconciler.images.registry.digests import (
    ConfigDigest,
    IndexDigest,
    Manifest,
    Platform,
    PlatformDigest,
    PlatformManifest,
)
from reconciler.images.registry.documents import config_of, media_type_of, platforms_of
from tests.support.standin import INDEX, MANIFEST, digest_of, index

ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def made(document: object, media_type: str = INDEX) -> Manifest:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Manifest(IndexDigest(ONE), media_type, content)


def test_digests_of_different_kinds_are_never_equal() -> None:
    """Neither when they run nor for mypy, which refuses the comparison unless it is told not to."""
    assert IndexDigest(ONE) == IndexDigest(ONE)
    assert IndexDigest(ONE) != PlatformDigest(ONE)  # type: ignore[comparison-overlap]
    assert PlatformDigest(ONE) != ConfigDigest(ONE)  # type: ignore[comparison-overlap]
    assert ConfigDigest(ONE) != IndexDigest(ONE)  # type: ignore[comparison-overlap]


def test_an_index_lists_its_platforms() -> None:
    """Attestations are no platform; arm64 has one variant; what says nothing is listed as saying nothing."""
    entries = json.loads(index("linux/amd64", "linux/arm64/v8", "linux/arm/v7", "unknown/unknown"))
    entries["manifests"].append({"digest": ONE})
    found = platforms_of(made(entries), "x")
    assert [item.platform for item in found] == [
        Platform("linux", "amd64"),
        Platform("linux", "arm64"),
        Platform("linux", "arm", "v7"),
        None,
    ]
    assert found[0].digest == PlatformDigest(digest_of(b"linux/amd64"))


def test_a_manifest_is_its_only_platform() -> None:
    """Which one only its configuration says."""
    assert platforms_of(made({}, MANIFEST), "x") == (PlatformManifest(PlatformDigest(ONE), None),)


def test_config_digest() -> None:
    """It is what the manifest's config descriptor names."""
    assert config_of(made({"config": {"digest": TWO}}, MANIFEST), "x") == ConfigDigest(TWO)


@pytest.mark.parametrize(
    "document",
    [
        b"<html>",
        b"\xff",
        b"[" * 100_000,
        [],
        {"mediaType": MANIFEST, "manifests": []},
        {},
        {"manifests": {}},
        {"manifests": [1]},
        {"manifests": [{}]},
        {"manifests": [{"digest": 1}]},
        {"manifests": [{"digest": "sha256:1"}]},
    ],
)
def test_what_is_no_index_is_refused(document: object) -> None:
    """A type of its own that contradicts the header, another shape, a digest that is none."""
    with pytest.raises(RegistryError) as caught:
        platforms_of(made(document), "x")
    assert (caught.value.reason, caught.value.source) == ("RegistryBadAnswer", "x")


@pytest.mark.parametrize(
    ("content_type", "shown"),
    [("text/html; charset=utf-8", "text/html"), ("", "no media type"), ("a\x1bb", "no media type")],
)
def test_other_media_types_are_refused(content_type: str, shown: str) -> None:
    """A login page of a proxy is no manifest."""
    assert media_type_of(f"{INDEX.upper()}; charset=utf-8", "x") == INDEX
    with pytest.raises(RegistryError, match=shown):
        media_type_of(content_type, "x")
