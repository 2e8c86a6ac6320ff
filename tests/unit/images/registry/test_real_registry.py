from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import RegistryError
from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.credentials import Credential
from reconciler.images.registry.digests import ConfigDigest, IndexDigest, Manifest, Platform, PlatformDigest
from reconciler.images.registry.listing import Descriptor
from tests.support.real_registry import Registry, put, put_blob, running_registry

pytestmark = pytest.mark.registry
OCI = ("application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json")
DOCKER = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
CONFIG = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")


@pytest.fixture
def registry(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry", locked=getattr(request, "param", False)) as running:
        yield running


def stored(registry: Registry, kinds: tuple[str, str] = OCI, tag: str = "1") -> tuple[str, str, str]:
    """An image without layers for one platform; the digests of its index, its manifest and its configuration."""
    content = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}})
    config = put_blob(registry, "rc/app", content.encode())
    part = {"mediaType": CONFIG[kinds is DOCKER], "digest": config, "size": len(content)}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kinds[1], "config": part, "layers": []}).encode()
    child = put(registry, "rc/app", "child", kinds[1], manifest)
    entry = {"mediaType": kinds[1], "digest": child, "size": len(manifest)}
    entry |= {"platform": {"os": "linux", "architecture": "amd64"}}
    index = json.dumps({"schemaVersion": 2, "mediaType": kinds[0], "manifests": [entry]}).encode()
    return put(registry, "rc/app", tag, kinds[0], index), child, config


@pytest.mark.parametrize("kinds", [OCI, DOCKER], ids=["oci", "docker"])
def test_indexes_lists_and_manifests(
    registry: Registry, make_client: Callable[..., RegistryClient], kinds: Any
) -> None:
    """Every kind comes back as it was stored, whatever the registry would make of another Accept header."""
    index, child, config = stored(registry, kinds)
    client, reference = make_client(), f"{registry.address}/rc/app:1"
    assert client.digest(reference) == Manifest(IndexDigest(index), kinds[0])
    assert client.digest(f"{registry.address}/rc/app:child") == Manifest(IndexDigest(child), kinds[1])
    assert client.manifest(f"{registry.address}/rc/app@{index}").digest == IndexDigest(index)
    (platform,) = client.platforms(reference)
    assert (platform.digest, platform.platform) == (PlatformDigest(child), Platform("linux", "amd64"))
    assert client.config(reference, platform.digest) == ConfigDigest(config)


def test_what_a_registry_does_not_have(registry: Registry, make_client: Callable[..., RegistryClient]) -> None:
    """Neither the tag nor the repository."""
    stored(registry)
    found = make_client().resolve([f"{registry.address}/rc/app:2", f"{registry.address}/rc/none"])
    assert [item.reason for item in found.values() if isinstance(item, RegistryError)] == ["ImageNotFound"] * 2


@pytest.mark.parametrize("registry", [True], indirect=True)
def test_a_registry_with_a_password(
    registry: Registry, make_client: Callable[..., RegistryClient], known: dict[str, Credential]
) -> None:
    """Without one and with a wrong one it refuses; with the right one it answers."""
    index, _, _ = stored(registry)
    reference, client = f"{registry.address}/rc/app:1", make_client()
    for credential in (None, Credential("ci", "wrong")):
        if credential:
            known[registry.address] = credential
        client.begin()
        refused = client.resolve([reference])[reference]
        assert isinstance(refused, RegistryError)
        assert refused.reason == "RegistryUnauthorized"
    known[registry.address] = Credential("ci", "open-sesame")
    client.begin()
    assert client.resolve([reference])[reference] == Manifest(IndexDigest(index), OCI[0])


def test_lists_and_blobs(registry: Registry, make_client: Callable[..., RegistryClient]) -> None:
    """Tags, of a repository and of one that is none; a blob; and no referrers API, so that the tag counts."""
    index, child, config = stored(registry)
    client, reference = make_client(), f"{registry.address}/rc/app:1"
    assert sorted(client.tags(reference)) == ["1", "child"]
    with pytest.raises(RegistryError, match="does not have it"):
        client.tags(f"{registry.address}/rc/none")
    content = client.blob(reference, config, 1000)
    assert json.loads(content)["os"] == "linux"
    assert client.referrers(reference, index, "x/y") == ()
    entry = {"mediaType": OCI[1], "digest": child, "size": 5, "artifactType": "x/y"}
    listed = json.dumps({"schemaVersion": 2, "mediaType": OCI[0], "manifests": [entry]}).encode()
    put(registry, "rc/app", index.replace(":", "-"), OCI[0], listed)
    assert client.referrers(reference, index, "x/y") == (Descriptor(child, OCI[1], "x/y", 5),)
    assert client.referrers(reference, index, "x/z") == ()
