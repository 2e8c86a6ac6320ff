"""What the builds of a project start from: images by what they are, so that a moved tag is another key.

Called by `session`, which knows the engine's images. As with `docker build`, a base that is local is used as it is, and
one that is not is looked up in its registry; under `build.pull` and `pull_policy: always` the registry is asked anyway.
A base that was looked up for the very same content before stays what it was: images that were built say so themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from reconciler.images.build_key import platform_of, with_key
from reconciler.images.dockerfile.mentions import Mentions, Place, find_images
from reconciler.model.labels import BUILD_BASES, BUILD_CONTENT
from reconciler.model.local_images import local_image
from reconciler.model.observed import ImageState, RegistryAnswer
from reconciler.model.project import Build, Image, Project
from reconciler.model.references import parse_reference

IMAGE_CONTEXT = "docker-image://"
_REFRESHED = {"always", "timed"}

Ask = Callable[[tuple[str, ...]], Mapping[str, RegistryAnswer]]


@dataclass(frozen=True)
class _Wanted:
    """The images that one build uses: `references` must be known, that of the frontend (`syntax`) need not.

    `places` are where they stand in the Dockerfile, `unknown` the words of it that could not be resolved.
    """

    references: tuple[str, ...]
    syntax: str
    places: tuple[Place, ...]
    unknown: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """All of them, each once."""
        return tuple(sorted({*self.references, *([self.syntax] if self.syntax else [])}))


def with_bases(project: Project, images: tuple[ImageState, ...], platform: str, ask: Ask) -> Project:
    """The project with the key and tag of every build; where a base is nowhere to be found, with the trouble instead.

    `images` are those of the engine, whose own platform is `platform` (`os/arch`, with the variant where it has one).
    `ask` is called at most once, with references of which no image is local, or which are to be looked up anyway.
    """
    builds = {item.name: item.image.build for item in project.services if item.image.build}
    images_of = {item.name: item.image for item in project.services}
    wanted = {name: _wanted(build, images_of[name], platform) for name, build in builds.items()}
    questions = {
        reference
        for service in project.services
        if service.name in builds and service.replicas
        for reference in _questions(builds[service.name], service.image, wanted[service.name], images)
    }
    answers = ask(tuple(sorted(questions))) if questions else {}
    done = {name: _complete(build, wanted[name], images, answers) for name, build in builds.items()}
    services = (replace(item, image=replace(item.image, build=done.get(item.name))) for item in project.services)
    return replace(project, services=tuple(services)) if builds else project


def bases_of(image: ImageState) -> Mapping[str, str]:
    """What an image was built with, by its label: for each image as written, `name:tag@sha256:…` or an image's id."""
    try:
        bases = json.loads(image.labels.get(BUILD_BASES, "{}"))
    except ValueError:
        return {}
    found = bases if isinstance(bases, dict) else {}
    return {name: stands_for for name, stands_for in found.items() if isinstance(stands_for, str)}


def images_used(build: Build, image: Image, platform: str) -> frozenset[str]:
    """The references of all images that a build for an engine of `platform` uses, as far as they are known."""
    mentioned = (place.image for found in _mentions(build, image, platform) for place in found.places)
    named = (place.removeprefix(IMAGE_CONTEXT) for _, place in build.contexts if place.startswith(IMAGE_CONTEXT))
    return frozenset((*mentioned, *named))


def _mentions(build: Build, image: Image, platform: str) -> list[Mentions]:
    """The images in the Dockerfile, for each platform that is built for."""
    built_for = (platform_of(build, image.platform) or platform).split(",")
    return [find_images(build.instructions, dict(build.args), build.target, one, platform) for one in built_for]


