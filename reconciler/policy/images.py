"""Rules about the images that services run and builds start from: where they come from, how firmly they are named."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from reconciler.model.project import JSON, Build, PublicKey, Service
from reconciler.model.references import parse_reference, split_host
from reconciler.policy.builds import cached_images
from reconciler.policy.host_paths import mounts, shown
from reconciler.policy.rule import Finding, Ground

IMAGE_CONTEXT = "docker-image://"
_FRONTEND = "BUILDKIT_SYNTAX"


@dataclass(frozen=True)
class Used:
    """An image that is used: its reference, the spec's field that names it.

    `runs` says that a service runs it as it comes from a registry; `pinned` that its digest is written or in the lock;
    `keys` are those of which one must have signed it.
    """

    reference: str
    field: str = "image"
    runs: bool = False
    pinned: bool = False
    keys: tuple[PublicKey, ...] = ()


def images_of(service: Service, ground: Ground) -> Iterator[Used]:
    """The images that a service runs, is built from, or mounts."""
    image = service.image
    if image.build is None:
        pinned = image.pin is not None or parse_reference(image.reference).digest is not None
        yield Used(image.reference, runs=True, pinned=pinned, keys=image.keys)
    else:
        yield from images_of_build(image.build, ground)
    yield from mounted_images(service.container)


def mounted_images(body: JSON) -> Iterator[Used]:
    """The images that a container mounts."""
    for mount in mounts(body):
        if mount.get("Type") == "image":
            yield Used(mount.get("Source") or "", f"volumes.{mount.get('Target', '')}")


def images_of_build(build: Build, ground: Ground) -> Iterator[Used]:
    """The images that a build starts from, copies from, is driven by, or takes its cache from."""
    contexts = (place.removeprefix(IMAGE_CONTEXT) for _, place in build.contexts if place.startswith(IMAGE_CONTEXT))
    frontends = (value for name, value in build.args if name == _FRONTEND)
    found = (*ground.base_images(build), *contexts, *frontends, *cached_images(build))
    return (Used(reference, "build") for reference in dict.fromkeys(found))


def registries(image: Used, allowed: tuple[str, ...], _: Ground) -> Iterator[Finding]:
    """Registries beside the allowed ones, by their host as references name it."""
    host = split_host(parse_reference(image.reference).repository)[0]
    if host not in allowed:
        yield Finding(image.field, f"the image {shown(image.reference)} of the registry {shown(host)}", host)


def repositories(image: Used, allowed: tuple[str, ...], _: Ground) -> Iterator[Finding]:
    """Repositories that no pattern names, in full (`docker.io/library/redis`) or as Docker shortens them (`redis`)."""
    short = parse_reference(image.reference).repository
    names = (short, "/".join(split_host(short)))
    if not any(fnmatchcase(name, pattern) for name in names for pattern in allowed):
        yield Finding(image.field, f"the image {shown(image.reference)}", names[1])


def latest(image: Used, _: object, __: Ground) -> Iterator[Finding]:
    """Tags that say nothing: `latest`, or none."""
    reference = parse_reference(image.reference)
    if image.runs and not image.pinned and reference.tag in {None, "latest"}:
        yield Finding(image.field, f"the image {shown(image.reference)} without a version")


def unpinned(image: Used, _: object, __: Ground) -> Iterator[Finding]:
    """Images without a digest, neither in the spec nor in `reconcile.lock`."""
    if image.runs and not image.pinned:
        yield Finding(image.field, f"the image {shown(image.reference)} without a digest, and not in reconcile.lock")


def unsigned(image: Used, trusted: tuple[str, ...] | bool, _: Ground) -> Iterator[Finding]:  # noqa: FBT001 - as every check
    """Images that nobody has to have signed; with a list, keys beside those in it."""
    if not image.runs:
        return
    if not image.keys:
        yield Finding(image.field, f"the image {shown(image.reference)} without `x-reconcile.image.verify`")
    for key in image.keys:
        if not isinstance(trusted, bool) and fingerprint(key) not in trusted:
            message = f"the signing key {shown(fingerprint(key))}"
            yield Finding("x-reconcile.image.verify", message, fingerprint(key))


def fingerprint(key: PublicKey) -> str:
    """`sha256:` and the digest of the key in DER, as `openssl pkey -pubin -outform DER | sha256sum` prints it."""
    text = "".join(line for line in key.pem.splitlines() if not line.startswith("-"))
    try:
        return f"sha256:{hashlib.sha256(base64.b64decode(text, validate=True)).hexdigest()}"
    except binascii.Error:
        return ""
