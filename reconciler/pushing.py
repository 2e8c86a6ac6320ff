"""Pushes what the builds of a project have made to the registries that their names are of. Called by `session`.

The names are what `docker compose push` pushes, the service's `image` and `build.tags`, and the immutable tag beside
them where its repository says a registry. Only what was built from what is here now is pushed under them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import monotonic

from reconciler.engine.protocol import Engine
from reconciler.errors import EngineError
from reconciler.executor import SessionExecutor
from reconciler.model.observed import ImageState
from reconciler.model.project import Build, Project, Service
from reconciler.model.pushed import Pushed
from reconciler.model.redaction import redact_text
from reconciler.model.references import HUB, parse_reference, split_host
from reconciler.planner.images import built_image

OnLine = Callable[[str, str], None]


@dataclass(frozen=True)
class _Job:
    """One push that is to be made, and what is said of it."""

    planned: Pushed
    on_line: OnLine


def push(
    project: Project, images: tuple[ImageState, ...], executor: SessionExecutor, on_line: OnLine
) -> tuple[Pushed, ...]:
    """Push to several repositories at once; what came of each reference, in the order of the services.

    To one repository one after another: the second push finds the layers there, and a registry that is sent the same
    layer twice at the same time may fail on it.
    `images` are those of the engine, and the builds of the project have their keys. `on_line` gets the reference and a
    line of progress, from any thread.
    """
    planned = _distinct(item for service in project.services for item in _of_service(service, images))
    waiting: dict[str, list[_Job]] = {}
    for item in planned:
        if item.status == "pushed":
            waiting.setdefault(parse_reference(item.reference).repository, []).append(_Job(item, on_line))
    done = {item.reference: item for found in executor.gather(_push_in_turn, waiting.values()) for item in found}
    return tuple(done.get(item.reference, item) if item.status == "pushed" else item for item in planned)


def push_tags(service: Service, build: Build) -> tuple[str, ...]:
    """`image`, `build.tags`, and the immutable tag where its repository names a registry: each once."""
    written = tuple(parse_reference(name).tagged for name in (service.image.reference, *build.tags))
    immutable = (build.tag,) if split_host(parse_reference(build.tag).repository)[0] != HUB else ()
    return tuple(dict.fromkeys((*written, *immutable)))


def _distinct(items: Iterator[Pushed]) -> list[Pushed]:
    """Without references that an earlier service has as well."""
    found: dict[tuple[str, str], Pushed] = {}
    for item in items:
        found.setdefault((item.reference, "" if item.reference else item.service), item)
    return list(found.values())


def _of_service(service: Service, images: tuple[ImageState, ...]) -> Iterator[Pushed]:
    """What is to be pushed, as if it had been, or why nothing is."""
    build, source = service.image.build, service.source("build")
    if build is None:
        return
    if not service.image.reference:
        message = "it has no image: to be pushed as"
        yield Pushed(service.name, "", "skipped", message=message, reason="NoImage", source=source)
        return
    built = built_image(build, images) if build.key else None
    if built is None:
        message, reason = _why_absent(build), build.reason or "NotBuilt"
        yield Pushed(service.name, build.tag, "failed", message=message, reason=reason, source=source)
        return
    for reference in push_tags(service, build):
        found = Pushed(service.name, reference, "pushed", source=source)
        other = f"it names another image than what was built, {build.tag}: run reconcile first"
        named = reference in built.tags
        yield found if named else replace(found, status="failed", message=other, reason="NotCurrent")


def _why_absent(build: Build) -> str:
    if not build.key:
        return build.trouble
    return "no image has been built from this context and Dockerfile yet: run reconcile first"


def _push_in_turn(engine: Engine, jobs: list[_Job]) -> list[Pushed]:
    return [_push(engine, job) for job in jobs]


def _push(engine: Engine, job: _Job) -> Pushed:
    began, reference = monotonic(), job.planned.reference
    try:
        digest = engine.push_image(reference, lambda line: job.on_line(reference, line))
    except EngineError as error:
        message = redact_text(error.message)
        return replace(job.planned, status="failed", message=message, reason=error.code, seconds=monotonic() - began)
    return replace(job.planned, digest=digest, seconds=monotonic() - began)