def _wanted(build: Build, image: Image, platform: str) -> _Wanted:
    found = _mentions(build, image, platform)
    contexts = {_context_name(name): place for name, place in build.contexts}
    same = [place for place in found[0].places if all(place in other.places for other in found)]
    external = [place for place in same if _context_name(place.image) not in contexts]
    unknown = [*found[0].unknown, *(place.image for place in _differing(found, same))]
    named = [place.removeprefix(IMAGE_CONTEXT) for place in contexts.values() if place.startswith(IMAGE_CONTEXT)]
    floating = {name for name in (*(place.image for place in external), *named) if "@" not in name}
    syntax = found[0].syntax if found[0].syntax and "@" not in found[0].syntax.image else None
    places = [place for place in (*external, *([syntax] if syntax else [])) if "@" not in place.image]
    return _Wanted(tuple(sorted(floating)), syntax.image if syntax else "", tuple(places), tuple(unknown))


def _differing(found: list[Mentions], same: list[Place]) -> Iterator[Place]:
    """Places that name another image for another platform: no one digest can be written there."""
    return (place for mentions in found for place in mentions.places if place not in same)


def _context_name(name: str) -> str:
    """A name as buildx compares those of additional contexts with images."""
    reference = parse_reference(name)
    if reference.digest:
        return name
    return reference.repository if reference.tag in {None, "latest"} else reference.tagged


def _questions(build: Build, image: Image, wanted: _Wanted, images: tuple[ImageState, ...]) -> Iterator[str]:
    refreshed = build.pull or image.pull_policy in _REFRESHED
    recorded = _recorded(build, images)
    for reference in wanted.all:
        known = reference in recorded or local_image(parse_reference(reference), images) is not None
        if not known or refreshed:
            yield reference


def _complete(
    build: Build, wanted: _Wanted, images: tuple[ImageState, ...], answers: Mapping[str, RegistryAnswer]
) -> Build:
    recorded = _recorded(build, images)
    found = {name: _stands_for(name, images, recorded, answers.get(name)) for name in wanted.all}
    if wanted.syntax and not found[wanted.syntax]:
        found[wanted.syntax] = wanted.syntax
    failed = [answers[name] for name in wanted.all if name in answers and answers[name].error]
    troubles = [_trouble(name, answers, found[name]) for name in wanted.all]
    troubles += [f"the image {word} of the Dockerfile is not known before it is built" for word in wanted.unknown]
    said = "; ".join(trouble for trouble in troubles if trouble)
    build = replace(build, trouble=said, reason=failed[0].reason if failed else "")
    return replace(with_key(build, found), pins=_pins(wanted, found)) if all(found.values()) else build


def _pins(wanted: _Wanted, found: Mapping[str, str]) -> tuple[tuple[int, int, str], ...]:
    changed = (place for place in wanted.places if found[place.image] != place.image)
    return tuple((place.start, place.end, found[place.image]) for place in changed)


def _stands_for(
    name: str, images: tuple[ImageState, ...], recorded: Mapping[str, str], answer: RegistryAnswer | None
) -> str:
    """`name:tag@sha256:…`, the id of an image that no registry has, or "" where nothing is known."""
    reference = parse_reference(name)
    if answer and answer.digest:
        return reference.pinned(answer.digest)
    local = local_image(reference, images)
    if local is None:
        return recorded.get(name, "")
    digests = (digest.partition("@") for digest in local.digests)
    pinned = sorted(reference.pinned(digest) for repository, _, digest in digests if repository == reference.repository)
    same = [*pinned, local.id]
    return recorded[name] if recorded.get(name) in same else same[0]


def _recorded(build: Build, images: tuple[ImageState, ...]) -> Mapping[str, str]:
    """What the newest image that was built from the same content started from, by its label."""
    same = (image for image in images if image.labels.get(BUILD_CONTENT) == build.content)
    return next((bases_of(image) for image in same if BUILD_BASES in image.labels), {})


def _trouble(name: str, answers: Mapping[str, RegistryAnswer], stands_for: str) -> str:
    answer = answers.get(name)
    if answer is None or not answer.error:
        return "" if stands_for else f"the base image {name} is not on the engine, and its registry was not asked"
    if not stands_for:
        return f"the base image {name} is not on the engine and cannot be looked up: {answer.error}"
    return f"{stands_for} is used for {name}, as no registry said what is newest: {answer.error}"
