"""The ledger of images: what a project deployed on this engine, and when it was last used. Pure.

Kept in `Memory`, written while a project is converged, read when images are collected: an image that no ledger knows is
nobody's to remove.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from reconciler.model import labels
from reconciler.model.observed import Container, ImageState, Observed
from reconciler.model.operation import Operation
from reconciler.model.references import parse_reference


@dataclass(frozen=True)
class Deployed:
    """An image that a container of the project ran, or that was pulled, tagged or built for it.

    `names` are the tags and `repository@digest` that we gave it, `repositories` those that it was deployed from.
    `first_seen` and `last_used` are engine time, in seconds since the epoch; `last_used` None: as far as is known a
    container of the project uses it still.
    """

    services: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    first_seen: float = 0.0
    last_used: float | None = None


Ledger = Mapping[str, Deployed]


def entered(ledger: Ledger, observed: Observed, done: Iterable[Operation], now: float) -> Ledger:
    """The ledger, by image id, after a look at the project's containers and the operations done until then.

    An image that is gone from the engine is forgotten: should it come back, its age begins anew.
    """
    present = {image.id for image in observed.images}
    found = {key: entry for key, entry in ledger.items() if key in present}
    for operation in done:
        for image in _made_by(operation, observed.images):
            names = tuple(name for name in _names(operation) if name in image.names)
            found[image.id] = _with(found.get(image.id, Deployed(first_seen=now)), operation, names)
    uses = {_use(container) for container in observed.containers}
    for image_id, service, reference in sorted(uses):
        found[image_id] = _used(found.get(image_id, Deployed(first_seen=now)), service, _repository(reference))
    return unused(found, found.keys() - {image_id for image_id, _, _ in uses}, now)


def unused(ledger: Ledger, images: Collection[str], now: float) -> Ledger:
    """The ledger in which these images, where they were in use until now, are in use no more."""
    return {
        key: replace(entry, last_used=now) if key in images and entry.last_used is None else entry
        for key, entry in ledger.items()
    }


def _use(container: Container) -> tuple[str, str, str]:
    """Which image a container runs, for which service, and the reference that was written for it."""
    written = container.labels.get(labels.IMAGE) or container.image
    return container.image_id, container.labels.get(labels.SERVICE, ""), written


def _made_by(operation: Operation, images: Iterable[ImageState]) -> list[ImageState]:
    names = _names(operation)
    return [image for image in images if any(name in image.names for name in names)]


def _names(operation: Operation) -> tuple[str, ...]:
    """The names that an operation gives to an image."""
    payload = operation.payload
    if operation.kind == "image.pull":
        return (payload["reference"],)
    if operation.kind == "image.tag":
        return (f"{payload['repository']}:{payload['tag']}",)
    return tuple(parse_reference(tag).tagged for tag in payload["tags"]) if operation.kind == "image.build" else ()


def _with(entry: Deployed, operation: Operation, names: tuple[str, ...]) -> Deployed:
    repositories = (_repository(name) for name in names)
    return replace(
        entry,
        services=_union(entry.services, (operation.service or "",)),
        names=_union(entry.names, names),
        repositories=_union(entry.repositories, repositories),
    )


def _used(entry: Deployed, service: str, repository: str) -> Deployed:
    services, repositories = _union(entry.services, (service,)), _union(entry.repositories, (repository,))
    known = (entry.services, entry.repositories, entry.last_used) == (services, repositories, None)
    return entry if known else replace(entry, services=services, repositories=repositories, last_used=None)


def _repository(name: str) -> str:
    """The repository of a reference; "" where it is an image's id."""
    return "" if name.startswith("sha256:") else parse_reference(name).repository


def _union(known: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*known, *more} - {""}))
