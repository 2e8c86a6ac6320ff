"""Which images may be removed: the rules, each with its reason in words. Pure; called by `collecting`.

What is not in a ledger is nobody's to remove and does not even appear. Whatever speaks for an image keeps it whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from reconciler.images.bases import bases_of, images_used
from reconciler.images.build_key import is_id
from reconciler.model import labels
from reconciler.model.ledger import Deployed, Ledger
from reconciler.model.memory import Stable
from reconciler.model.observed import ImageState, ImageUser
from reconciler.model.project import Image, Project
from reconciler.model.references import parse_reference

MINIMUM_AGE = 24 * 3600.0
STABLE_KEPT = 2
_HOUR = 3600.0


@dataclass(frozen=True)
class Past:
    """What is known of one project: its ledger, and the stable definitions to go back to, newest last for each service.

    `current` are the definitions in force; `closed` says why nothing of the project may go at all, "" where it may.
    """

    project: str
    ledger: Ledger
    current: tuple[Stable, ...] = ()
    revisions: tuple[tuple[Stable, ...], ...] = ()
    closed: str = ""

    @cached_property
    def kept(self) -> Mapping[str, str]:
        """The ids of images to go back to, each with what it is."""
        last = [stable for service in self.revisions for stable in service[-STABLE_KEPT:]]
        before = {item.image_id: f"{item.service.name} ({self.project}) can go back to it" for item in last}
        now = {item.image_id: f"{item.service.name} ({self.project}) last came up with it" for item in self.current}
        return before | now


@dataclass(frozen=True)
class Facts:
    """Everything that a decision is made of, read at once. `wanted` maps names and contents to who wants them."""

    images: tuple[ImageState, ...]
    users: tuple[ImageUser, ...]
    pasts: tuple[Past, ...]
    wanted: Mapping[str, str]
    now: float


@dataclass(frozen=True)
class Verdict:
    """Whether an image that we deployed goes, and why. `deployed` is its entry in each project's ledger, by project.

    `size` is how many bytes its removal gives back at most: what it shares with no image that was seen beside it.
    """

    image: ImageState
    deployed: tuple[tuple[str, Deployed], ...]
    goes: bool
    reason: str
    size: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """What to remove, in order: its tags, then its digests; its id where it has no name."""
        tags = tuple(name for name in self.image.names if "@" not in name)
        return (*tags, *(name for name in self.image.names if "@" in name)) or (self.image.id,)

    @property
    def last_used(self) -> float | None:
        """Engine time, in seconds since the epoch; None where it is in use as far as any ledger knows."""
        times = [entry.last_used for _, entry in self.deployed]
        return None if None in times else max(time for time in times if time is not None)


def wanted_names(projects: Iterable[Project], platform: str) -> dict[str, str]:
    """The names of images that specs in force want, as tags and digests, and contents of builds, each with who does.

    Of a build also the images that it uses; `platform` is the engine's.
    """
    return {
        name: f"the spec of {service.name} ({project.name})"
        for project in projects
        for service in project.services
        for name in _names_wanted(service.image, platform)
    }


def decide(facts: Facts) -> tuple[Verdict, ...]:
    """A verdict for each image of the ledgers that is on the engine: those that go first, in the order to remove them.

    An image without layers known (`ImageState.layers`) is judged by all other rules.
    """
    known = {image.id for past in facts.pasts for image in facts.images if image.id in past.ledger}
    ours = [_verdict(image, facts) for image in facts.images if image.id in known]
    while (judged := _without_bases(ours, facts.images)) != ours:
        ours = judged
    going = sorted((verdict for verdict in ours if verdict.goes), key=_last_layers_first)
    staying = sorted((verdict for verdict in ours if not verdict.goes), key=lambda verdict: verdict.image.id)
    return (*_sized(going, facts.images), *staying)


def _verdict(image: ImageState, facts: Facts) -> Verdict:
    deployed = tuple((past.project, past.ledger[image.id]) for past in facts.pasts if image.id in past.ledger)
    reason = next((reason for rule in _RULES if (reason := rule(image, facts))), "")
    return Verdict(image, deployed, not reason, reason or "superseded")


def _closed(image: ImageState, facts: Facts) -> str:
    return next((past.closed for past in facts.pasts if image.id in past.ledger and past.closed), "")


def _in_use(image: ImageState, facts: Facts) -> str:
    known = {image.id, *image.names, *(name.partition("@")[2] for name in image.names if "@" in name)}
    user = next((user for user in facts.users if user.images & known), None)
    return f"container {user.name} uses it ({user.status})" if user else ""


def _labelled(image: ImageState, _: Facts) -> str:
    value = image.labels.get(labels.KEEP, "false")
    return "" if value.lower() == "false" else f"it is labelled {labels.KEEP}"


def _wanted(image: ImageState, facts: Facts) -> str:
    said = (*image.names, image.labels.get(labels.BUILD_CONTENT, ""))
    by_name = [facts.wanted[name] for name in said if name in facts.wanted]
    by_id = [who for name, who in facts.wanted.items() if name.startswith("sha256:") and image.id.startswith(name)]
    return next((f"{who} wants it" for who in (*by_name, *by_id)), "")


def _to_go_back_to(image: ImageState, facts: Facts) -> str:
    return next((past.kept[image.id] for past in facts.pasts if image.id in past.kept), "")


def _named_by_others(image: ImageState, facts: Facts) -> str:
    """Only names that we gave may go: tags that we made, digests of repositories that we deployed it from."""
    entries = [past.ledger[image.id] for past in facts.pasts if image.id in past.ledger]
    given = {name for entry in entries for name in entry.names} | {_build_tag(image)}
    repositories = {repository for entry in entries for repository in entry.repositories}
    others = [
        name
        for name in image.names
        if name not in given and not ("@" in name and parse_reference(name).repository in repositories)
    ]
    return f"somebody else named it {others[0]}" if others else ""


def _young(image: ImageState, facts: Facts) -> str:
    entries = [past.ledger[image.id] for past in facts.pasts if image.id in past.ledger]
    last = max(facts.now if entry.last_used is None else entry.last_used for entry in entries)
    age = max(0.0, facts.now - last)
    return "" if age >= MINIMUM_AGE else f"unused for {age // _HOUR:.0f} h; goes after {MINIMUM_AGE // _HOUR:.0f} h"


_RULES: tuple[Callable[[ImageState, Facts], str], ...] = (
    _in_use,
    _wanted,
    _to_go_back_to,
    _labelled,
    _named_by_others,
    _closed,
    _young,
)


def _without_bases(verdicts: list[Verdict], images: Iterable[ImageState]) -> list[Verdict]:
    """The verdicts in which nothing goes that an image was made of that stays by them."""
    spared = {verdict.image.id for verdict in verdicts if verdict.goes}
    kept = [image for image in images if image.id not in spared]
    used = {name: image for image in kept for stands_for in bases_of(image).values() for name in _meant(stands_for)}
    return [_unless_base(verdict, kept, used) if verdict.goes else verdict for verdict in verdicts]


def _unless_base(verdict: Verdict, kept: Iterable[ImageState], used: Mapping[str, ImageState]) -> Verdict:
    """What a kept image was built on stays: all its layers are that image's, or its label names it (`used`)."""
    layers = verdict.image.layers
    above = next((image for image in kept if layers and image.layers[: len(layers)] == layers), None)
    if above:
        return replace(verdict, goes=False, reason=f"all its layers are part of {_name(above)}")
    user = next((used[name] for name in (verdict.image.id, *verdict.image.names) if name in used), None)
    return replace(verdict, goes=False, reason=f"{_name(user)} was built with it") if user else verdict


