"""Each service's line of status, in the words of the contract: health, sync, and the reason when something is off."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import labels
from reconciler.model.observed import Container
from reconciler.model.redaction import redact_text
from reconciler.model.step import Condition, ServiceStatus
from reconciler.planner.causes import slot_cause
from reconciler.planner.context import Context, View
from reconciler.planner.drift import written_paths
from reconciler.planner.gates import State, changed_by_hand, describe_exit, left_behind
from reconciler.planner.protection import gate_words, protection
from reconciler.planner.slots import Slot

FIELDS_SHOWN = 3


def service_status(context: Context, view: View, waiting: str) -> ServiceStatus:
    """What runs of this service now. `waiting` is what it waits for in this pass, in words."""
    health, sync = _health(context, view), _sync(context, view)
    return ServiceStatus(
        name=view.service.name,
        desired=len(view.slots),
        running=sum(1 for slot in view.slots if _serving(slot)),
        healthy=sum(1 for slot in view.slots if slot.state is State.READY or _looks_healthy(slot)),
        up_to_date=0 if view.going_back else sum(1 for slot in view.slots if slot.settled),
        image=redact_text(view.image.reference),
        digest=view.image.digest,
        health=health,
        sync=sync,
        reason=_reason(context, view),
        message=_message(context, view),
        waiting=waiting,
        order=view.order.order,
        order_reason=view.order.reason,
        protection=protection(context, view),
        gate=gate_words(view),
        mutated=_mutated(context, view),
    )


def _serving(slot: Slot) -> bool:
    everything = (*((slot.current,) if slot.current else ()), *slot.others)
    return any(container.running for container in everything)


def _looks_healthy(slot: Slot) -> bool:
    everything = (*((slot.current,) if slot.current else ()), *slot.others)
    return any(container.running and container.health in {None, "healthy"} for container in everything)


def _health(context: Context, view: View) -> str:
    if context.is_suspended(view.service.name):
        return "Suspended"
    if view.failure:
        return "Degraded"
    if view.slots and all(slot.state is State.READY for slot in view.slots):
        return "Completed" if view.service.job else "Healthy"
    if not context.containers(view.service.name):
        return "Missing" if view.slots else "Healthy"
    if any(slot.state in {State.WAITING, State.CREATED, State.UNNAMED} for slot in view.slots):
        return "Progressing"
    lacking = [slot for slot in view.slots if not _serving(slot) or not _looks_healthy(slot)]
    return "Degraded" if lacking else "Healthy"


def _sync(context: Context, view: View) -> str:
    if view.going_back and view.settled:
        return "OutOfSync"
    if view.settled:
        return "Modified" if _copied(context, view) else "Synced"
    if not view.desired_hash:
        return "Unknown" if view.image.state == "error" else "OutOfSync"
    touched = [slot for slot in view.slots if slot.state is State.EMPTY and _same_definition(view, slot)]
    pending = [slot for slot in view.slots if not slot.settled and slot not in touched]
    return "Modified" if touched and not pending and not view.surplus else "OutOfSync"


def _mutated(context: Context, view: View) -> tuple[str, ...]:
    """What was written in the replicas' writable layers, and changes by hand that `mutation.config` only reports."""
    return tuple(
        f"{view.service.name}/{slot.number}: {change}"
        for slot in view.slots
        if slot.current
        for change in _mutations_of(context, view, slot.current)
    )


def _mutations_of(context: Context, view: View, container: Container) -> Iterator[str]:
    modes = view.service.mutation
    if modes.config == "report":
        yield from (f"{item.field} {item.reason}" for item in changed_by_hand(view.gate, container))
    if modes.filesystem != "ignore":
        yield from written_paths(view.service, container, context.observed.mutations, context.memory.baselines)


def _copied(context: Context, view: View) -> bool:
    """Whether somebody runs a second container with the labels of one of its replicas."""
    replicas = {f"{view.service.name}/{slot.number}" for slot in view.slots}
    return any(item.claims == context.project and item.replica in replicas for item in context.observed.foreign)


def _same_definition(view: View, slot: Slot) -> bool:
    """Whether the slot holds the desired definition, but somebody or something stopped it."""
    previous = slot.previous
    if previous is None:
        return slot.number in view.gate.known_slots
    return previous.labels.get(labels.SPEC_HASH) == view.desired_hash and not left_behind(view.gate, previous)


def _reason(context: Context, view: View) -> str:
    stated = _stated(context, view)
    return stated.reason if stated else ""


def _message(context: Context, view: View) -> str:
    stated = _stated(context, view)
    if stated and stated.stalls:
        return stated.message
    told = [
        f"{view.service.name}/{slot.number} {_slot_words(context, view, slot)}"
        for slot in view.slots
        if not slot.settled
    ]
    extra = f"{len(view.surplus)} more than wanted" if view.surplus else ""
    why = stated.message if stated else ""
    return "; ".join(part for part in [why, "; ".join(told[:3]), extra] if part)


def _stated(context: Context, view: View) -> Condition | None:
    """The first condition of the service: what is wrong with it, else what keeps it from being reconciled."""
    found = [item for item in context.draft.conditions if item.service == view.service.name]
    return next((item for item in found if item.stalls), next(iter(found), None))


def _slot_words(context: Context, view: View, slot: Slot) -> str:
    if slot.state is State.EMPTY or slot.state is State.FAILED:
        return slot.reason or _previous_words(context, view, slot)
    waiting = f"waits to be {slot.reason}" if slot.reason == "healthy" else f"waits for {slot.reason or 'completion'}"
    words = {
        State.WAITING: waiting,
        State.UNNAMED: "is up and about to answer to its service's name",
        State.CREATED: "is created but not started",
        State.STOPPED: "waits stopped to run again",
        State.READY: "is up; the container it replaces still runs",
    }
    return words[slot.state]


def _previous_words(context: Context, view: View, slot: Slot) -> str:
    previous = slot.previous
    if previous is None:
        return "does not exist"
    if not previous.occupied:
        return describe_exit(previous)
    return f"runs another {_fields(context, view, slot)}" if view.desired_hash else "runs"


def _fields(context: Context, view: View, slot: Slot) -> str:
    fields = [cause.field for cause in slot_cause(context, view, slot)]
    return ", ".join(fields[:FIELDS_SHOWN]) + (", …" if len(fields) > FIELDS_SHOWN else "")
