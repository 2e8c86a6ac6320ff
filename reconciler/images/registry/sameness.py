"""Whether an index that a registry has now is, on one platform, the image that an engine has already.

An index changes whenever a build for another platform or an attestation is added: what runs here stays the same.
Configurations are compared with configurations and platform manifests with platform manifests, never across.
"""

from __future__ import annotations

from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.digests import ImageContent, Platform, PlatformDigest


def is_same(client: RegistryClient, repository: str, digest: str, image: ImageContent) -> bool:
    """Whether the repository's index of that digest has the image for its platform. Raises RegistryError."""
    named = f"{repository}@{digest}"
    found = _of_platform(client, named, image.platform)
    if found is None:
        return False
    if image.config:
        return client.config(named, found) == image.config
    if image.manifests:
        return found in image.manifests
    return any(_of_platform(client, f"{repository}@{index}", image.platform) == found for index in image.indexes)


def _of_platform(client: RegistryClient, reference: str, platform: Platform) -> PlatformDigest | None:
    """The manifest for the platform; None where there is none, or several."""
    listed = client.platforms(reference)
    exact = [item.digest for item in listed if item.platform in {None, platform}]
    return exact[0] if len(exact) == 1 else None
