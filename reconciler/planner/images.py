"""Bind each service to an immutable image: what is local, what must be pulled, built or tagged first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from reconciler.model.desired import Desired
from reconciler.model.memory import Stable
from reconciler.model.observed import ImageState, Observed, RegistryAnswer
from reconciler.model.operation import Difference, Kind, Operation
from reconciler.model.project import Image, Project, Service
from reconciler.model.references import Reference, parse_reference


@dataclass(frozen=True)
class BoundImage:
    """A service's image: `ready` with an id and a reference to create from, or `needs` an operation, or `error`.

    `digest` is what stands in the label: the registry digest where there is one, else the image id. `reason` is the
    registry's, for the message or the warning.
    """

    state: Literal["ready", "needs", "error"]
    reference: str
    image: ImageState | None = None
    create_from: str = ""
    digest: str = ""
    operation: Operation | None = None
    message: str = ""
    warning: str = ""
    reason: str = ""


def registry_questions(project: Project, images: tuple[ImageState, ...]) -> tuple[str, ...]:
    """The references to ask registries for before planning: of services that run, not local or to be refreshed."""
    wanted = {
        service.image.reference
        for service in project.services
        if service.image.build is None
        and service.replicas
        and (
            service.image.pull_policy == "always"
            or (
                service.image.pull_policy == "missing"
                and _local(parse_reference(service.image.reference), images) is None
            )
        )
    }
    return tuple(sorted(wanted))


def bind_image(service: Service, desired: Desired, observed: Observed) -> BoundImage:
    """What this service's containers are created from, given what is local and what the registry said."""
    if service.image.build is not None:
        return _bind_build(service, desired, observed)
    answer = desired.registry.get(service.image.reference, RegistryAnswer())
    reference = parse_reference(service.image.reference)
    local = _local(reference, observed.images)
    if answer.digest:
        return _bind_digest(service, desired, observed, reference, answer.digest)
    if local is None:
        message, reason = _why_missing(service.image, answer), answer.reason
        return BoundImage("error", service.image.reference, message=message, reason=reason)
    warning = f"the local image is used, as no registry said what is newest: {answer.error}" if answer.error else ""
    return replace(_ready(service.image.reference, reference, local), warning=warning, reason=answer.reason)


def bind_stable(stable: Stable, observed: Observed) -> BoundImage:
    """The image of a definition that ran before, by its id; `error` where it is gone from the engine."""
    image = next((image for image in observed.images if image.id == stable.image_id), None)
    if image is None:
        message = f"image {stable.image_id.removeprefix('sha256:')[:12]} ({stable.reference}) is gone from the engine"
        return BoundImage("error", stable.reference, digest=stable.digest, message=message)
    source = stable.create_from if stable.create_from in {*image.tags, *image.digests} else stable.image_id
    return BoundImage("ready", stable.reference, image, source, stable.digest)


def _bind_build(service: Service, desired: Desired, observed: Observed) -> BoundImage:
    build = service.image.build
    if build is None or not build.tag:
        return BoundImage("error", service.image.reference, message="the build has no content key")
    written = service.image.reference or build.tag
    built = next((image for image in observed.images if build.tag in image.tags), None)
    if built is not None:
        return BoundImage("ready", written, built, build.tag, built.id)
    reference = (service.image.reference,) if service.image.reference else ()
    tags = tuple(dict.fromkeys((build.tag, *reference, *build.tags)))
    cause = Difference(
        "build",
        None,
        build.tag,
        service.source("build"),
        "no image has been built from this context and Dockerfile yet",
    )
    operation = _operation(
        "image.build",
        build.tag,
        desired,
        service,
        cause,
        {"build": build, "tags": tags, "platform": service.image.platform},
    )
    return BoundImage("needs", written, operation=operation)


def _bind_digest(
    service: Service, desired: Desired, observed: Observed, reference: Reference, digest: str
) -> BoundImage:
    pinned = f"{reference.repository}@{digest}"
    present = next((image for image in observed.images if pinned in image.digests or image.id == digest), None)
    written = service.image.reference
    if present is None:
        cause = Difference("image", None, reference.pinned(digest), service.source("image"), _why_pull(service.image))
        payload = {"reference": pinned, "platform": service.image.platform}
        return BoundImage(
            "needs", written, operation=_operation("image.pull", pinned, desired, service, cause, payload)
        )
    if reference.digest is None and reference.tagged not in present.tags:
        cause = Difference("image", None, reference.tagged, service.source("image"), "names the pulled image locally")
        payload = {"image": pinned, "repository": reference.repository, "tag": reference.tag or "latest"}
        operation = _operation("image.tag", reference.tagged, desired, service, cause, payload)
        return BoundImage("needs", written, operation=operation)
    return BoundImage("ready", written, present, reference.pinned(digest), digest)


def _ready(written: str, reference: Reference, local: ImageState) -> BoundImage:
    digest = reference.digest or _repository_digest(reference.repository, local)
    if digest is None:
        return BoundImage("ready", written, local, local.id, local.id)
    return BoundImage("ready", written, local, reference.pinned(digest), digest)


def _repository_digest(repository: str, image: ImageState) -> str | None:
    found = sorted(digest.partition("@")[2] for digest in image.digests if digest.partition("@")[0] == repository)
    return found[0] if found else None


def _local(reference: Reference, images: tuple[ImageState, ...]) -> ImageState | None:
    if reference.repository == "sha256" and reference.tag:
        return next((image for image in images if image.id.removeprefix("sha256:").startswith(reference.tag)), None)
    if reference.digest:
        pinned = f"{reference.repository}@{reference.digest}"
        return next((image for image in images if pinned in image.digests), None)
    return next((image for image in images if reference.tagged in image.tags), None)


def _why_missing(image: Image, answer: RegistryAnswer) -> str:
    if image.pull_policy == "never":
        return f"image {image.reference} is not on the engine and pull_policy is never"
    reason = answer.error or "its registry was not asked"
    return f"image {image.reference} is not on the engine and cannot be pulled: {reason}"


def _why_pull(image: Image) -> str:
    return "the registry has another digest" if image.pull_policy == "always" else "not on the engine yet"


def _operation(
    kind: Kind, resource: str, desired: Desired, service: Service, cause: Difference, payload: Mapping[str, object]
) -> Operation:
    return Operation(
        id=f"{kind}:{resource}",
        kind=kind,
        resource=resource,
        project=desired.project.name,
        service=service.name,
        target=resource,
        cause=(cause,),
        payload=payload,
    )
