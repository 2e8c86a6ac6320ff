"""A rollout that failed: say why, hold failed replicas back, and where nothing better is known pause with what runs."""

from __future__ import annotations

from reconciler.model import labels
from reconciler.model.memory import Failure
from reconciler.model.observed import Container
from reconciler.planner import containers, naming
from reconciler.planner.causes import slot_cause
from reconciler.planner.context import Context, View
from reconciler.planner.gates import State
from reconciler.planner.leaving import leave
from reconciler.planner.slots import Slot


def report(context: Context, view: View, failure: Failure) -> None:
    """State the failure as a condition of the service, with what is done about it and how to go on."""
    context.draft.failures.append(failure)
    name = view.service.name
    way_out = f"not tried again until its spec or image changes, or `reconcile retry {name}`"
    if view.going_back:
        reason = "RolledBack" if view.settled else "RollingBack"
        told = "went back to" if view.settled else "goes back to"
        message = f"{failure.message}; {told} {_last_good(context, view)}; {way_out}"
    elif (name, failure.spec_hash) in context.memory.quarantined:
        reason, message = "Quarantined", f"{failure.message}; {way_out}"
    else:
        reason, message = failure.reason, failure.message
    context.draft.stall(reason, message, name, view.service.source())


def _last_good(context: Context, view: View) -> str:
    stable = context.memory.stable.get(view.service.name)
    revision = f"revision {stable.revision} " if stable and stable.revision else ""
    image = view.image.reference
    return f"{revision}({image})" if revision and image else image or "what ran before"


def pause(context: Context, view: View) -> None:
    """The rollout is over: replicas that are up stay, the others go back to the container that ran before."""
    for slot in view.slots:
        if slot.state is State.READY and slot.current:
            _finish(context, view, slot)
        elif slot.state is State.UNNAMED and slot.current:
            naming.publish(context, view, slot, slot.current, slot_cause(context, view, slot))
        elif slot.state is State.WAITING and slot.current:
            context.draft.wakes.append((slot.ready_at, slot.current.id))
        elif any(other.labels.get(labels.SPEC_HASH) != view.desired_hash for other in slot.others):
            go_back(context, view, slot)
        else:
            _keep_one(context, view, slot)


def go_back(context: Context, view: View, slot: Slot) -> None:
    """Stop the slot's failed container, start the one that made room for it, remove the failed one."""
    if _held(context, view, slot) and slot.current:
        context.draft.add(containers.remove(context, slot.current, "none", slot_cause(context, view, slot)))


def hold_back(context: Context, view: View, slot: Slot) -> None:
    """A replica that failed while the rollout goes on: the old one runs instead, the failed one stays as it is."""
    _held(context, view, slot)


def fail_on(context: Context, view: View, message: str) -> None:
    """Turn an operation that failed for good into a failed rollout of this definition."""
    if not message or not view.desired_hash:
        return
    if view.gate.stable:
        context.draft.stall("OperationFailed", message, view.service.name, view.service.source())
        return
    rolled_back = view.service.rollout.failure_action == "rollback" and view.service.name in context.memory.stable
    failure = Failure(
        view.service.name, view.desired_hash, "OperationFailed", message, at=context.now, rolled_back=rolled_back
    )
    context.draft.failures.append(failure)
    context.draft.stall(failure.reason, message, view.service.name, view.service.source())


def _keep_one(context: Context, view: View, slot: Slot) -> None:
    """Nothing ran here before: the failed container stays to be looked at, earlier tries of the same go."""
    for other in slot.others:
        if not other.occupied:
            context.draft.add(containers.remove(context, other, "none", slot_cause(context, view, slot)))


def _finish(context: Context, view: View, slot: Slot) -> None:
    cause = slot_cause(context, view, slot)
    for other in slot.others:
        if other.occupied:
            leave(context, view, other, "rolling", cause, since=slot.up_at)
        else:
            context.draft.add(containers.remove(context, other, "none", cause))


def _held(context: Context, view: View, slot: Slot) -> bool:
    """Write the next operation that puts the old container back to work; whether that is done."""
    cause, current = slot_cause(context, view, slot), slot.current
    if current and current.occupied:
        context.draft.add(containers.stop(context, current, "none", cause))
        return False
    waiting = None if slot.occupied_others else _startable(view, slot)
    return waiting is None or bool(context.draft.add(containers.start(context, waiting, "gap", cause, ())))


def _startable(view: View, slot: Slot) -> Container | None:
    """The newest old container that was stopped to make room, if the service is no job and is not going back."""
    if view.service.job or view.going_back:
        return None
    stopped = (
        other
        for other in slot.others
        if other.status == "exited" and other.labels.get(labels.SPEC_HASH) != view.desired_hash
    )
    return next(stopped, None)