def _name(image: ImageState) -> str:
    return next(iter(image.names), image.id)


def _sized(going: Iterable[Verdict], images: Iterable[ImageState]) -> list[Verdict]:
    """What each gives back: its size without that of the largest other image that it was built on.

    Where that one goes, too, it has its own share.
    """
    return [replace(one, size=max(0, one.image.size - _size_below(one.image, images))) for one in going]


def _size_below(image: ImageState, images: Iterable[ImageState]) -> int:
    below = (
        other.size
        for other in images
        if other.layers and len(other.layers) < len(image.layers) and image.layers[: len(other.layers)] == other.layers
    )
    return max(below, default=0)


def _last_layers_first(verdict: Verdict) -> tuple[int, str]:
    return -len(verdict.image.layers), verdict.image.id


def _build_tag(image: ImageState) -> str:
    """The tag that only we give: made of the key in the image's label (`images.build_key`)."""
    key = image.labels.get(labels.BUILD_KEY, "")
    return next((name for name in image.tags if key and name.endswith(f":bk-{key[:16]}")), "")


def _names_wanted(image: Image, platform: str) -> set[str]:
    """Of a build also the hash of its content: whatever it starts from now, what was built of that is wanted."""
    build, pin = image.build, image.pin
    used = images_used(build, image, platform) if build else ()
    texts = {image.reference, *((build.tag, *build.tags, *used) if build else ())}
    pinned = {f"{parse_reference(pin.reference).repository}@{pin.digest}"} if pin else set()
    contents = {build.content} if build else set()
    return ({name for text in texts if text for name in _meant(text)} | pinned | contents) - {""}


def _meant(text: str) -> tuple[str, ...]:
    """The names by which an image may be meant by a reference, or its id."""
    if is_id(text):
        return (text,)
    reference = parse_reference(text)
    if reference.digest:
        return (f"{reference.repository}@{reference.digest}", reference.digest)
    return (reference.tagged, text)
