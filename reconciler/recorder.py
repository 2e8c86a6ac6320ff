"""Writes history while the loop runs: one record per service whose containers it touches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.executor import Finished
from reconciler.listeners import Silence
from reconciler.model import labels
from reconciler.model.history import ReplicaRecord, RolloutRecord, Trigger, Verdict
from reconciler.model.memory import Failure, Memory
from reconciler.model.observed import json_value
from reconciler.model.operation import Operation
from reconciler.model.project import Project
from reconciler.model.step import ServiceStatus, Step

if TYPE_CHECKING:
    from reconciler.store import ProjectStore

ROLLS = {"container.create", "container.start", "container.stop", "container.remove"}
DRIFT_FIELDS = {"state", "networks", "name", "filesystem"}


class Recorder(Silence):
    """Keeps what is learned in the store, and a record of each service's rollout.

    `triggers` names what a person asked for, by service; `logs` are the last lines of failed containers, by name.
    """

    def __init__(
        self,
        store: ProjectStore,
        project: Project,
        clock: Callable[[], float],
        logs: Mapping[str, str],
        triggers: Mapping[str, Trigger],
    ) -> None:
        self._store = store
        self._project = project
        self._clock = clock
        self._logs = logs
        self._triggers = triggers
        self._records: dict[str, RolloutRecord] = {}
        self._replicas: dict[str, dict[str, ReplicaRecord]] = {}
        self._statuses: dict[str, ServiceStatus] = {}

    def remember(self, memory: Memory) -> None:
        """Save what has changed."""
        self._store.save(memory)

    def planned(self, step: Step) -> None:
        """Note replicas that are up, and definitions that became stable."""
        self._statuses = {status.name: status for status in step.services}
        for life, at in step.up:
            self._note(life.partition("@")[0], up_at=at, verdict="up")
        for stable in step.stable:
            numbered = stable if stable.revision else self._store.add_revision(stable)
            record = self._records.get(stable.service.name)
            if record:
                self._records[stable.service.name] = replace(record, revision=numbered.revision)

    def started(self, operation: Operation) -> None:
        """The first operation on a service's containers begins its record."""
        if operation.service and operation.kind in ROLLS and operation.service not in self._records:
            self._begin(operation.service, operation)

    def finished(self, result: Finished) -> None:
        """Note the times of a replica's creation and start, and of the stop of the one it replaces."""
        operation, at = result.operation, result.ended_at
        if result.error or not operation.service or not operation.slot:
            return
        if operation.kind == "container.create" and result.container:
            status = self._statuses.get(operation.service)
            replica = ReplicaRecord(operation.slot, operation.resource, status.gate if status else "", created_at=at)
            self._replicas.setdefault(operation.service, {})[result.container] = replica
        elif operation.kind == "container.start":
            self._note(operation.target, started_at=at)
        elif operation.kind == "container.stop":
            self._note_stopped(operation.service, operation.slot, operation.target, at)

    def failed(self, failure: Failure) -> None:
        """Keep the failure with its container's last words."""
        record = self._records.get(failure.service)
        for container, replica in self._replicas.get(failure.service, {}).items():
            if replica.container == failure.container:
                self._note(container, verdict=failure.message)
        if record:
            self._keep(replace(record, failure=failure, message=failure.message, logs=self._log_of(failure)))

    def close(self, *, stopped: bool) -> None:
        """Write how each rollout ended."""
        for name, record in self._records.items():
            status = self._statuses.get(name)
            verdict = _verdict(record, status, stopped=stopped)
            message = record.message or (status.message if status and verdict != "completed" else "")
            revision = record.revision if verdict == "completed" else 0
            kept = replace(record, ended_at=self._clock(), verdict=verdict, message=message, revision=revision)
            self._keep(replace(kept, order=status.order if status else record.order))

    def _begin(self, name: str, operation: Operation) -> None:
        status = self._statuses.get(name)
        body_labels = json_value(operation.payload, "body", "Labels") or {}
        record = RolloutRecord(
            number=0,
            project=self._project.name,
            service=name,
            trigger=self._triggers.get(name) or _trigger(operation),
            cause=operation.cause,
            order=status.order if status else "",
            began_at=self._clock(),
            spec_hash=body_labels.get(labels.SPEC_HASH, ""),
            image=status.image if status else "",
            digest=status.digest if status else "",
        )
        self._end_interrupted(name)
        self._records[name] = self._store.begin(record)

    def _end_interrupted(self, name: str) -> None:
        for earlier in self._store.history(name, 1):
            if earlier.verdict == "running":
                self._store.update(replace(earlier, verdict="interrupted", ended_at=self._clock()))

    def _keep(self, record: RolloutRecord) -> None:
        whole = replace(record, batches=in_batches(list(self._replicas.get(record.service, {}).values())))
        self._records[record.service] = whole
        self._store.update(whole)

    def _note(self, container: str, **found: float | str) -> None:
        for replicas in self._replicas.values():
            if container in replicas:
                replicas[container] = replace(replicas[container], **found)  # type: ignore[arg-type]

    def _note_stopped(self, service: str, slot: int, stopped: str, at: float) -> None:
        for container, replica in self._replicas.get(service, {}).items():
            if replica.slot == slot and container != stopped:
                self._note(container, old_stopped_at=at)

    def _log_of(self, failure: Failure) -> str:
        return self._logs.get(failure.container, "")


def in_batches(replicas: list[ReplicaRecord]) -> tuple[tuple[ReplicaRecord, ...], ...]:
    """The replicas that were replaced together, in order: a batch ends when all of it is up."""
    batches: list[list[ReplicaRecord]] = []
    for replica in sorted(replicas, key=lambda item: (item.created_at, item.slot)):
        ended = max((item.up_at or float("inf") for item in batches[-1]), default=0.0) if batches else 0.0
        if not batches or replica.created_at >= ended:
            batches.append([])
        batches[-1].append(replica)
    return tuple(tuple(batch) for batch in batches)


def _trigger(operation: Operation) -> Trigger:
    fields = {difference.field for difference in operation.cause}
    if "rollback" in fields:
        return "rollback"
    by_hand = any("by hand" in difference.reason for difference in operation.cause)
    return "drift" if by_hand or fields & DRIFT_FIELDS else "spec"


def _verdict(record: RolloutRecord, status: ServiceStatus | None, *, stopped: bool) -> Verdict:
    if status is None:
        return "interrupted" if stopped else "completed"
    if status.reason == "RolledBack":
        return "rolled back"
    if record.failure or status.reason:
        return "paused" if status.healthy and record.failure else "failed"
    return "completed" if status.sync in {"Synced", "Modified"} else "interrupted"
