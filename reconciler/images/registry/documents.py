"""Manifests and indexes as registries write them (OCI image specification; Docker's schema 2), read strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reconciler.errors import RegistryError
from reconciler.images.registry.digests import (
    ConfigDigest,
    Manifest,
    Platform,
    PlatformDigest,
    PlatformManifest,
    is_digest,
    normal_variant,
)

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
INDEXES = (OCI_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
_UNKNOWN = "unknown"


def media_type_of(content_type: str, source: str) -> str:
    """The media type of an answer, without parameters. RegistryError where it is none that was asked for."""
    found = content_type.partition(";")[0].strip().lower()
    if found not in INDEXES + MANIFESTS:
        raise bad_answer(f"the registry answered with {_shown(found)} instead of an image manifest", source)
    return found


def read(manifest: Manifest, source: str) -> Mapping[str, Any]:
    """The manifest's JSON object. RegistryError where it is none, or says that it is of another type."""
    try:
        document = json.loads(manifest.content)
    except (ValueError, RecursionError) as error:
        raise bad_answer("the registry's manifest is not JSON", source) from error
    if not isinstance(document, dict):
        raise bad_answer("the registry's manifest is not a JSON object", source)
    if document.get("mediaType", manifest.media_type) != manifest.media_type:
        raise bad_answer(f"the manifest says of itself that it is not {manifest.media_type}", source)
    return document


def platforms_of(manifest: Manifest, source: str) -> tuple[PlatformManifest, ...]:
    """The platform manifests of an image; of one without index the manifest itself. Attestations are left out."""
    document = read(manifest, source)
    if manifest.media_type in MANIFESTS:
        return (PlatformManifest(PlatformDigest(manifest.digest.value), None),)
    entries = document.get("manifests")
    if not isinstance(entries, list):
        raise bad_answer("the registry's index lists no manifests", source)
    found = (PlatformManifest(PlatformDigest(_digest(entry, source)), _platform(entry)) for entry in entries)
    return tuple(item for item in found if item.platform is None or item.platform.os != _UNKNOWN)


def config_of(manifest: Manifest, source: str) -> ConfigDigest:
    """The configuration's digest of one platform's manifest. RegistryError where it names none."""
    return ConfigDigest(_digest(read(manifest, source).get("config"), source))


def bad_answer(message: str, source: str) -> RegistryError:
    """An answer that no registry should give."""
    hint = "see whether a proxy answers in the registry's place"
    return RegistryError(message, reason="RegistryBadAnswer", source=source, hint=hint)


def _digest(descriptor: object, source: str) -> str:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(digest, str) or not is_digest(digest):
        raise bad_answer("the registry's manifest names something without a digest", source)
    return digest


def _platform(entry: Mapping[str, Any]) -> Platform | None:
    said = entry.get("platform")
    if not isinstance(said, dict):
        return None
    return Platform(str(said.get("os") or ""), str(said.get("architecture") or ""), normal_variant(said))


def _shown(text: str) -> str:
    return text[:80] if text.isprintable() and text else "no media type"
