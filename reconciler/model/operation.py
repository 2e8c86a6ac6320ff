"""What the planner says: operations with their causes, conditions, and the state of each service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from reconciler.model.observed import Container
from reconciler.model.project import JSON, Notice

Impact = Literal["none", "rolling", "gap", "recreate"]
Kind = Literal[
    "image.pull",
    "image.build",
    "image.tag",
    "network.create",
    "network.remove",
    "network.connect",
    "volume.create",
    "container.create",
    "container.start",
    "container.stop",
    "container.remove",
]
ConditionType = Literal["Ready", "Reconciling", "Stalled"]


@dataclass(frozen=True)
class Difference:
    """Why an operation exists: a field, its value before and after (redacted), where the spec says so, and in words."""

    field: str
    before: Any = None
    after: Any = None
    source: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Operation:
    """One engine call.

    `id` is the same for the same decision in every pass, so that a repeated plan is recognised. `resource` is the name
    of the object on the engine, `target` what the call addresses it by (its id where it exists). `after` are ids of
    operations that had to be done first. `payload` is the raw body of the call and may hold secrets: never print it.
    """

    id: str
    kind: Kind
    resource: str
    project: str
    service: str | None = None
    slot: int | None = None
    target: str = ""
    after: tuple[str, ...] = ()
    impact: Impact = "none"
    cause: tuple[Difference, ...] = ()
    payload: JSON = field(default_factory=dict)


@dataclass(frozen=True)
class Condition:
    """A statement about a project or one of its services, in controller-runtime's words."""

    type: ConditionType
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    service: str | None = None
    source: str = ""


@dataclass(frozen=True)
class ServiceStatus:
    """One service's line in `status`. `message` says why when something is off; `waiting` what it waits for now."""

    name: str
    desired: int
    running: int
    healthy: int
    up_to_date: int
    image: str
    digest: str
    health: str
    sync: str
    reason: str = ""
    message: str = ""
    waiting: str = ""
    order: str = ""
    order_reason: str = ""


@dataclass(frozen=True)
class Failure:
    """A definition that did not come up: remembered so that it is not tried again until it changes."""

    service: str
    spec_hash: str
    reason: str
    message: str
    container: str = ""


@dataclass(frozen=True)
class Memory:
    """What the engine cannot tell.

    `failures` are definitions known to be bad, by (service, hash); `failed_operations` messages of operations that
    failed for good, by id; `attempted` names of containers that this run created or started, so that one which dies is
    a failed rollout and not a replica that died since; `causes` why this run began with a slot, by (service, slot),
    because the container that showed it may be gone by now; `volumes` the anonymous volumes of containers removed in
    this run, by (service, slot) and mount path, because the slot's next container takes them over; `removed` the last
    container of a literal name that this run removed to make room, by (service, slot), because going back means to
    create it again.
    """

    failures: Mapping[tuple[str, str], Failure] = field(default_factory=dict)
    failed_operations: Mapping[str, str] = field(default_factory=dict)
    attempted: frozenset[str] = frozenset()
    causes: Mapping[tuple[str, int], tuple[Difference, ...]] = field(default_factory=dict)
    volumes: Mapping[tuple[str, int], Mapping[str, str]] = field(default_factory=dict)
    removed: Mapping[tuple[str, int], Container] = field(default_factory=dict)

    def with_failures(self, failures: tuple[Failure, ...]) -> Memory:
        """This memory and those failures; the first report of a (service, hash) is kept."""
        added = {(failure.service, failure.spec_hash): failure for failure in failures}
        return replace(self, failures={**added, **self.failures})

    def with_failed_operation(self, operation_id: str, message: str) -> Memory:
        """This memory and an operation that failed for good."""
        return replace(self, failed_operations={**self.failed_operations, operation_id: message})

    def with_attempts(self, operations: tuple[Operation, ...]) -> Memory:
        """This memory, the containers these operations bring up, why their slots were begun with, what those leave."""
        names = {op.resource for op in operations if op.kind in {"container.create", "container.start"}}
        causes = {(op.service, op.slot): op.cause for op in operations if op.service and op.slot}
        leaving = [op for op in operations if op.kind == "container.remove"]
        removals = [((op.service, op.slot), op.payload) for op in leaving if op.service and op.slot]
        volumes = {key: payload["volumes"] for key, payload in removals if payload.get("volumes")}
        removed = {key: payload["removed"] for key, payload in removals if "removed" in payload}
        return replace(
            self,
            attempted=self.attempted | names,
            causes={**causes, **self.causes},
            volumes={**self.volumes, **volumes},
            removed={**removed, **self.removed},
        )


@dataclass(frozen=True)
class Step:
    """The planner's answer. Empty when there is nothing to do and nothing to wait for.

    `wake_at` is the engine time (seconds since the epoch) at which to plan again even if nothing happens, after reading
    the containers `look_at` again.
    """

    operations: tuple[Operation, ...] = ()
    wake_at: float | None = None
    look_at: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    services: tuple[ServiceStatus, ...] = ()
    failures: tuple[Failure, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is left to do or to wait for."""
        return not self.operations and self.wake_at is None
