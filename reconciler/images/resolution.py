"""Which image each service is to run: tag to digest, newer ones and what holds them back. Pure; `resolving` asks.

A service runs what is written, follows its registry (`x-reconcile.image.track`), or runs what `reconcile.lock` pins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from reconciler.model import labels
from reconciler.model.desired import NEWEST, OTHER_DIGEST, Held, Target
from reconciler.model.local_images import local_image, repository_digest, with_digest
from reconciler.model.memory import Memory, Sighting
from reconciler.model.observed import ImageState, Observed, RegistryAnswer
from reconciler.model.project import Image, Service
from reconciler.model.references import Reference, parse_reference

FORGOTTEN_AFTER = 90 * 24 * 3600.0


@dataclass(frozen=True)
class Running:
    """What a service runs now: `name:tag`, the digest in its label, the image's id on the engine."""

    reference: str
    digest: str
    image_id: str


@dataclass(frozen=True)
class Option:
    """An image that a service could run: `name:tag`, what the registry has under it, since when we know that."""

    reference: str
    digest: str
    since: float
    same_as: str = ""

    @property
    def pinned(self) -> str:
        """`name:tag@digest`."""
        return parse_reference(self.reference).pinned(self.digest)


@dataclass(frozen=True)
class Moment:
    """When a decision is made: engine time in seconds, and the zone in which windows are written."""

    now: float
    zone: tzinfo


def running_image(service: Service, observed: Observed) -> Running | None:
    """The newest of what the service's containers run, if that is of the repository that is written."""
    written = parse_reference(service.image.reference)
    ours = [item for item in observed.containers if item.labels.get(labels.SERVICE) == service.name]
    for container in sorted(ours, key=lambda item: (item.occupied, item.created_at), reverse=True):
        made_of = parse_reference(container.image)
        tag = made_of.tag if made_of.repository == written.repository else None
        tagged = Reference(written.repository, tag or written.tag, None).tagged
        named = parse_reference(container.labels.get(labels.IMAGE, container.image))
        if named.repository == written.repository:
            digest = container.labels.get(labels.DIGEST) or container.image_id
            return Running(tagged, digest, container.image_id)
    return None


def is_asked(service: Service, observed: Observed, memory: Memory, now: float) -> bool:
    """Whether a registry is asked now for what the service's policy wants to know (`pull_policy`, `track`)."""
    image = service.image
    if image.build is not None or image.pin or image.pull_policy in {"never", "build"} or not service.replicas:
        return False
    reference = parse_reference(image.reference)
    if reference.digest or local_image(reference, observed.images) is None:
        return local_image(reference, observed.images) is None
    if image.pull_policy == "timed":
        return is_due(image, observed, memory, now)
    return image.pull_policy == "always" or image.following.track != "none"


def is_due(image: Image, observed: Observed, memory: Memory, now: float) -> bool:
    """Whether the interval of a timed policy is over, or what the registry said last never arrived."""
    repository = parse_reference(image.reference).repository
    seen = {name: item for name, item in memory.sightings.items() if parse_reference(name).repository == repository}
    if image.following.track == "semver":
        return not any(item.asked_at + image.interval > now for item in seen.values())
    last = seen.get(image.reference)
    if last is None or last.asked_at + image.interval <= now:
        return True
    known = {item.id for item in observed.images}
    return last.same_as not in known and with_digest(repository, last.digest, observed.images) is None


def with_sightings(memory: Memory, answers: Mapping[str, RegistryAnswer], now: float) -> Memory:
    """The memory and what registries said just now; what nobody asked for in a long time is forgotten."""
    fresh = {name: _sighting(memory.sightings.get(name), said.digest, now) for name, said in answers.items()}
    new = {name: seen for name, seen in fresh.items() if seen}
    kept = {name: seen for name, seen in memory.sightings.items() if seen.asked_at + FORGOTTEN_AFTER > now}
    return replace(memory, sightings={**kept, **new}) if new or len(kept) < len(memory.sightings) else memory


def _sighting(known: Sighting | None, digest: str | None, now: float) -> Sighting | None:
    """A digest that is another one than last time is new, even where it was there before that."""
    if not digest:
        return None
    return replace(known, asked_at=now) if known and known.digest == digest else Sighting(digest, now, now)


def options(references: Iterable[str], memory: Memory) -> tuple[Option, ...]:
    """What registries had under these references, in their order; those that they do not have are left out."""
    found = ((reference, memory.sightings.get(reference)) for reference in references)
    return tuple(Option(name, seen.digest, seen.since, seen.same_as) for name, seen in found if seen)


