"""Find out which image each service of a project is to run: ask registries, remember, decide. Called by `session`.

All that registries say enters here, before planning: the planner sees digests only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reconciler.engine.protocol import Engine
from reconciler.errors import ReconcilerError, RegistryError, SignatureError
from reconciler.executor import SessionExecutor
from reconciler.images.registry.digests import ImageContent
from reconciler.images.resolution import (
    Moment,
    Option,
    Running,
    admitted,
    compared_key,
    is_asked,
    is_running,
    last_good,
    local_option,
    options,
    pinned,
    running_image,
    target_kept,
    target_of,
    with_comparison,
    with_sightings,
)
from reconciler.model.canonical import keyed_hash
from reconciler.model.desired import NO_TAG, UNCHECKED, Held, Target
from reconciler.model.local_images import local_image, with_digest
from reconciler.model.memory import Memory, Sighting
from reconciler.model.observed import Observed, RegistryAnswer
from reconciler.model.project import Following, Pin, PublicKey, Service
from reconciler.model.references import Reference, parse_reference, short_digest
from reconciler.observation import image_content
from reconciler.registries import Registries, answer_of

MOST_CANDIDATES = 10
MOST_VERIFIED = 500
_LOCAL_TIME = "/etc/localtime"


@dataclass(frozen=True)
class Resolution:
    """What each service is to run, by its name, and the memory of what was found out on the way.

    `available` is the best image that a registry has for a service, whatever holds it back; `unanswered` are those for
    which registries were asked beside the policy, and said nothing.
    """

    targets: Mapping[str, Target]
    memory: Memory
    available: Mapping[str, Option] = field(default_factory=dict)
    running: Mapping[str, Running] = field(default_factory=dict)
    unanswered: Mapping[str, RegistryAnswer] = field(default_factory=dict)


@dataclass
class _Case:
    """One service that runs an image, on its way to a target."""

    service: Service
    running: Running | None
    found: tuple[Option, ...] = ()
    answer: RegistryAnswer = field(default_factory=RegistryAnswer)

    @property
    def baseline(self) -> str:
        """What it runs, else what is written, with its tag."""
        return self.running.reference if self.running else parse_reference(self.service.image.reference).tagged

    @property
    def follows_versions(self) -> bool:
        """Whether its registry's tags are asked for."""
        return self.service.image.following.track == "semver"


