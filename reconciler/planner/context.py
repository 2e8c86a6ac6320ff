"""Everything a pass derives from its arguments before deciding: bound images, hashes, slots, orders, each once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model import labels
from reconciler.model.desired import Desired
from reconciler.model.memory import Failure, Memory
from reconciler.model.observed import Container, Observed
from reconciler.model.operation import Operation
from reconciler.model.project import Notice, Service
from reconciler.model.step import Condition
from reconciler.planner.images import BoundImage, bind_image
from reconciler.planner.order import OrderChoice, choose_order
from reconciler.planner.payload import container_name, spec_hash
from reconciler.planner.slots import Slot, State, make_slot, slot_number


@dataclass(frozen=True)
class View:
    """One service as seen in this pass. `desired_hash` is empty while the image or a shared container is not known."""

    service: Service
    image: BoundImage
    desired_hash: str
    slots: tuple[Slot, ...]
    surplus: tuple[Container, ...]
    order: OrderChoice
    shares: Mapping[str, str]
    failure: Failure | None = None

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

    `yielding` are ids of containers that hold a name or port which a service that could come up now needs.
    """

    inflight: frozenset[str]
    failed: Mapping[str, str]
    asked: dict[str, Operation] = field(default_factory=dict)
    yielding: set[str] = field(default_factory=set)
    wakes: list[tuple[float, str]] = field(default_factory=list)
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
        condition = Condition("Stalled", "True", reason, message, service, source)
        if condition not in self.conditions:
            self.conditions.append(condition)


class Context:
    """Lookups shared by the planner's parts during one pass."""

    def __init__(self, desired: Desired, observed: Observed, memory: Memory, now: float) -> None:
        self.desired = desired
        self.observed = observed
        self.memory = memory
        self.now = now
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

    def view(self, service: Service) -> View:
        """The service's view, made on first use."""
        if service.name not in self._views:
            self._views[service.name] = self._make_view(service)
        return self._views[service.name]

    def _make_view(self, service: Service) -> View:
        image = bind_image(service, self.desired, self.observed)
        shares = self._resolve_shares(service)
        known = image.state == "ready" and shares is not None
        desired_hash = spec_hash(self.desired, service, image, shares or {}) if known else ""
        by_slot: dict[int, list[Container]] = defaultdict(list)
        for container in self.containers(service.name):
            by_slot[slot_number(container)].append(container)
        slots = tuple(
            make_slot(service, number, by_slot.pop(number, []), desired_hash, self.memory, self.now)
            for number in range(1, service.replicas + 1)
        )
        surplus = tuple(container for number in sorted(by_slot) for container in by_slot[number])
        failure = self._failure(service, desired_hash, slots)
        return View(service, image, desired_hash, slots, surplus, choose_order(service, image), shares or {}, failure)

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

    def _failure(self, service: Service, desired_hash: str, slots: tuple[Slot, ...]) -> Failure | None:
        known = self.memory.failures.get((service.name, desired_hash))
        if known:
            return known
        for slot in slots:
            if slot.state is State.FAILED and slot.current:
                message = f"{service.name}/{slot.number}: {slot.reason}"
                return Failure(service.name, desired_hash, _failure_reason(slot), message, slot.current.name)
        return None

    def name(self, service: Service, slot: int, rollout: str) -> str:
        """The name of a new container of this slot."""
        return container_name(self.project, service, slot, rollout)


def _failure_reason(slot: Slot) -> str:
    words = {"unhealthy": "Unhealthy", "not healthy": "ProgressDeadlineExceeded", "keeps restarting": "CrashLoop"}
    found = next((reason for text, reason in words.items() if slot.reason.startswith(text)), None)
    if found:
        return found
    return "StartFailed" if slot.reason.startswith("could not start") else "Exited"