def pinned(image: Image) -> tuple[Option, ...]:
    """What `reconcile.lock` says, where it says something."""
    return (Option(image.pin.reference, image.pin.digest, image.pin.at),) if image.pin else ()


def is_running(option: Option, running: Running | None, images: Iterable[ImageState]) -> bool:
    """Whether the option is what runs already, under that digest or as the same image of this platform."""
    if running is None:
        return False
    present = with_digest(parse_reference(option.reference).repository, option.digest, images)
    here = present is not None and present.id == running.image_id
    return option.digest == running.digest or option.same_as == running.image_id or here


def admitted(
    service: Service, found: tuple[Option, ...], running: Running | None, images: tuple[ImageState, ...], when: Moment
) -> tuple[tuple[Option, ...], tuple[Held, ...]]:
    """The options that may be taken, best first, and what holds back those before them.

    What runs may always go on, and ends the list. Where nothing runs yet, windows hold nothing back, nor is the last
    option held back: something has to be the first.
    """
    if service.image.pin:
        return found, ()
    taken: list[Option] = []
    held: list[Held] = []
    for option in found:
        if is_running(option, running, images):
            return (*taken, option), tuple(held)
        first = running is None and option is found[-1]
        wait = None if first else _holds(service.image, option, when, updates=running is not None)
        if wait:
            held.append(wait)
        else:
            taken.append(option)
    return tuple(taken), tuple(held)


def _holds(image: Image, option: Option, when: Moment, *, updates: bool) -> Held | None:
    from reconciler.following.windows import is_open, opens_at

    following = image.following
    over = option.since + following.cooldown
    if over > when.now:
        return Held(option.pinned, "cooldown", f"new: its cooldown ends {_moment(over, when.zone)}", over)
    if updates and following.window and not is_open(following.window, when.now, when.zone):
        opens = opens_at(following.window, when.now, when.zone)
        return Held(option.pinned, "window", f"the window opens {_moment(opens, when.zone)}", opens)
    return None


def target_of(option: Option, service: Service, held: tuple[Held, ...], *, update: bool) -> Target:
    """The target that takes an option. `update` says that the service runs another image by now."""
    image = service.image
    followed = service.source("x-reconcile.image.track") if image.following.track != "none" else ""
    why, source = (_why(option, image), image.pin.source if image.pin else followed) if update else ("", "")
    return Target(option.reference, option.digest, option.same_as, why, source, held=held)


def target_kept(service: Service, running: Running | None, answer: RegistryAnswer, held: tuple[Held, ...]) -> Target:
    """The target where no option is taken: what runs, else what is local under the reference as written."""
    error, reason = answer.error or "", answer.reason
    if running and (service.image.following.track != "none" or held):
        return Target(running.reference, running.digest, running.image_id, error=error, reason=reason, held=held)
    refusal = next((item for item in held if item.reason), None)
    if refusal:
        return Target(service.image.reference, error=refusal.message, reason=refusal.reason, held=held, refused=True)
    return Target(service.image.reference, error=error, reason=reason, held=held)


def local_option(service: Service, images: tuple[ImageState, ...], now: float) -> Option | None:
    """What is local under the reference as written, where it came from its repository."""
    reference = parse_reference(service.image.reference)
    image = local_image(reference, images)
    digest = repository_digest(reference.repository, image) if image else None
    return Option(service.image.reference, digest, now) if digest else None


def policy_words(image: Image) -> str:
    """How a service's image is chosen, in one line: `semver ^1.2`, `digest`, or its `pull_policy`."""
    following = image.following
    if following.track == "none":
        return f"pull_policy {f'every {image.interval:.0f} s' if image.pull_policy == 'timed' else image.pull_policy}"
    parts = [following.track, following.range, f"filter {following.filter}" if following.filter else ""]
    return " ".join(part for part in parts if part)


def _why(option: Option, image: Image) -> str:
    following = image.following
    if image.pin:
        return "reconcile.lock pins it"
    if following.track == "semver":
        tag, wanted = parse_reference(option.reference).tag, following.range
        return f"{tag} is the newest version{f' in {wanted}' if wanted else ''} {NEWEST}"
    if following.track == "digest" or image.pull_policy in {"always", "timed"}:
        return OTHER_DIGEST
    return ""


def _moment(seconds: float, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(seconds, zone):%Y-%m-%d %H:%M %Z}"
