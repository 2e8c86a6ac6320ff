"""How soon a replica that was lost after its rollout is replaced: at once, then 10 s doubling to 5 min."""

from __future__ import annotations

from reconciler.model import labels
from reconciler.model.memory import Restarts
from reconciler.model.observed import Container
from reconciler.planner.context import Context, View
from reconciler.planner.gates import left_behind
from reconciler.planner.slots import Slot

FIRST, LONGEST = 10.0, 300.0
HELD_SECONDS = 600.0
BY_DEPENDENCY = ("depends_on", "shares")


def restarts(context: Context, view: View, slot: Slot) -> Restarts | None:
    """What will be known of this slot's replica once it has been replaced by its equal; None where that has to wait.

    A count of 0 where nothing was lost. A wait is stated as a condition; nobody waits for it in this run.
    """
    lost = _lost(view, slot)
    if lost is None:
        return Restarts(0, context.now)
    why = _by_hand(slot)
    before = _before(context, view, slot, lost, why)
    policy = view.service.restart
    attempts = before.count + (0 if _held(view, lost) else lost.restart_count)
    if policy.max_attempts is not None and not why and attempts >= policy.max_attempts:
        told = f"{view.service.name}/{slot.number} {slot.reason}; restarted {attempts} times, as max_attempts allows"
        source = view.service.source("deploy.restart_policy.max_attempts")
        context.draft.stall("RestartsExhausted", told, view.service.name, source)
        return None
    due = _due(None if why else policy.delay, before, lost)
    if context.now >= due:
        return Restarts(before.count + 1, context.now, why)
    if before.count == 0:
        context.draft.wakes.append((due, ""))
        return None
    context.draft.retries.append(due)
    times = "once" if before.count == 1 else f"{before.count} times"
    wait = f"not again for another {due - context.now:.0f} s"
    told = f"{view.service.name}/{slot.number} {slot.reason}; replaced {times} already, {wait}"
    context.draft.stall("BackOff", told, view.service.name, view.service.source())
    return None


def _lost(view: View, slot: Slot) -> Container | None:
    if any(item.field.startswith(BY_DEPENDENCY) for item in slot.drift):
        return None
    same = (item for item in slot.others if item.labels.get(labels.SPEC_HASH) == view.desired_hash)
    return next((item for item in same if not left_behind(view.gate, item)), None)


def _by_hand(slot: Slot) -> str:
    """What somebody changed about the lost replica, by field; "" where it ended by itself."""
    return ",".join(sorted({item.field for item in slot.drift})) or ("paused" if slot.reason == "paused" else "")


def _before(context: Context, view: View, slot: Slot, lost: Container, why: str) -> Restarts:
    """How often that happened in a row: a replica that held begins anew, and so does one lost for another reason."""
    known = context.memory.restarts.get((view.service.name, slot.number))
    return Restarts(0, 0.0) if known is None or known.why != why or _held(view, lost) else known


def _held(view: View, lost: Container) -> bool:
    """Whether its last life was as long as `window` asks: a success, before which no attempt counts."""
    ended_at = lost.seen_at if lost.occupied else lost.finished_at
    return lost.started_at > 0 and ended_at - lost.started_at >= (view.service.restart.window or HELD_SECONDS)


def _due(delay: float | None, before: Restarts, lost: Container) -> float:
    """When it may be replaced: `delay` counts from its end; where it has none, from the replacement before."""
    if delay is not None and lost.finished_at and not lost.occupied:
        return lost.finished_at + delay
    if not before.count:
        return 0.0
    return before.at + (min(FIRST * 2 ** (before.count - 1), LONGEST) if delay is None else delay)
