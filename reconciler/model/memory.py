"""What the engine cannot tell, and what must outlive the program: kept by `store`, read by the planner."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from reconciler.model import labels
from reconciler.model.ledger import Deployed, entered
from reconciler.model.observed import Container, Observed, Probe
from reconciler.model.operation import Difference, Operation
from reconciler.model.project import JSON, Service
from reconciler.model.suspension import Suspension

SlotKey = tuple[str, int]
Value = TypeVar("Value")
POLICY_DENIED = "PolicyDenied"
OF_SERVICES = ("container.", "image.", "network.connect:")
DRAINS = ("container.kill:", "container.exec:", "container.http:")
REMEMBERED_WHEN = {"network.connect", "network.disconnect", "container.copy", *(name.rstrip(":") for name in DRAINS)}


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
    not numbered yet); `source_revision` is the commit that it came from, if any. `own_writes` counts the definitions up
    to this one, in a row, that differed from the one before by nothing but files that the replicas write themselves;
    `outline` is the desired hash of all but what files contain ("": not known).
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
    own_writes: int = 0
    outline: str = ""


@dataclass(frozen=True)
class Restarts:
    """How often a lost replica of a slot has been replaced since it last held, and when that was last (engine time).

    `why` names the fields that somebody had changed by hand; "" where it ended by itself.
    """

    count: int
    at: float
    why: str = ""


@dataclass(frozen=True)
class Sighting:
    """What a registry had under a reference when it was asked last (`asked_at`), and since when we know it (`since`).

    Times are the engine's.
    """

    digest: str
    since: float
    asked_at: float


@dataclass(frozen=True)
class Memory:
    """What the engine cannot tell.

    - `failures`: definitions known to be bad, by (service, hash); `stable`: each service's last good one.
    - `failed_operations`: messages of operations that failed for good in this run, by id; `refused`: those of these
      messages that are the policy's.
    - `attempted`: names of containers that a rollout not yet ended created or started: one that dies is a failed
      rollout and not a replica that died since.
    - `causes`: why a rollout began with a slot, by (service, slot): the container that showed it may be gone by now.
    - `volumes`: the anonymous volumes of containers removed on the way, by (service, slot) and mount path: the slot's
      next container takes them over.
    - `removed`: the container of a literal name that was removed to make room, by (service, slot): going back means to
      create it again.
    - `up`: when a container was first seen up, by its id and StartedAt; `done`: when an operation of
      `REMEMBERED_WHEN` ended, by its id.
    - `restarts`: by (service, slot). `subnets`: what the engine chose for a network, by name, from its removal until
      it was made anew with that, or could not be because somebody else had it by then.
    - `addresses`: what a container had on a network that it left for a moment, by `<id>:<network>`, to come back with
      (IPAMConfig: IPv4Address, IPv6Address).
    - `quarantined`: the failures that were known before this run began; `earlier`: the containers that runs before it
      attempted: one of them that ended may have ended with its engine, and is tried once more.
    - `made`: the ids of containers that are ours, with the names they were given; `baselines`: by the id of a
      container that came up, the paths that it had changed by then.
    - `adopted`: the labels that a container would have if we had made it, by the id of one that was taken over from
      `docker compose`; `adopted_networks`: the ids of the networks that were.
    - `sightings`: by reference, what registries had; `verified`: when the signature of a digest was found good, by
      `<repository>@<digest> <the keys' fingerprint>`; `compared`: whether what a registry has is a local image, by
      `<repository>@<digest> <the image's id>`.
    - `images`: the ledger of what was deployed, by image id.
    - `suspended`: the services that are left alone, by name, `""` being the whole project; who suspends writes it to
      the store by itself, so that a run under way cannot undo it.
    """

    failures: Mapping[tuple[str, str], Failure] = field(default_factory=dict)
    stable: Mapping[str, Stable] = field(default_factory=dict)
    failed_operations: Mapping[str, str] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    attempted: frozenset[str] = frozenset()
    causes: Mapping[tuple[str, int], tuple[Difference, ...]] = field(default_factory=dict)
    volumes: Mapping[tuple[str, int], Mapping[str, str]] = field(default_factory=dict)
    removed: Mapping[tuple[str, int], Container] = field(default_factory=dict)
    up: Mapping[str, float] = field(default_factory=dict)
    done: Mapping[str, float] = field(default_factory=dict)
    restarts: Mapping[tuple[str, int], Restarts] = field(default_factory=dict)
    subnets: Mapping[str, JSON] = field(default_factory=dict)
    addresses: Mapping[str, JSON] = field(default_factory=dict)
    quarantined: frozenset[tuple[str, str]] = frozenset()
    earlier: frozenset[str] = frozenset()
    made: Mapping[str, str] = field(default_factory=dict)
    baselines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    adopted: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    adopted_networks: frozenset[str] = frozenset()
    sightings: Mapping[str, Sighting] = field(default_factory=dict)
    verified: Mapping[str, float] = field(default_factory=dict)
    compared: Mapping[str, bool] = field(default_factory=dict)
    images: Mapping[str, Deployed] = field(default_factory=dict)
    suspended: Mapping[str, Suspension] = field(default_factory=dict)

    def with_failures(self, failures: tuple[Failure, ...]) -> Memory:
        """This memory and those failures; the first report of a (service, hash) is kept, and ends what it was for."""
        if not failures:
            return self
        added = {(failure.service, failure.spec_hash): failure for failure in failures}
        over = {service for service, _ in added.keys() - self.failures.keys()}
        causes = {key: cause for key, cause in self.causes.items() if key[0] not in over}
        return replace(self, failures={**added, **self.failures}, causes=causes)

    def with_failed_operation(self, operation_id: str, message: str, at: float = 0.0) -> Memory:
        """This memory and an operation that failed for good; where it was to tell a replica to leave, when that was."""
        told = {operation_id: at} if at and operation_id.startswith(DRAINS) else {}
        failed = {**self.failed_operations, operation_id: message}
        subnets = _without_key(self.subnets, operation_id.removeprefix("network.create:"))
        return replace(self, failed_operations=failed, done={**self.done, **told}, subnets=subnets)

    def with_refused_operation(self, operation_id: str, message: str, at: float = 0.0) -> Memory:
        """This memory and an operation that the policy refused: for good, but its definition is not to blame."""
        return replace(self.with_failed_operation(operation_id, message, at), refused=self.refused | {message})

    def why_failed(self, message: str, otherwise: str) -> str:
        """The reason of what failed with this message: `PolicyDenied` where the policy refused it."""
        return POLICY_DENIED if any(refusal in message for refusal in self.refused) else otherwise

    @property
    def denied(self) -> dict[tuple[str, str], Failure]:
        """The failures that are the policy's doing: they hold for as long as it does, and are kept nowhere."""
        return {key: failure for key, failure in self.failures.items() if failure.reason == POLICY_DENIED}

    @property
    def refused_operations(self) -> dict[str, str]:
        """What the policy said of operations that it refused in this run, by id; of those of services alone."""
        found = self.failed_operations.items()
        return {key: text for key, text in found if text in self.refused and key.startswith(OF_SERVICES)}

    def with_attempts(self, operations: tuple[Operation, ...]) -> Memory:
        """This memory, the containers these operations bring up, why their slots were begun with, what those leave."""
        if not operations:
            return self
        names = {op.resource for op in operations if op.kind in {"container.create", "container.start"}}
        return replace(
            self,
            attempted=self.attempted | names,
            earlier=self.earlier - {op.resource for op in operations if op.kind == "container.create"},
            causes={**self.causes, **_of_slots(operations, lambda op: op.cause)},
            volumes={**self.volumes, **_of_slots(operations, lambda op: op.payload.get("volumes"))},
            removed={**_of_slots(operations, lambda op: op.payload.get("removed")), **self.removed},
            addresses={**self.addresses, **_addresses(operations)},
            subnets={**self.subnets, **{op.resource: op.payload["ipam"] for op in operations if "ipam" in op.payload}},
        )

    def with_done(self, operation: Operation, container: str, ended_at: float) -> Memory:
        """This memory and an operation that succeeded on that container ("" where it concerns none)."""
        if operation.kind == "network.create":
            return replace(self, subnets=_without_key(self.subnets, operation.resource))
        if operation.kind in REMEMBERED_WHEN:
            return replace(self, done={**self.done, operation.id: ended_at})
        if operation.kind == "container.create" and container:
            restarts = _of_slots((operation,), lambda op: _restarts(op, ended_at))
            made = {**self.made, container: operation.resource}
            return replace(self, made=made, restarts={**self.restarts, **restarts})
        if operation.kind == "container.remove":
            return self.without_containers({operation.target})
        return self

    def with_up(self, up: tuple[tuple[str, float], ...]) -> Memory:
        """This memory and replicas that were seen up for the first time."""
        return replace(self, up={**dict(up), **self.up}) if up else self

    def with_stable(self, project: str, stable: Stable) -> Memory:
        """This memory and a definition that every replica came up with: its rollout is over and forgotten."""
        name = stable.service.name
        before = self.stable.get(name)
        unchanged = before is not None and before.spec_hash == stable.spec_hash
        newest = replace(before, service=stable.service) if before and unchanged else stable
        kept = replace(self, stable={**self.stable, name: newest})
        return kept.without_rollout(project, name, stable.service.container_name, keep_restarts=unchanged)

    def without_rollout(
        self, project: str, service: str, literal: str | None = None, *, keep_restarts: bool = True
    ) -> Memory:
        """This memory without what it holds of the service's rollout under way."""
        own = re.compile(rf"{re.escape(project)}-{re.escape(service)}-\d+-[0-9a-f]{{8}}")
        ids = {key for key, name in self.made.items() if name == literal or own.fullmatch(name)}
        ids |= {key for key, found in self.adopted.items() if found.get(labels.SERVICE) == service}
        names = {self.made[key] for key in ids & self.made.keys()}
        ours = {name for name in self.attempted if name in names or name == literal or own.fullmatch(name)}
        return replace(
            self,
            attempted=self.attempted - ours,
            causes=_without(self.causes, service),
            volumes=_without(self.volumes, service),
            removed=_without(self.removed, service),
            restarts=self.restarts if keep_restarts else _without(self.restarts, service),
            up={key: at for key, at in self.up.items() if key.partition("@")[0] not in ids},
            done={key: at for key, at in self.done.items() if key.partition(":")[2].partition("/")[0] != service},
            addresses={key: value for key, value in self.addresses.items() if key.partition(":")[0] not in ids},
        )

    def without_failures(self, project: str, service: str) -> Memory:
        """This memory with the service's definitions out of quarantine, its lost replicas and own writes forgotten."""
        kept = {key: failure for key, failure in self.failures.items() if key[0] != service}
        stable = {name: replace(item, own_writes=0) if name == service else item for name, item in self.stable.items()}
        lifted = replace(self, failures=kept, stable=stable)
        return lifted.without_rollout(project, service, keep_restarts=False)

    def with_images(self, observed: Observed, done: Iterable[Operation], now: float) -> Memory:
        """This memory and what a look at the engine, after those operations, shows of the project's images."""
        images = entered(self.images, observed, done, now)
        return self if images == self.images else replace(self, images=images)

    def without_containers(self, gone: Collection[str]) -> Memory:
        """This memory without what it holds of containers that exist no more."""
        if not gone:
            return self
        return replace(
            self,
            made={key: name for key, name in self.made.items() if key not in gone},
            baselines={key: paths for key, paths in self.baselines.items() if key not in gone},
            adopted={key: found for key, found in self.adopted.items() if key not in gone},
        )


def _of_slots(operations: tuple[Operation, ...], find: Callable[[Operation], Value | None]) -> dict[SlotKey, Value]:
    """What `find` says of each operation on a slot, where it says something."""
    found = (((op.service, op.slot), find(op)) for op in operations if op.service and op.slot)
    return {(str(service), int(slot or 0)): value for (service, slot), value in found if value}


def _without_key(found: Mapping[str, Value], key: str) -> dict[str, Value]:
    return {name: value for name, value in found.items() if name != key}


def _restarts(operation: Operation, now: float) -> Restarts | None:
    restarts: Restarts | None = operation.payload.get("restarts")
    return replace(restarts, at=now) if restarts and restarts.count else None


def _addresses(operations: tuple[Operation, ...]) -> dict[str, JSON]:
    leaving = (op for op in operations if op.kind == "network.disconnect")
    return {f"{op.target}:{op.payload['network']}": op.payload["address"] for op in leaving}


def _without(entries: Mapping[SlotKey, Value], service: str) -> dict[SlotKey, Value]:
    return {key: value for key, value in entries.items() if key[0] != service}
