"""Bind each service to an immutable image: what is local, what must be pulled, built or tagged first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Literal

from reconciler.model import labels
from reconciler.model.desired import NO_TAG, Desired, Target
from reconciler.model.local_images import local_image, repository_digest, with_digest
from reconciler.model.memory import Stable
from reconciler.model.observed import ImageState, Observed
from reconciler.model.operation import Difference, Kind, Operation
from reconciler.model.project import Build, Image, Service
from reconciler.model.references import Reference, parse_reference

HELD = "ImageHeld"


@dataclass(frozen=True)
class BoundImage:
    """A service's image: `ready` with an id and a reference to create from, or `needs` an operation, or `error`.

    `digest` is what stands in the label: the registry digest where there is one, else the image id. `reason` is the
    registry's, for the message or the warning. `why` says who chose this image, where it is not the one written, and
    `source` where that stands.
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
    why: str = ""
    source: str = ""


def bind_image(service: Service, desired: Desired, observed: Observed) -> BoundImage:
    """What this service's containers are created from, given what is local and what was decided before."""
    if service.image.build is not None:
        return _bind_build(service, desired, observed)
    target = desired.targets.get(service.name, Target(service.image.reference))
    reference = parse_reference(target.reference)
    if target.refused:
        source = service.source("x-reconcile.image.verify")
        return BoundImage("error", target.reference, message=target.error, reason=target.reason, source=source)
    if target.digest:
        return _bind_digest(service, desired, observed, target, target.digest)
    local = local_image(reference, observed.images)
    if local is None:
        message = _why_missing(service.image, target)
        return BoundImage("error", target.reference, message=message, reason=target.reason)
    warning = f"the local image is used, as no registry said what is newest: {target.error}" if target.error else ""
    bound = _ready(target.reference, reference, local)
    return replace(bound, warning=warning, reason=target.reason) if warning or target.reason else bound


def bind_stable(stable: Stable, observed: Observed) -> BoundImage:
    """The image of a definition that ran before, by its id; `error` where it is gone from the engine."""
    image = next((image for image in observed.images if image.id == stable.image_id), None)
    if image is None:
        message = f"image {stable.image_id.removeprefix('sha256:')[:12]} ({stable.reference}) is gone from the engine"
        return BoundImage("error", stable.reference, digest=stable.digest, message=message)
    source = stable.create_from if _names(stable.create_from, image) else stable.image_id
    return BoundImage("ready", stable.reference, image, source, stable.digest)


def _names(text: str, image: ImageState) -> bool:
    """Whether the text, which may be `name:tag@digest`, names the image on its engine."""
    reference = parse_reference(text)
    named = f"{reference.repository}@{reference.digest}" if reference.digest else text
    return named in {*image.tags, *image.digests}


def _bind_build(service: Service, desired: Desired, observed: Observed) -> BoundImage:
    build = service.image.build
    if build is None or not build.key:
        message = (build and build.trouble) or "the build has no content key"
        return BoundImage("error", service.image.reference, message=message, reason=build.reason if build else "")
    written = service.image.reference or build.tag
    built = built_image(build, observed.images)
    if built is None:
        return BoundImage("needs", written, operation=_build_operation(service, build, desired))
    missing = next((name for name in _own_names(service, build, desired) if name not in built.tags), "")
    if missing:
        return BoundImage("needs", written, operation=_naming(service, build, desired, built, missing))
    return BoundImage("ready", written, built, build.tag, built.id, warning=build.trouble, reason=build.reason)


def build_id(build: Build) -> str:
    """The id of the operation that builds: what has the same key is built once."""
    return f"image.build:{build.key}"


def build_tags(service: Service, build: Build) -> tuple[str, ...]:
    """The names of what is built, each once: the tag of its content, the service's `image`, `build.tags`."""
    reference = (service.image.reference,) if service.image.reference else ()
    written = (parse_reference(name).tagged for name in (*reference, *build.tags))
    return tuple(dict.fromkeys((build.tag, *written)))


def built_image(build: Build, images: tuple[ImageState, ...]) -> ImageState | None:
    """The image with this key: by its label, which others can build on top of, and by a tag, which others can move."""
    same = [image for image in images if image.labels.get(labels.BUILD_KEY) == build.key]
    named = next((image for image in same if build.tag in image.tags), None)
    ending = build.tag.rpartition(":")[2]
    return named or next((image for image in same if any(tag.endswith(f":{ending}") for tag in image.tags)), None)


