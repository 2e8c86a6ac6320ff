"""Everything a pass derives from its arguments before deciding: bound images, hashes, slots, orders, each once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reconciler.model import labels
from reconciler.model.desired import Desired
from reconciler.model.files import Content
from reconciler.model.memory import Failure, Memory, Stable
from reconciler.model.observed import Container, Observed
from reconciler.model.operation import Operation
from reconciler.model.project import Notice, Service
from reconciler.model.step import Condition
from reconciler.model.suspension import PROJECT, SPEC, Suspension
from reconciler.planner.gates import Gate, State, monitor_seconds
from reconciler.planner.images import BoundImage, bind_image, bind_stable
from reconciler.planner.networks import judge_networks
from reconciler.planner.order import OrderChoice, choose_order
from reconciler.planner.own_writes import MOST, without_contents, written_by_itself
from reconciler.planner.payload import container_name, spec_hash
from reconciler.planner.removals import removals
from reconciler.planner.rollback import going_back, last_good
from reconciler.planner.slots import Slot, make_slot, slot_number


@dataclass(frozen=True)
class View:
    """One service as seen in this pass. `desired_hash` is empty while the image or a shared container is not known.

    `service` is the definition to bring about: the spec's, or after a failure (`going_back`) the last stable one.
    `failure` is why the spec's own definition is not tried again, `tolerated` the slots that `max_failure_ratio` or
    `failure_action: continue` let a rollout go on without. `own_writes` are files whose changes are not followed any
    more, as the replicas themselves make them.
    """

    service: Service
    image: BoundImage
    gate: Gate
    slots: tuple[Slot, ...]
    surplus: tuple[Container, ...]
    order: OrderChoice
    failure: Failure | None = None
    going_back: bool = False
    tolerated: frozenset[int] = frozenset()
    own_writes: tuple[Content, ...] = ()

    @property
    def desired_hash(self) -> str:
        """The desired hash of the definition to bring about."""
        return self.gate.spec_hash

    @property
    def shares(self) -> Mapping[str, str]:
        """HostConfig field -> id of the container whose namespace is joined."""
        return self.gate.joined

    @property
    def settled(self) -> bool:
        """Whether every slot runs the desired definition and nothing is left to stop."""
        known = bool(self.desired_hash) or not self.slots
        return known and all(slot.settled for slot in self.slots) and not self.surplus

    @property
    def limit(self) -> int:
        """How many running replicas may be under replacement at once."""
        return self.service.rollout.parallelism or max(1, len(self.slots))


@dataclass
class Draft:
    """The step being written. Operations already in flight are counted, not repeated.

    `yielding` are ids of containers that hold a name or port which a service that could come up now needs, `absent`
    networks that are about to be made anew. `begun` counts the replicas that this step takes out of service, and
    `addresses` are those that it gives away, as (network, address).
    """

    inflight: frozenset[str]
    failed: Mapping[str, str]
    asked: dict[str, Operation] = field(default_factory=dict)
    yielding: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    wakes: list[tuple[float, str]] = field(default_factory=list)
    retries: list[float] = field(default_factory=list)
    begun: int = 0
    addresses: set[tuple[str, str]] = field(default_factory=set)
    conditions: list[Condition] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def add(self, operation: Operation) -> str:
        """Ask for an operation; the message where it has already failed for good (then it is not asked for again)."""
        if operation.id in self.failed:
            return self.failed[operation.id]
        if operation.id not in self.inflight:
            self.asked.setdefault(operation.id, operation)
        return ""

    def notice(self, code: str, message: str, source: str = "") -> None:
        """Say something the user should know."""
        self.notices.append(Notice(code, message, source))

    def stall(self, reason: str, message: str, service: str | None = None, source: str = "") -> None:
        """Say that a person has to act."""
        self._state(Condition("Stalled", "True", reason, message, service, source))

    def inform(self, reason: str, message: str, service: str | None = None, source: str = "") -> None:
        """Say what is not being reconciled although nothing failed: as somebody wants it."""
        self._state(Condition("Reconciling", "False", reason, message, service, source))

    @property
    def stalled(self) -> bool:
        """Whether anything was said that a person has to act on."""
        return any(condition.stalls for condition in self.conditions)

    def _state(self, condition: Condition) -> None:
        if condition not in self.conditions:
            self.conditions.append(condition)


def _suspended(desired: Desired, memory: Memory) -> Mapping[str, Suspension]:
    """What is to be left alone, by service, "" being the whole project."""
    if desired.down:
        return {}
    place = desired.project.suspended
    return {PROJECT: Suspension(SPEC, place), **memory.suspended} if place else memory.suspended


class Context:
    """Lookups shared by the planner's parts during one pass."""

    def __init__(self, desired: Desired, observed: Observed, memory: Memory, now: float) -> None:
        self.desired = desired
        self.observed = observed
        self.memory = memory
        self.now = now
        self.suspended = _suspended(desired, memory)
        self.removals = removals(desired, observed, self.suspended)
        self.networks = judge_networks(desired, observed, memory, self.suspended, self.removals)
        self.draft = Draft(observed.inflight, memory.failed_operations)
        self._by_service: dict[str, list[Container]] = defaultdict(list)
        for container in observed.containers:
            self._by_service[container.labels.get(labels.SERVICE, "")].append(container)
        self._views: dict[str, View] = {}

    @property
    def project(self) -> str:
        """The project's name."""
        return self.desired.project.name

    def containers(self, service: str) -> list[Container]:
        """Our containers of that service, in any state."""
        return self._by_service.get(service, [])

    @property
    def services_that_run(self) -> set[str]:
        """Names of the services that have containers of ours."""
        return set(self._by_service)

    def is_suspended(self, service: str) -> bool:
        """Whether nothing may be done about this service."""
        return PROJECT in self.suspended or service in self.suspended

    @property
    def views(self) -> list[View]:
        """The view of every service."""
        return [self.view(service) for service in self.desired.project.services]

    def view(self, service: Service) -> View:
        """The service's view, made on first use."""
        if service.name not in self._views:
            self._views[service.name] = self._make_view(service)
        return self._views[service.name]

    def remembers(self, operation_id: str, container: Container) -> bool:
        """Whether an operation ended in the present life of this container."""
        return self.memory.done.get(operation_id, 0.0) > container.started_at

    def _make_view(self, service: Service) -> View:
        image = bind_image(service, self.desired, self.observed)
        shares = self._resolve_shares(service)
        known = image.state == "ready" and shares is not None
        desired_hash = spec_hash(self.desired, service, image, shares or {}) if known else ""
        view = self._view_of(service, image, desired_hash, shares or {})
        return self._judged(self._without_own_writes(view), shares)

    def _without_own_writes(self, view: View) -> View:
        """The service without what its replicas keep writing to their own files: it stays as it came up last."""
        stable = self.memory.stable.get(view.service.name)
        written = self.own_writes(view, stable) if stable and stable.own_writes >= MOST else ()
        if not written or stable is None:
            return view
        return replace(self._view_of(view.service, view.image, stable.spec_hash, view.shares), own_writes=written)

    def own_writes(self, view: View, stable: Stable) -> tuple[Content, ...]:
        """The files that the service's replicas seem to have written themselves since that definition came up.

        None that came from Git: what is mounted then is a copy.
        """
        if self.desired.project.from_git or view.image.image is None:
            return ()
        containers = self.containers(view.service.name)
        same = (item for item in containers if item.labels.get(labels.SPEC_HASH) == stable.spec_hash)
        up_since = max([stable.at, *(item.started_at for item in same)])
        return written_by_itself(view.service, stable, self.outline(view), up_since, self.desired.hash_key)

    def outline(self, view: View) -> str:
        """The desired hash of a service whatever its files contain."""
        return spec_hash(self.desired, without_contents(view.service), view.image, view.shares)

    def _judged(self, view: View, shares: Mapping[str, str] | None) -> View:
        service, desired_hash = view.service, view.desired_hash
        failed = frozenset(slot.number for slot in view.slots if slot.state is State.FAILED)
        failure = self._failure(view, failed)
        if failure is None:
            return replace(view, tolerated=failed) if failed else view
        back = self._last_good_view(service, desired_hash, shares) if failure.rolled_back else None
        return replace(back, failure=failure, going_back=True) if back else replace(view, failure=failure)

    def last_good_view(self, view: View) -> View | None:
        """The service by its last good definition, for replicas to come up with again; None where nothing is to."""
        return None if view.service.job else self._last_good_view(view.service, view.desired_hash, view.shares)

    def can_go_back(self, service: Service, bad_hash: str) -> bool:
        """Whether a failed rollout of this definition is to be undone, and into what is known."""
        asked = service.rollout.failure_action == "rollback" and not service.job
        return asked and last_good(self.memory, service, bad_hash, self.containers(service.name)) is not None

    def _last_good_view(self, service: Service, bad_hash: str, shares: Mapping[str, str] | None) -> View | None:
        target = last_good(self.memory, service, bad_hash, self.containers(service.name))
        if target is None:
            return None
        joined = dict(shares or {}) if target.service.shares else {}
        image = bind_stable(target, self.observed)
        return self._view_of(going_back(target.service, service), image, target.spec_hash, joined)

    def _view_of(self, service: Service, image: BoundImage, desired_hash: str, shares: Mapping[str, str]) -> View:
        name, replaced_at = self._dependency_replaced(service)
        gate = Gate(
            service,
            desired_hash,
            self.memory,
            self.now,
            monitor=monitor_seconds(service, image),
            joined=shares,
            outdated_before=replaced_at,
            outdated_by=name,
            mutations=self.observed.mutations,
            swap_limited=self.observed.engine.swap_limited,
            inflight=self.observed.inflight,
            networks=self.networks,
        )
        by_slot: dict[int, list[Container]] = defaultdict(list)
        for container in self.containers(service.name):
            by_slot[slot_number(container)].append(container)
        slots = tuple(make_slot(gate, number, by_slot.pop(number, [])) for number in range(1, service.replicas + 1))
        surplus = tuple(container for number in sorted(by_slot) for container in by_slot[number])
        return View(service, image, gate, slots, surplus, choose_order(service, image))

    def _dependency_replaced(self, service: Service) -> tuple[str, float]:
        """Which dependency with `restart: true` is up, all of it new, since when (Compose Spec, depends_on)."""
        found = [("", 0.0)]
        for dependency in service.depends_on:
            other = self.desired.project.service(dependency.service) if dependency.restart else None
            slots = self.view(other).slots if other else ()
            times = [slot.current.created_at for slot in slots if slot.settled and slot.current]
            if times and len(times) == len(slots):
                found.append((dependency.service, min(times)))
        return max(found, key=lambda item: item[1])

    def _resolve_shares(self, service: Service) -> dict[str, str] | None:
        """HostConfig field -> id of the container whose namespace is joined; None while that one is not up."""
        resolved = {}
        for host_field, name in service.shares:
            owner = self.desired.project.service(name)
            slots = self.view(owner).slots if owner else ()
            if not slots or slots[0].state is not State.READY or slots[0].current is None:
                return None
            resolved[host_field] = slots[0].current.id
        return resolved

    def _failure(self, view: View, failed: frozenset[int]) -> Failure | None:
        """Why this definition is not tried any more: known before, too many replicas failed, or the rest is through."""
        known = self.memory.failures.get((view.service.name, view.desired_hash))
        if known or not failed:
            return known
        rollout = view.service.rollout
        enough = len(failed) > rollout.max_failure_ratio * len(view.slots) and rollout.failure_action != "continue"
        ended = all(slot.settled or slot.number in failed for slot in view.slots)
        if not enough and not ended:
            return None
        return self._describe(view, failed, rolled_back=enough and self.can_go_back(view.service, view.desired_hash))

    def _describe(self, view: View, failed: frozenset[int], *, rolled_back: bool) -> Failure:
        found = ((slot, slot.current) for slot in view.slots if slot.current and slot.number in failed)
        slot, container = next(found)
        more = f" ({len(failed)} of {len(view.slots)} replicas failed)" if len(failed) > 1 else ""
        return Failure(
            view.service.name,
            view.desired_hash,
            self.memory.why_failed(slot.reason, _failure_reason(slot)),
            f"{view.service.name}/{slot.number}: {slot.reason}{more}",
            container.name,
            slot=slot.number,
            exit_code=None if container.running or container.status == "created" else container.exit_code,
            health_log=container.health_log,
            at=self.now,
            rolled_back=rolled_back,
        )

    def name(self, service: Service, slot: int, rollout: str) -> str:
        """The name of a new container of this slot."""
        return container_name(self.project, service, slot, rollout)


def _failure_reason(slot: Slot) -> str:
    words = {
        "unhealthy": "Unhealthy",
        "not healthy": "ProgressDeadlineExceeded",
        "did not complete": "ProgressDeadlineExceeded",
        "keeps restarting": "CrashLoop",
    }
    found = next((reason for text, reason in words.items() if slot.reason.startswith(text)), None)
    if found:
        return found
    return "StartFailed" if slot.reason.startswith("could not start") else "Exited"
