"""Answer a person: why a service is as it is, and where it can go back to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError
from reconciler.model.desired import Desired
from reconciler.model.history import Explanation
from reconciler.model.memory import POLICY_DENIED, Failure, Memory, Stable
from reconciler.model.observed import Observed
from reconciler.model.project import Project, Service
from reconciler.model.step import Condition, ServiceStatus, Step
from reconciler.planner.context import Context

if TYPE_CHECKING:
    from reconciler.store import ProjectStore

COPIED_LABELS = "CopiedLabels"
COPIED = "`docker rm -f {source}` if nobody needs it: it is not ours, so it is never removed"
FIX = "fix the spec of {service} or its image and run `reconcile`"
RETRY = "`reconcile retry {service}` to try it again as it is"
STAYS = {"Paused", "ImageGone"}
IN_FORCE = {"RolledBack", "RollingBack", "Quarantined", *STAYS}
WAYS_OUT = {
    **dict.fromkeys(("RolledBack", "RollingBack", "Quarantined", "Paused"), (FIX, RETRY)),
    **dict.fromkeys(("Exited", "CrashLoop", "Unhealthy", "StartFailed", "ProgressDeadlineExceeded"), (FIX, RETRY)),
    POLICY_DENIED: ("change the spec of {service}, or what the policy allows in the settings",),
    "OperationFailed": ("remove the cause that the message names", RETRY),
    "ImageGone": ("`docker pull` or load the image of the last stable revision again", FIX, RETRY),
    "Suspended": ("`reconcile resume` when it may be touched again",),
    "TooManyRemoved": ("`reconcile --allow-empty` if all of them are to go",),
    "BackOff": ("`reconcile retry {service}` to try again now", "`docker logs` of the replica for why it is lost"),
    "RestartsExhausted": ("`reconcile retry {service}` to begin counting anew",),
}


class RollbackError(ReconcilerError):
    """There is nothing to go back to."""

    code = "Rollback"


def explain(step: Step, memory: Memory, kept: ProjectStore, project: Project, service: str) -> Explanation:
    """The present state of a service out of one pass over its project, and what is kept of it."""
    status = next(item for item in step.services if item.name == service)
    chain = _chain(project, step, service)
    found = (*(item for item in step.conditions if item.service in {service, None}), *_copies(step, status))
    conditions = (*found, *_cut_off(step, chain, found))
    pending = next((item.cause for item in step.operations if item.service == service and item.cause), ())
    revisions = kept.revisions(service)
    due = [time for time in (step.wake_at, step.retry_at) if time is not None]
    failures = {key: failure for key, failure in memory.failures.items() if key not in memory.denied}
    quarantine = [failure for (name, _), failure in failures.items() if name == service]
    return Explanation(
        project=project.name,
        status=status,
        conditions=conditions,
        last=next(iter(kept.history(service, 1)), None),
        quarantine=_in_force(quarantine, conditions),
        stable=revisions[-1] if revisions else None,
        pending=pending,
        waits_until=min(due, default=None) if status.waiting or conditions else None,
        next_steps=tuple(dict.fromkeys((*_ways_out(conditions), *_way_out_of_chain(step, chain)))),
    )


def _in_force(failures: list[Failure], conditions: tuple[Condition, ...]) -> Failure | None:
    """The failure that holds the service back; no rollback where nothing goes back."""
    reasons = {item.reason for item in conditions}
    if not failures or not reasons & IN_FORCE:
        return None
    return replace(failures[-1], rolled_back=failures[-1].rolled_back and not reasons & STAYS)


def _ways_out(conditions: Iterable[Condition]) -> Iterator[str]:
    for item in conditions:
        ways = (COPIED,) if item.reason == COPIED_LABELS else WAYS_OUT.get(item.reason, ())
        yield from (way.format(service=item.service, source=item.source) for way in ways)


def _chain(project: Project, step: Step, service: str) -> tuple[str, ...]:
    """The service, what it waits for, and so on down to the one that a person has to help; () where nobody has to."""
    stalled = {item.service: item.reason for item in reversed(step.conditions) if item.type == "Stalled"}
    waiting = {item.name for item in step.services if item.waiting}

    found = _follow(project, stalled, waiting, service, ())
    return found if len(found) > 1 else ()


def _follow(
    project: Project, stalled: Mapping[str | None, str], waiting: set[str], name: str, seen: tuple[str, ...]
) -> tuple[str, ...]:
    """The way on from that service; () where nobody at its end has to help."""
    if stalled.get(name, "DependencyFailed") != "DependencyFailed":
        return (*seen, name)
    known = project.service(name) if name in waiting or name in stalled else None
    others = _needed(known) if known else ()
    ways = (_follow(project, stalled, waiting, other, (*seen, name)) for other in others if other not in seen)
    return next((way for way in ways if way), ())


def _needed(service: Service) -> tuple[str, ...]:
    """The services that must be there before it: those it depends on, and those whose namespaces it joins."""
    return (*(item.service for item in service.depends_on), *(name for _, name in service.shares))


def _cut_off(step: Step, chain: tuple[str, ...], told: Iterable[Condition]) -> tuple[Condition, ...]:
    """That the service waits for one that failed, unless a condition says so already."""
    if not chain or any(item.reason == "DependencyFailed" for item in told):
        return ()
    cause = _cause_of(step, chain[-1])
    waits = ", which waits for ".join(chain[1:])
    message = f"{chain[0]} waits for {waits}: {chain[-1]} is stalled ({cause.reason}): {cause.message}"
    return (Condition("Stalled", "True", "DependencyFailed", message, chain[0], cause.source),)


def _way_out_of_chain(step: Step, chain: tuple[str, ...]) -> tuple[str, ...]:
    """What to do about the service at the end of the chain."""
    return (*_ways_out((_cause_of(step, chain[-1]),)), f"`reconcile why {chain[-1]}`") if chain else ()


def _cause_of(step: Step, service: str) -> Condition:
    return next(item for item in step.conditions if item.service == service and item.type == "Stalled")


def _copies(step: Step, status: ServiceStatus) -> Iterator[Condition]:
    """Containers with copied labels, where nothing else says why the service is Modified."""
    if status.sync == "Modified" and not status.message:
        for notice in step.notices:
            if notice.code == COPIED_LABELS:
                yield Condition("Stalled", "True", COPIED_LABELS, notice.message, status.name, notice.source)


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
    current = next((item.revision for item in reversed(revisions) if item.spec_hash == runs), None)
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
