"""Which image an engine means by a reference: found by id, digest or tag (Engine API, ImageInspect)."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.observed import ImageState
from reconciler.model.references import Reference


def local_image(reference: Reference, images: Iterable[ImageState]) -> ImageState | None:
    """The image that the reference names on the engine, None where it names none."""
    if reference.repository == "sha256" and reference.tag:
        return next((image for image in images if image.id.removeprefix("sha256:").startswith(reference.tag)), None)
    if reference.digest:
        return with_digest(reference.repository, reference.digest, images)
    tagged = reference.tagged
    return next((image for image in images if tagged in image.tags), None)


def with_digest(repository: str, digest: str, images: Iterable[ImageState]) -> ImageState | None:
    """The image that came from the repository under that digest, or whose id it is; None where there is none."""
    pinned = f"{repository}@{digest}"
    return next((image for image in images if pinned in image.digests or image.id == digest), None)


def repository_digest(repository: str, image: ImageState) -> str | None:
    """A digest under which the image came from the repository; None for one that did not."""
    found = sorted(digest.partition("@")[2] for digest in image.digests if digest.partition("@")[0] == repository)
    return found[0] if found else None
