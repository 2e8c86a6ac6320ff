"""Which image each service is to run: tag to digest, newer ones and what holds them back. Pure; `resolving` asks.

A service runs what is written, follows its registry (`x-reconcile.image.track`), or runs what `reconcile.lock` pins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from math import inf

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
    """The newest of what the service's containers run, if that is of the repository that is written.

    What is being taken over from `docker compose` has Compose's labels alone.
    """
    written = parse_reference(service.image.reference)
    names = (
        (item, item.labels.get(labels.SERVICE, item.labels.get(labels.COMPOSE_SERVICE))) for item in observed.containers
    )
    ours = [item for item, name in names if name == service.name]
    for container in sorted(ours, key=lambda item: (item.occupied, item.created_at), reverse=True):
        made_of = parse_reference(container.image)
        named = parse_reference(container.labels.get(labels.IMAGE, container.image))
        if named.repository == written.repository:
            tag = (made_of if made_of.repository == written.repository else named).tag or written.tag
            digest = container.labels.get(labels.DIGEST) or container.image_id
            return Running(Reference(written.repository, tag, None).tagged, digest, container.image_id)
    return None


def last_good(service: Service, observed: Observed, memory: Memory) -> Running | None:
    """What a followed service came up with last, if that is of the repository that is written, and on the engine yet.

    It stands for what runs where no container is left: versions do not go back because containers went.
    """
    stable = memory.stable.get(service.name)
    if service.image.following.track == "none" or stable is None:
        return None
    reference = parse_reference(stable.reference)
    same = reference.repository == parse_reference(service.image.reference).repository
    here = stable.image_id in {image.id for image in observed.images}
    return Running(reference.tagged, stable.digest, stable.image_id) if same and here else None


def is_asked(service: Service, running: Running | None, observed: Observed, memory: Memory, when: Moment) -> bool:
    """Whether a registry is asked now for what the service's policy wants to know (`pull_policy`, `track`)."""
    image = service.image
    if not image.may_be_asked_for or image.pin or not service.replicas:
        return False
    reference, followed = parse_reference(image.reference), image.following.track != "none"
    here = local_image(reference, observed.images) is not None or (followed and running is not None)
    if reference.digest or not here:
        return not here
    if image.pull_policy == "timed":
        return is_due(image, running, observed, memory, when)
    return image.pull_policy == "always" or followed


def is_due(image: Image, running: Running | None, observed: Observed, memory: Memory, when: Moment) -> bool:
    """Whether the interval of a timed policy is over, or what the registry said last never arrived.

    What is held back is not expected to arrive. Of versions it is not known which was to: where none runs, that is
    asked at once.
    """
    repository = parse_reference(image.reference).repository
    seen = {name: item for name, item in memory.sightings.items() if parse_reference(name).repository == repository}
    if image.following.track == "semver":
        return running is None or not any(item.asked_at + image.interval > when.now for item in seen.values())
    last = seen.get(image.reference)
    if last is None or last.asked_at + image.interval <= when.now:
        return True
    if _holds(image, Option(image.reference, last.digest, last.since), when, updates=running is not None):
        return False
    return with_digest(repository, last.digest, observed.images) is None and not any(
        memory.compared.get(compared_key(repository, last.digest, item.id)) for item in observed.images
    )


def compared_key(repository: str, digest: str, image_id: str) -> str:
    """Under which `Memory.compared` has whether a repository's digest is that local image."""
    return f"{repository}@{digest} {image_id}"


def with_comparison(memory: Memory, key: str, observed: Observed, *, same: bool) -> Memory:
    """The memory and what a comparison showed; those with images that the engine has no more are forgotten."""
    present = {image.id for image in observed.images}
    kept = {name: found for name, found in memory.compared.items() if name.partition(" ")[2] in present}
    return replace(memory, compared={**kept, key: same})


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
    return tuple(Option(name, seen.digest, seen.since) for name, seen in found if seen)


def pinned(image: Image) -> tuple[Option, ...]:
    """What `reconcile.lock` says, where it says something."""
    return (Option(image.pin.reference, image.pin.digest, image.pin.at),) if image.pin else ()


def is_running(option: Option, running: Running | None, images: Iterable[ImageState]) -> bool:
    """Whether the option is what runs already, under that digest or as the same image of this platform."""
    if running is None:
        return False
    present = with_digest(parse_reference(option.reference).repository, option.digest, images)
    here = present is not None and present.id == running.image_id
    same = bool(option.same_as) and option.same_as == running.image_id
    return option.digest == running.digest or same or here


def admitted(
    service: Service, found: tuple[Option, ...], running: Running | None, images: tuple[ImageState, ...], when: Moment
) -> tuple[tuple[Option, ...], tuple[Held, ...]]:
    """The options that may be taken, best first, and what holds back those before them.

    What runs may always go on, and ends the list. Where nothing ran yet, windows hold nothing back, nor is the last
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
        if opens == inf:
            return Held(option.pinned, "window", f"the window {following.window!r} never opens in this time zone")
        return Held(option.pinned, "window", f"the window opens {_moment(opens, when.zone)}", opens)
    return None


def target_of(
    option: Option, service: Service, answer: RegistryAnswer, held: tuple[Held, ...], *, update: bool
) -> Target:
    """The target that takes an option. `update` says that the service runs another image by now.

    Otherwise the `answer` tells why there may be newer ones, where a registry did not say all that it was asked.
    """
    image = service.image
    error = "" if update or image.pin else answer.error or ""
    followed = service.source("x-reconcile.image.track") if image.following.track != "none" else ""
    told = update or option.reference != parse_reference(image.reference).tagged
    why, source = (_why(option, image), image.pin.source if image.pin else followed) if told else ("", "")
    reason = answer.reason if error else ""
    return Target(option.reference, option.digest, option.same_as, why, source, error, reason, held)


def target_kept(service: Service, running: Running | None, answer: RegistryAnswer, held: tuple[Held, ...]) -> Target:
    """The target where no option is taken: what runs, else what is local under the reference as written."""
    error, reason = answer.error or "", answer.reason
    written = parse_reference(service.image.reference)
    unknown = running and error and not written.digest and written.tagged == running.reference
    if running and (service.image.following.track != "none" or held or unknown):
        return Target(running.reference, running.digest, running.image_id, error=error, reason=reason, held=held)
    refusal = next((item for item in held if item.reason), None)
    if refusal:
        return Target(service.image.reference, error=refusal.message, reason=refusal.reason, held=held, refused=True)
    return Target(service.image.reference, error=error, reason=reason, held=held)


def local_option(service: Service, images: tuple[ImageState, ...], now: float) -> Option | None:
    """What is local under the reference as written: by its id where it did not come from its repository."""
    reference = parse_reference(service.image.reference)
    image = local_image(reference, images)
    digest = image and (reference.digest or repository_digest(reference.repository, image) or image.id)
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