def _own_names(service: Service, build: Build, desired: Desired) -> tuple[str, ...]:
    """The names of what is built, but for those that an earlier service gives to another build."""
    earlier = takewhile(lambda other: other.name != service.name, desired.project.services)
    builds = ((other, other.image.build) for other in earlier if other.image.build)
    others = {name for other, made in builds if made.key != build.key for name in build_tags(other, made)}
    return tuple(name for name in build_tags(service, build) if name not in others)


def _build_operation(service: Service, build: Build, desired: Desired) -> Operation:
    reason = "no image has been built from this context and Dockerfile yet"
    cause = Difference("build", None, build.tag, service.source("build"), reason)
    tags = _own_names(service, build, desired)
    payload = {"build": build, "tags": tags, "platform": service.image.platform}
    return replace(_operation("image.build", build.tag, desired, service, cause, payload), id=build_id(build))


def _naming(service: Service, build: Build, desired: Desired, built: ImageState, name: str) -> Operation:
    field = "build.tags" if name in {parse_reference(tag).tagged for tag in build.tags} else "image"
    source = service.source("build" if name == build.tag else field)
    cause = Difference(field, None, name, source, "names what was built")
    reference = parse_reference(name)
    payload = {"image": built.id, "repository": reference.repository, "tag": reference.tag or "latest"}
    return _operation("image.tag", name, desired, service, cause, payload)


def _bind_digest(service: Service, desired: Desired, observed: Observed, target: Target, digest: str) -> BoundImage:
    reference = parse_reference(target.reference)
    pinned = f"{reference.repository}@{digest}"
    same = next((image for image in observed.images if image.id == target.same_as), None)
    present = with_digest(reference.repository, digest, observed.images) or same
    if present is None and service.image.pull_policy == "never":
        return BoundImage("error", target.reference, message=_why_missing(service.image, target), reason=target.reason)
    if present is None:
        source = target.source or service.source("image")
        cause = Difference("image", None, reference.pinned(digest), source, _why_pull(target))
        payload = {"reference": pinned, "platform": service.image.platform}
        operation = _operation("image.pull", pinned, desired, service, cause, payload)
        return BoundImage("needs", target.reference, operation=operation)
    if reference.digest is None and reference.tagged not in present.tags and not target.held and not target.error:
        source = pinned if present is not same else present.id
        cause = Difference("image", None, reference.tagged, service.source("image"), "names the pulled image locally")
        payload = {"image": source, "repository": reference.repository, "tag": reference.tag or "latest"}
        operation = _operation("image.tag", reference.tagged, desired, service, cause, payload)
        return BoundImage("needs", target.reference, operation=operation)
    found = _ready(target.reference, reference, present) if present is same else None
    create_from = reference.pinned(digest) if pinned in present.digests else present.id
    bound = found or BoundImage("ready", target.reference, present, create_from, digest)
    warning, reason = _not_asked(target), target.reason
    if not warning and (held := _held_as_written(service.image, target)):
        warning, reason = held, HELD
    return replace(bound, warning=warning, reason=reason, why=target.why, source=target.source)


def _ready(written: str, reference: Reference, local: ImageState) -> BoundImage:
    digest = reference.digest or repository_digest(reference.repository, local)
    if digest is None:
        return BoundImage("ready", written, local, local.id, local.id)
    return BoundImage("ready", written, local, reference.pinned(digest), digest)


def _why_missing(image: Image, target: Target) -> str:
    if image.pull_policy == "never":
        wanted = f"{image.pin.reference}@{image.pin.digest}" if image.pin else image.reference
        return f"image {wanted} is not on the engine and pull_policy is never"
    reason = target.error or "its registry was not asked"
    return f"image {image.reference} is not on the engine and cannot be pulled: {reason}"


def _not_asked(target: Target) -> str:
    if target.reason == NO_TAG:
        return f"nothing newer is taken: {target.error}"
    return f"nothing newer is taken, as no registry said what is newest: {target.error}" if target.error else ""


def _held_as_written(image: Image, target: Target) -> str:
    """That the spec's own tag is held back: nobody expects what else runs. A newer one than that is no news."""
    written = parse_reference(image.reference).tagged
    held = next((item for item in target.held if parse_reference(item.reference).tagged == written), None)
    if held is None or held.by == "signature" or parse_reference(target.reference).tagged == written:
        return ""
    return f"{target.reference} runs on, and {written} as the spec says is held back: {held.message}"


def _why_pull(target: Target) -> str:
    return target.why or "not on the engine yet"


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
