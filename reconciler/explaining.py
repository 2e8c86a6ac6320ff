"""Answer a person: why a service is as it is, and where it can go back to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError
from reconciler.model.desired import Desired
from reconciler.model.history import Explanation
from reconciler.model.memory import Failure, Memory, Stable
from reconciler.model.observed import Observed
from reconciler.model.project import Project, Service
from reconciler.model.step import Condition, Step
from reconciler.planner.context import Context

if TYPE_CHECKING:
    from reconciler.store import ProjectStore

FIX = "fix the spec or its image and run `reconcile`"
RETRY = "`reconcile retry {service}` to try it again as it is"
WAYS_OUT = {
    "RolledBack": (FIX, RETRY),
    "Quarantined": (FIX, RETRY),
    "BackOff": ("`reconcile retry {service}` to try again now", "`docker logs` of the replica for why it is lost"),
    "RestartsExhausted": ("`reconcile retry {service}` to begin counting anew",),
    "DependencyFailed": ("`reconcile why` of the dependency",),
}


class RollbackError(ReconcilerError):
    """There is nothing to go back to."""

    code = "Rollback"


def explain(step: Step, memory: Memory, kept: ProjectStore, project: Project, service: str) -> Explanation:
    """The present state of a service out of one pass over its project, and what is kept of it."""
    status = next(item for item in step.services if item.name == service)
    conditions = tuple(item for item in step.conditions if item.service in {service, None})
    pending = next((item.cause for item in step.operations if item.service == service and item.cause), ())
    revisions = kept.revisions(service)
    due = [time for time in (step.wake_at, step.retry_at) if time is not None]
    quarantine = [failure for (name, _), failure in memory.failures.items() if name == service]
    return Explanation(
        project=project.name,
        status=status,
        conditions=conditions,
        last=next(iter(kept.history(service, 1)), None),
        quarantine=quarantine[-1] if quarantine and _in_force(conditions) else None,
        stable=revisions[-1] if revisions else None,
        pending=pending,
        waits_until=min(due, default=None) if status.waiting or conditions else None,
        next_steps=tuple(step.format(service=service) for step in _ways_out(conditions)),
    )


def _in_force(conditions: tuple[Condition, ...]) -> bool:
    return any(item.reason in {"RolledBack", "RollingBack", "Quarantined"} for item in conditions)


def _ways_out(conditions: tuple[Condition, ...]) -> list[str]:
    return list(dict.fromkeys(way for item in conditions for way in WAYS_OUT.get(item.reason, ())))


def hashes(desired: Desired, observed: Observed, memory: Memory, service: Service) -> tuple[str, str]:
    """The hash of the definition that the spec asks for, and of the one in force: another one after a rollback."""
    view = Context(desired, observed, memory, 0.0).view(service)
    return (view.failure.spec_hash if view.failure else view.desired_hash), view.desired_hash


def choose(service: str, revisions: tuple[Stable, ...], wanted: str, runs: str, number: int | None) -> Stable:
    """The revision of that number, else the newest before the one in force; RollbackError where there is none."""
    told = ", ".join(f"{item.revision} ({item.reference})" for item in revisions) or "none"
    if number is not None:
        found = next((item for item in revisions if item.revision == number), None)
        if found is None:
            raise RollbackError(f"{service} has no revision {number}; it has: {told}")
        return found
    current = next((item.revision for item in revisions if item.spec_hash == runs), None)
    earlier = [item for item in revisions if item.spec_hash not in {wanted, runs}]
    earlier = [item for item in earlier if current is None or item.revision < current]
    if not earlier:
        raise RollbackError(f"{service} has no earlier revision to go back to; it has: {told}")
    return earlier[-1]


def put_back(memory: Memory, project: str, target: Stable, wanted: str, now: float) -> Memory:
    """The memory in which that revision is in force, and what the spec asks for is in quarantine."""
    name = target.service.name
    failures = {key: failure for key, failure in memory.failures.items() if key != (name, target.spec_hash)}
    if target.spec_hash != wanted:
        message = f"rolled back by hand to revision {target.revision}"
        failures[name, wanted] = Failure(name, wanted, "RolledBackByHand", message, at=now, rolled_back=True)
    forgotten = memory.without_rollout(project, name, keep_restarts=False)
    return replace(forgotten, failures=failures, stable={**forgotten.stable, name: target})
