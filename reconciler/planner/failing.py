"""A rollout that failed: say why, hold failed replicas back, and where nothing better is known pause with what runs."""

from __future__ import annotations

from reconciler.model import labels
from reconciler.model.keys import container_key
from reconciler.model.memory import POLICY_DENIED, Failure
from reconciler.model.observed import Container
from reconciler.planner import containers, naming
from reconciler.planner.causes import slot_cause
from reconciler.planner.contents import changed_contents
from reconciler.planner.context import Context, View
from reconciler.planner.gates import State, left_behind
from reconciler.planner.leaving import leave
from reconciler.planner.slots import Slot

COMING_UP = {State.WAITING, State.UNNAMED, State.READY}


def report(context: Context, view: View, failure: Failure) -> None:
    """State the failure as a condition of the service, with what is done about it and how to go on."""
    context.draft.failures.append(failure)
    name = view.service.name
    reason, told = _what_is_done(context, view, failure)
    denied = failure.reason == POLICY_DENIED
    known = denied or (name, failure.spec_hash) in context.memory.quarantined
    changes = "its spec or the policy changes" if denied else f"its spec or image changes, or `reconcile retry {name}`"
    way_out = f"not tried again until {changes}"
    parts = (failure.message, told, way_out if view.going_back or known else "")
    context.draft.stall(reason, "; ".join(part for part in parts if part), name, view.service.source())


def _what_is_done(context: Context, view: View, failure: Failure) -> tuple[str, str]:
    """The condition's reason, and in words what becomes of the service."""
    if view.going_back and view.image.state == "error" and any(slot.state is State.EMPTY for slot in view.slots):
        return "ImageGone", f"cannot go back: {view.image.message}"
    if view.going_back and view.settled:
        return "RolledBack", f"went back to {_last_good(context, view)}{_but_files(context, view)}"
    if view.going_back:
        return (
            "RollingBack",
            f"goes back to {_last_good(context, view)}{_but_files(context, view)}{_but_refused(context, view)}",
        )
    new = sum(slot.state in COMING_UP for slot in view.slots)
    rollout = view.service.rollout
    too_few = len(view.slots) - new > rollout.max_failure_ratio * len(view.slots)
    if new and too_few and rollout.failure_action == "pause":
        return "Paused", f"paused: {new} of {len(view.slots)} replicas run the new definition"
    known = (view.service.name, failure.spec_hash) in context.memory.quarantined
    return "Quarantined" if known else failure.reason, ""


def _but_files(context: Context, view: View) -> str:
    """That files which changed keep their new content: they are mounted, so a container of before reads it too."""
    stable, wanted = context.memory.stable.get(view.service.name), context.desired.project.service(view.service.name)
    found = changed_contents(stable.service, wanted, context.desired.hash_key) if stable and wanted else []
    files = ", ".join(dict.fromkeys(item.origin for item in found if item.path and not item.copy))
    return f", but not {files}: a mounted file stays as it is on disk, put it right there" if files else ""


def _but_refused(context: Context, view: View) -> str:
    """That what served before could not be started again."""
    starts = (f"container.start:{container_key(slot.current)}" for slot in view.slots if slot.current)
    failed = context.memory.failed_operations
    return next((f", but {failed[start]}" for start in starts if start in failed), "")


def _last_good(context: Context, view: View) -> str:
    stable = context.memory.stable.get(view.service.name)
    revision = f"revision {stable.revision} " if stable and stable.revision else ""
    image = view.image.reference
    return f"{revision}({image})" if revision and image else image or "what ran before"


def pause(context: Context, view: View) -> None:
    """The rollout is over: replicas that are up stay; failed ones go where another container takes their place."""
    for slot in view.slots:
        if slot.state is State.READY and slot.current:
            _finish(context, view, slot)
        elif slot.state is State.UNNAMED and slot.current:
            naming.publish(context, view, slot, slot.current, slot_cause(context, view, slot))
        elif slot.state is State.WAITING and slot.current:
            context.draft.wakes.append((slot.ready_at, slot.current.id))
        elif not any(other.labels.get(labels.SPEC_HASH) != view.desired_hash for other in slot.others):
            _keep_one(context, view, slot)


def to_restore(view: View) -> set[int]:
    """The slots in which the definition did not come up, so that the last good one is to serve there again."""
    return {slot.number for slot in view.slots if slot.state not in COMING_UP}


def hold_back(context: Context, view: View, slot: Slot) -> None:
    """A replica that failed while the rollout goes on: the old one runs instead, the failed one stays as it is."""
    cause, current = slot_cause(context, view, slot), slot.current
    waiting = None if view.going_back else startable(context, view, slot)
    if current and current.occupied:
        context.draft.add(containers.stop(context, current, "none", cause))
    elif waiting:
        context.draft.add(containers.start(context, waiting, "gap", cause, ()))


def startable(context: Context, view: View, slot: Slot) -> Container | None:
    """The newest old container that was stopped to make room and not tried again since, where nothing runs."""
    if view.service.job or slot.occupied_others:
        return None
    stopped = (
        other
        for other in slot.others
        if other.status == "exited"
        and other.labels.get(labels.SPEC_HASH) != view.desired_hash
        and other.name not in context.memory.attempted
        and not left_behind(view.gate, other)
    )
    return next(stopped, None)


def fail_on(context: Context, view: View, message: str) -> None:
    """Turn an operation that failed for good into a failed rollout of this definition."""
    if not message or not view.desired_hash:
        return
    reason = context.memory.why_failed(message, "OperationFailed")
    if view.gate.stable:
        context.draft.stall(reason, message, view.service.name, view.service.source())
        return
    rolled_back = context.can_go_back(view.service, view.desired_hash)
    failure = Failure(view.service.name, view.desired_hash, reason, message, at=context.now, rolled_back=rolled_back)
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