class Resolver:
    """Resolves projects with these registries; `zone` is the one in which windows are written.

    `clock` is the engine's time in seconds; without an executor there is no engine, and `pins` is all that can be done.
    What a registry has is not asked for again within `check_interval` seconds; what it does not have is.
    """

    def __init__(
        self,
        registries: Registries,
        executor: SessionExecutor | None,
        clock: Callable[[], float],
        zone: tzinfo,
        check_interval: float = 0.0,
    ) -> None:
        self._registries = registries
        self._executor = executor
        self._clock = clock
        self._zone = zone
        self._check_interval = check_interval
        self._tags: dict[str, tuple[float, tuple[str, ...]]] = {}

    def resolve(
        self,
        services: Iterable[Service],
        observed: Observed,
        memory: Memory,
        also: Callable[[Service], bool] = lambda _: False,
    ) -> Resolution:
        """The targets of the services that run an image and have replicas: one pass over their registries.

        `also` says for which services registries are asked although the time has not come or their policies do not
        want it: that changes no target, but for what it tells.
        """
        when = Moment(self._clock(), self._zone)
        cases = [_Case(item, _runs(item, observed, memory)) for item in services if item.image.build is None]
        wanted = {case.service.name for case in cases if is_asked(case.service, case.running, observed, memory, when)}
        asked = [
            item
            for item in cases
            if item.service.name in wanted or (also(item.service) and item.service.image.may_be_asked_for)
        ]
        memory = self._ask(asked, memory, when.now)
        available = {case.service.name: case.found[0] for case in cases if case.found}
        targets: dict[str, Target] = {}
        unanswered: dict[str, RegistryAnswer] = {}
        for case in (case for case in cases if case.service.replicas):
            unasked = RegistryAnswer()
            if case.service.name not in wanted:
                unasked, case.found, case.answer = case.answer, pinned(case.service.image), unasked
            memory = self._compare(case, observed, memory)
            available |= {case.service.name: case.found[0]} if case.service.name in wanted and case.found else {}
            memory, target = self._decide(case, observed, memory, when)
            targets[case.service.name] = target if case.service.image.pin else _telling(target, unasked)
            unanswered |= {case.service.name: unasked} if unasked.error else {}
        running = {case.service.name: case.running for case in cases if case.running}
        return Resolution(targets, memory, available, running, unanswered)

    def pins(
        self, services: Iterable[Service], before: Mapping[str, Pin]
    ) -> dict[str, tuple[str, str] | ReconcilerError]:
        """What each service's tag, or the best version that it may follow, names now: (`name:tag`, digest), or why not.

        Neither cooldown nor window holds anything back: a person looks at what is pinned. A version is never older than
        the one pinned `before`; a signature that is asked for has to be there.
        """
        self._registries.begin()
        cases = [_Case(item, _pinned_before(item, before.get(item.name))) for item in services]
        memory = self._ask(cases, Memory(), self._clock())
        return {case.service.name: self._pin(case, memory) for case in cases}

    def _pin(self, case: _Case, memory: Memory) -> tuple[str, str] | ReconcilerError:
        refused: list[Held] = []
        for option in case.found:
            _, refusal = self._checked(option, case.service.image.keys, memory)
            if refusal is None:
                return option.reference, option.digest
            refused.append(refusal)
        if refused:
            return ReconcilerError(refused[0].message, code=refused[0].reason)
        return ReconcilerError(case.answer.error or "no registry has it", code=case.answer.reason or "ImageNotFound")

    def _ask(self, cases: list[_Case], memory: Memory, now: float) -> Memory:
        """Learn what registries have for these services."""
        listed = self._listed(cases, now)
        wanted = {case.service.name: self._references(case, listed, memory, now) for case in cases}
        known = self._seen_lately(memory, now)
        unknown = {name for names in wanted.values() for name in names} - known.keys()
        found = self._registries.answers(tuple(sorted(unknown)), self._executor) if unknown else {}
        memory, answers = with_sightings(memory, found, now), known | found
        for case in cases:
            names = wanted[case.service.name]
            case.found = options((name for name in names if answers[name].digest), memory)
            failed = [_named(name, answers[name], case.service) for name in names if not answers[name].digest]
            case.answer = case.answer if case.answer.error else next(iter(failed), case.answer)
        return memory

    def _seen_lately(self, memory: Memory, now: float) -> dict[str, RegistryAnswer]:
        """What registries said so short a time ago that they are not asked again."""
        after = now - self._check_interval
        return {name: RegistryAnswer(seen.digest) for name, seen in memory.sightings.items() if seen.asked_at > after}

    def _listed(self, cases: Iterable[_Case], now: float) -> dict[str, tuple[str, ...] | RegistryError]:
        """The tags of repositories from which versions are followed: one listing each, however many follow it."""
        wanted = {item.baseline: parse_reference(item.baseline).repository for item in cases if item.follows_versions}
        known = {name: (at, tags) for name, (at, tags) in self._tags.items() if now < at + self._check_interval}
        asked = tuple(sorted(name for name, repository in wanted.items() if repository not in known))
        found = self._registries.tags(asked) if asked else {}
        fresh = {wanted[name]: (now, tags) for name, tags in found.items() if not isinstance(tags, RegistryError)}
        self._tags = known | fresh
        return found | {name: known[repository][1] for name, repository in wanted.items() if repository in known}

    def _references(
        self, case: _Case, tags: Mapping[str, tuple[str, ...] | RegistryError], memory: Memory, now: float
    ) -> tuple[str, ...]:
        """The references that the service could run, the best first."""
        if not case.follows_versions:
            return (case.service.image.reference,)
        from reconciler.following.choice import candidates

        listed = tags[case.baseline]
        if isinstance(listed, RegistryError):
            case.answer = answer_of(listed)
            return (case.baseline,)
        written = parse_reference(case.service.image.reference)
        running = parse_reference(case.running.reference).tag if case.running else None
        newer = candidates(written.tag or "latest", running, listed, case.service.image.following)
        if not newer:
            case.answer = RegistryAnswer(
                error=_admits_nothing(case.service.image.following, len(listed)), reason=NO_TAG
            )
        names = [Reference(written.repository, tag, None).tagged for tag in newer]
        cooled = (
            name for name in names[MOST_CANDIDATES:] if _has_cooled(case.service, memory.sightings.get(name), now)
        )
        return tuple(dict.fromkeys((*names[:MOST_CANDIDATES], *islice(cooled, 1), case.baseline)))

    def _compare(self, case: _Case, observed: Observed, memory: Memory) -> Memory:
        """Learn whether what moved is another image on this engine's platform: asked once for a digest and an image."""
        found: list[Option] = []
        for option in case.found:
            mine = _compared_with(case, option, observed)
            key = compared_key(parse_reference(option.reference).repository, option.digest, mine)
            same = memory.compared.get(key) if mine else None
            if mine and same is None:
                same = self._is_same(option, mine)
                memory = memory if same is None else with_comparison(memory, key, observed, same=same)
            found.append(replace(option, same_as=mine if same else ""))
        case.found = tuple(found)
        return memory

    def _is_same(self, option: Option, image: str) -> bool | None:
        content = self._executor.gather(_content, (image,))[0] if self._executor else None
        return self._registries.is_same(option.reference, option.digest, content) if content else None

    def _decide(self, case: _Case, observed: Observed, memory: Memory, when: Moment) -> tuple[Memory, Target]:
        service, image = case.service, case.service.image
        found = case.found or self._as_it_is(case, observed, when)
        taken, held = admitted(service, found, case.running, observed.images, when)
        for option in taken:
            memory, refusal = self._checked(option, image.keys, memory)
            if refusal is None:
                update = case.running is not None and not is_running(option, case.running, observed.images)
                return memory, target_of(option, service, case.answer, held, update=update)
            held = (*held, refusal)
        return memory, target_kept(service, case.running, case.answer, held)

    def _as_it_is(self, case: _Case, observed: Observed, when: Moment) -> tuple[Option, ...]:
        """What no registry was asked for, where its signature matters all the same."""
        if not case.service.image.keys:
            return ()
        if case.running and case.service.image.following.track != "none":
            return (Option(case.running.reference, case.running.digest, when.now),)
        local = local_option(case.service, observed.images, when.now)
        return (local,) if local else ()

    def _checked(self, option: Option, keys: tuple[PublicKey, ...], memory: Memory) -> tuple[Memory, Held | None]:
        """Why an option is refused, None where it is signed or does not have to be."""
        entry = _verified_key(option.reference, option.digest, keys)
        if not keys or entry in memory.verified:
            return memory, None
        try:
            self._registries.check_signature(option.reference, option.digest, keys)
        except (RegistryError, SignatureError) as error:
            reason = error.code if isinstance(error, SignatureError) else UNCHECKED
            image = f"{option.reference}@{short_digest(option.digest)}"
            named = f"{image}: {error.source}" if reason == "KeyUnusable" else image
            said = f"{named}: {error.message}{f' ({error.hint})' if error.hint else ''}"
            return memory, Held(option.pinned, "signature", said, reason=reason)
        return replace(memory, verified={**_newest(memory.verified), entry: self._clock()}), None


