"""What the engine cannot tell, and what must outlive the program: kept by `store`, read by the planner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reconciler.model.observed import Container, Probe
from reconciler.model.operation import Difference, Operation
from reconciler.model.project import JSON, Service

REMEMBERED_WHEN = {"network.connect", "network.disconnect", "container.kill", "container.exec", "container.http"}


@dataclass(frozen=True)
class Failure:
    """A definition that did not come up: not tried again until it changes or a person says so (quarantine).

    `slot`, `container`, `exit_code`, `health_log` and `at` (engine time, seconds) tell of the replica that showed it;
    `rolled_back` says that the service goes, or went, back to its last stable definition because of it.
    """

    service: str
    spec_hash: str
    reason: str
    message: str
    container: str = ""
    slot: int = 0
    exit_code: int | None = None
    health_log: tuple[Probe, ...] = ()
    at: float = 0.0
    rolled_back: bool = False


@dataclass(frozen=True)
class Stable:
    """A definition that every replica of a service came up with, complete: what a rollback goes back to.

    `service` is the whole definition (it may hold secrets), `image_id`, `reference`, `digest` and `create_from` what it
    ran, `joined` the services whose container it shares. `revision` counts the service's stable definitions from 1 (0:
    not numbered yet); `source_revision` is the commit that it came from, if any.
    """

    service: Service
    spec_hash: str
    image_id: str
    reference: str
    digest: str
    create_from: str
    revision: int = 0
    source_revision: str | None = None
    at: float = 0.0


@dataclass(frozen=True)
class Restarts:
    """How often a lost replica of a slot has been replaced since it last held, and when that was last (engine time)."""

    count: int
    at: float


@dataclass(frozen=True)
class Memory:
    """What the engine cannot tell.

    - `failures`: definitions known to be bad, by (service, hash); `stable`: each service's last good one.
    - `failed_operations`: messages of operations that failed for good in this run, by id.
    - `attempted`: names of containers that a rollout not yet ended created or started: one that dies is a failed
      rollout and not a replica that died since.
    - `causes`: why a rollout began with a slot, by (service, slot): the container that showed it may be gone by now.
    - `volumes`: the anonymous volumes of containers removed on the way, by (service, slot) and mount path: the slot's
      next container takes them over.
    - `removed`: the container of a literal name that was removed to make room, by (service, slot): going back means to
      create it again.
    - `up`: when a container was first seen up, by its id and StartedAt; `done`: when an operation of
      `REMEMBERED_WHEN` ended, by its id.
    - `restarts`: by (service, slot). `subnets`: what the engine chose for a network, by name, for asking for it.
    - `made`: the ids of containers that are ours, with the names they were given; `baselines`: by the id of a
      container that came up, the paths that it had changed by then.
    """

    failures: Mapping[tuple[str, str], Failure] = field(default_factory=dict)
    stable: Mapping[str, Stable] = field(default_factory=dict)
    failed_operations: Mapping[str, str] = field(default_factory=dict)
    attempted: frozenset[str] = frozenset()
    causes: Mapping[tuple[str, int], tuple[Difference, ...]] = field(default_factory=dict)
    volumes: Mapping[tuple[str, int], Mapping[str, str]] = field(default_factory=dict)
    removed: Mapping[tuple[str, int], Container] = field(default_factory=dict)
    up: Mapping[str, float] = field(default_factory=dict)
    done: Mapping[str, float] = field(default_factory=dict)
    restarts: Mapping[tuple[str, int], Restarts] = field(default_factory=dict)
    subnets: Mapping[str, JSON] = field(default_factory=dict)
    made: Mapping[str, str] = field(default_factory=dict)
    baselines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

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
