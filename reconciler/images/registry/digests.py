"""The three digests that an image has, each a type of its own: comparing across kinds is an error that mypy finds.

An image index (or the one manifest, where there is no index) is what a tag names; a platform manifest is what one
architecture runs; a configuration is what engines with graph drivers call the image's id (OCI image specification).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_FORM = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


@dataclass(frozen=True)
class IndexDigest:
    """What a registry has under a tag: the digest to pin and to pull by."""

    value: str


@dataclass(frozen=True)
class PlatformDigest:
    """The manifest of one platform of an image."""

    value: str


@dataclass(frozen=True)
class ConfigDigest:
    """The configuration that one platform's manifest names."""

    value: str


@dataclass(frozen=True)
class Platform:
    """Operating system, architecture and variant ("" where there is none; arm64 has but one) of a manifest."""

    os: str
    architecture: str
    variant: str = ""


@dataclass(frozen=True)
class Manifest:
    """What a registry has under a reference; `content` is empty where only the digest was asked for."""

    digest: IndexDigest
    media_type: str
    content: bytes = b""


@dataclass(frozen=True)
class PlatformManifest:
    """One platform's manifest of an image; `platform` is None where only its configuration says which it is."""

    digest: PlatformDigest
    platform: Platform | None


@dataclass(frozen=True)
class ImageContent:
    """A local image: its platform, and the digests by which its content is known.

    On an engine with a graph driver that is the `config`; on one with the containerd image store they are `manifests`
    (GET /images/{name}/json?manifests=1, API 1.48), else `indexes`: what the repository had when it was pulled.
    """

    platform: Platform
    config: ConfigDigest | None = None
    manifests: frozenset[PlatformDigest] = frozenset()
    indexes: tuple[str, ...] = ()


def normal_variant(platform: Mapping[str, Any]) -> str:
    """The variant of a platform (`architecture`, `variant`, in either case): arm64 has but one."""
    found = {
        key.lower(): str(value or "") for key, value in platform.items() if key.lower() in {"architecture", "variant"}
    }
    same = (found.get("architecture"), found.get("variant")) == ("arm64", "v8")
    return "" if same else found.get("variant", "")


def is_digest(text: str) -> bool:
    """Whether the text is a digest of a kind that can be verified here (OCI image specification, descriptor)."""
    return bool(_FORM.fullmatch(text))


def digest_like(wanted: str, content: bytes) -> str:
    """The digest of the content, by the algorithm of a digest that is expected."""
    algorithm = wanted.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def sha256(content: bytes) -> str:
    """The digest by which registries name the content."""
    return digest_like("sha256:", content)