def local_zone(environment: Mapping[str, str] = os.environ) -> tzinfo:
    """This machine's time zone, with its changes of the clock: the TZ variable's, else /etc/localtime; else UTC."""
    named = environment.get("TZ", "").removeprefix(":")
    try:
        if named and not named.startswith("/"):
            return ZoneInfo(named)
        with Path(named or _LOCAL_TIME).open("rb") as file:
            return ZoneInfo.from_file(file, "local time")
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return UTC


def _runs(service: Service, observed: Observed, memory: Memory) -> Running | None:
    """What the service runs; where no container is left, what ran last, if its signature does not have to be asked."""
    found = running_image(service, observed)
    good, keys = last_good(service, observed, memory), service.image.keys
    if found or good is None:
        return found
    return good if not keys or _verified_key(good.reference, good.digest, keys) in memory.verified else None


def _has_cooled(service: Service, seen: Sighting | None, now: float) -> bool:
    """Whether it was among the newest once: where many are pushed, the newest ones never get past their cooldown."""
    return seen is not None and seen.since + service.image.following.cooldown <= now


def _named(reference: str, said: RegistryAnswer, service: Service) -> RegistryAnswer:
    """What a registry said of another reference than the one that is written names it."""
    return said if reference == service.image.reference else replace(said, error=f"{reference}: {said.error}")


def _pinned_before(service: Service, pin: Pin | None) -> Running | None:
    """A pin stands for what runs where it is of the same repository."""
    written = parse_reference(service.image.reference).repository
    same = pin and parse_reference(pin.reference).repository == written
    return Running(pin.reference, pin.digest, "") if pin and same else None


def _newest(verified: Mapping[str, float]) -> dict[str, float]:
    """What was verified last: the rest would be verified again, should anybody ask for it."""
    return dict(sorted(verified.items(), key=lambda item: item[1])[-MOST_VERIFIED:])


def _admits_nothing(following: Following, tags: int) -> str:
    """That a policy leaves nothing over, in words."""
    rules = {"range": following.range, "filter": following.filter, "extract": following.extract}
    named = " and ".join(f"{key} {text!r}" for key, text in rules.items() if text) or "the tag that is written"
    return f"none of the repository's {tags} tags is one that {named} lets it follow"


def _telling(target: Target, unasked: RegistryAnswer) -> Target:
    """The target, and why nobody knows what else there is where registries were asked beside the policy."""
    return replace(target, error=unasked.error, reason=unasked.reason) if unasked.error and not target.error else target


def _compared_with(case: _Case, option: Option, observed: Observed) -> str:
    """The id of the local image that the option may be under another digest; "" where it is here, or nothing like it.

    That is what runs under its tag, else what is local under it.
    """
    reference = parse_reference(option.reference)
    if with_digest(reference.repository, option.digest, observed.images):
        return ""
    local = local_image(reference, observed.images)
    runs = case.running.image_id if case.running and case.running.reference == reference.tagged else ""
    mine = runs or (local.id if local else "")
    return mine if mine in {image.id for image in observed.images} else ""


def _content(engine: Engine, image: str) -> ImageContent:
    return image_content(engine.inspect_image(image), engine.info())


def _verified_key(reference: str, digest: str, keys: tuple[PublicKey, ...]) -> str:
    """Under which `Memory.verified` has when a digest's signature was found good."""
    fingerprint = keyed_hash("keys", sorted(key.pem for key in keys))[:16]
    return f"{parse_reference(reference).repository}@{digest} {fingerprint}"
