"""Find out which image each service of a project is to run: ask registries, remember, decide. Called by `session`.

All that registries say enters here, before planning: the planner sees digests only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo

from reconciler.engine.protocol import Engine
from reconciler.errors import ReconcilerError, RegistryError, SignatureError
from reconciler.executor import SessionExecutor
from reconciler.images.registry.digests import ImageContent
from reconciler.images.resolution import (
    Moment,
    Option,
    Running,
    admitted,
    is_asked,
    is_running,
    local_option,
    options,
    pinned,
    running_image,
    target_kept,
    target_of,
    with_sightings,
)
from reconciler.model.canonical import keyed_hash
from reconciler.model.desired import UNCHECKED, Held, Target
from reconciler.model.local_images import local_image, with_digest
from reconciler.model.memory import Memory
from reconciler.model.observed import Observed, RegistryAnswer
from reconciler.model.project import Pin, PublicKey, Service
from reconciler.model.references import Reference, parse_reference, short_digest
from reconciler.observation import image_content
from reconciler.registries import Registries

MOST_CANDIDATES = 10


@dataclass(frozen=True)
class Resolution:
    """What each service is to run, by its name, and the memory of what was found out on the way.

    `available` is the best image that a registry has for a service, whatever holds it back.
    """

    targets: Mapping[str, Target]
    memory: Memory
    available: Mapping[str, Option] = field(default_factory=dict)
    running: Mapping[str, Running] = field(default_factory=dict)


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


class Resolver:
    """Resolves projects with these registries; `zone` is the one in which windows are written.

    `clock` is the engine's time in seconds; without an executor there is no engine, and `pins` is all that can be done.
    """

    def __init__(
        self, registries: Registries, executor: SessionExecutor | None, clock: Callable[[], float], zone: tzinfo
    ) -> None:
        self._registries = registries
        self._executor = executor
        self._clock = clock
        self._zone = zone

    def resolve(
        self,
        services: Iterable[Service],
        observed: Observed,
        memory: Memory,
        also: Callable[[Service], bool] = lambda _: False,
    ) -> Resolution:
        """The targets of the services that run an image: one pass over their registries.

        `also` says for which services registries are asked although their policies do not want it: that changes no
        target.
        """
        now = self._clock()
        cases = [_Case(item, running_image(item, observed)) for item in services if item.image.build is None]
        wanted = {case.service.name for case in cases if is_asked(case.service, observed, memory, now)}
        memory = self._ask([case for case in cases if case.service.name in wanted or also(case.service)], memory, now)
        available = {case.service.name: case.found[0] for case in cases if case.found}
        targets = {}
        for case in cases:
            case.found = case.found if case.service.name in wanted else pinned(case.service.image)
            memory = self._compare(case, observed, memory)
            memory, targets[case.service.name] = self._decide(case, observed, memory, Moment(now, self._zone))
        running = {case.service.name: case.running for case in cases if case.running}
        return Resolution(targets, memory, available, running)

    def pins(
        self, services: Iterable[Service], before: Mapping[str, Pin]
    ) -> dict[str, tuple[str, str] | ReconcilerError]:
        """What each service's tag, or the best version that it may follow, names now: (`name:tag`, digest), or why not.

        Neither cooldown nor window holds anything back: a person looks at what is pinned. A version is never older than
        the one pinned `before`; a signature that is asked for has to be there.
        """
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
        wanted = {case.service.name: self._references(case) for case in cases}
        answers = self._registries.answers(
            tuple(sorted({name for names in wanted.values() for name in names})), self._executor
        )
        memory = with_sightings(memory, answers, now)
        for case in cases:
            names = wanted[case.service.name]
            case.found = options((name for name in names if answers[name].digest), memory)
            failed = [answers[name] for name in names if not answers[name].digest]
            case.answer = case.answer if case.answer.error else next(iter(failed), case.answer)
        return memory

    def _references(self, case: _Case) -> tuple[str, ...]:
        """The references that the service could run, the best first."""
        following = case.service.image.following
        if following.track != "semver":
            return (case.service.image.reference,)
        from reconciler.following.choice import candidates

        listed = self._registries.tags(case.baseline)
        if isinstance(listed, ReconcilerError):
            case.answer = RegistryAnswer(error=str(listed), reason=listed.code)
            return (case.baseline,)
        written = parse_reference(case.service.image.reference)
        running = parse_reference(case.running.reference).tag if case.running else None
        newer = candidates(written.tag or "latest", running, listed, following)[:MOST_CANDIDATES]
        names = (Reference(written.repository, tag, None).tagged for tag in newer)
        return tuple(dict.fromkeys((*names, case.baseline)))

    def _compare(self, case: _Case, observed: Observed, memory: Memory) -> Memory:
        """Learn whether what moved is another image on this engine's platform."""
        compared = tuple(self._same_as(case, option, observed) for option in case.found)
        new = {item.reference: item.same_as for item in compared if item.same_as}
        case.found = compared
        sightings = {
            name: replace(seen, same_as=new[name]) if name in new and seen.same_as != new[name] else seen
            for name, seen in memory.sightings.items()
        }
        return replace(memory, sightings=sightings) if sightings != memory.sightings else memory

    def _same_as(self, case: _Case, option: Option, observed: Observed) -> Option:
        repository = parse_reference(option.reference).repository
        known = with_digest(repository, option.digest, observed.images)
        local = local_image(parse_reference(option.reference), observed.images)
        runs = case.running.image_id if case.running and case.running.reference == _tagged(option) else ""
        mine = runs or (local.id if local else "")
        if known or not mine or option.same_as == mine:
            return option
        if mine not in {image.id for image in observed.images}:
            return replace(option, same_as="")
        content = self._executor.gather(_content, (mine,))[0] if self._executor else None
        same = content is not None and self._registries.is_same(option.reference, option.digest, content)
        return replace(option, same_as=mine if same else "")

    def _decide(self, case: _Case, observed: Observed, memory: Memory, when: Moment) -> tuple[Memory, Target]:
        service, image = case.service, case.service.image
        found = case.found or self._as_it_is(case, observed, when)
        taken, held = admitted(service, found, case.running, observed.images, when)
        for option in taken:
            memory, refusal = self._checked(option, image.keys, memory)
            if refusal is None and case.found:
                update = case.running is not None and not is_running(option, case.running, observed.images)
                return memory, target_of(option, service, held, update=update)
            held = (*held, refusal) if refusal else held
        return memory, target_kept(service, case.running, case.answer, held)

    def _as_it_is(self, case: _Case, observed: Observed, when: Moment) -> tuple[Option, ...]:
        """What no registry was asked for, where its signature matters all the same."""
        local = local_option(case.service, observed.images, when.now) if case.service.image.keys else None
        return (local,) if local else ()

    def _checked(self, option: Option, keys: tuple[PublicKey, ...], memory: Memory) -> tuple[Memory, Held | None]:
        """Why an option is refused, None where it is signed or does not have to be."""
        entry = f"{parse_reference(option.reference).repository}@{option.digest} {_fingerprint(keys)}"
        if not keys or entry in memory.verified:
            return memory, None
        try:
            self._registries.check_signature(option.reference, option.digest, keys)
        except (RegistryError, SignatureError) as error:
            reason = error.code if isinstance(error, SignatureError) else UNCHECKED
            named = f"{option.reference}@{short_digest(option.digest)}"
            said = f"{named}: {error.message}{f' ({error.hint})' if error.hint else ''}"
            return memory, Held(option.pinned, "signature", said, reason=reason)
        return replace(memory, verified={**memory.verified, entry: self._clock()}), None


def local_zone() -> tzinfo:
    """The zone of this machine, as it is now."""
    return datetime.now().astimezone().tzinfo or UTC


def _pinned_before(service: Service, pin: Pin | None) -> Running | None:
    """A pin stands for what runs where it is of the same repository."""
    written = parse_reference(service.image.reference).repository
    same = pin and parse_reference(pin.reference).repository == written
    return Running(pin.reference, pin.digest, "") if pin and same else None


def _tagged(option: Option) -> str:
    return parse_reference(option.reference).tagged


def _content(engine: Engine, image: str) -> ImageContent:
    return image_content(engine.inspect_image(image), engine.info())


def _fingerprint(keys: tuple[PublicKey, ...]) -> str:
    return keyed_hash("keys", sorted(key.pem for key in keys))[:16]
