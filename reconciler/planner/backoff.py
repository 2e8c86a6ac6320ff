"""How soon a replica that was lost after its rollout is replaced: at once, then 10 s doubling to 5 min."""

from __future__ import annotations

from reconciler.model import labels
from reconciler.model.memory import Restarts
from reconciler.model.observed import Container
from reconciler.planner.context import Context, View
from reconciler.planner.slots import Slot

FIRST, LONGEST = 10.0, 300.0
HELD_SECONDS = 600.0
NOT_COUNTED = ("depends_on", "shares")


def restarts(context: Context, view: View, slot: Slot) -> int | None:
    """How often in a row this slot's replica will have been replaced by its equal; None where that has to wait.

    0 where nothing was lost. A wait is stated as a condition; nobody waits for it in this run.
    """
    lost = _lost(view, slot)
    if lost is None:
        return 0
    before = _before(context, view, slot, lost)
    policy = view.service.restart
    if policy.max_attempts is not None and before.count >= policy.max_attempts:
        told = f"{view.service.name}/{slot.number} {slot.reason}; replaced {before.count} times, as max_attempts allows"
        source = view.service.source("deploy.restart_policy.max_attempts")
        context.draft.stall("RestartsExhausted", told, view.service.name, source)
        return None
    due = _due(policy.delay, before, lost)
    if context.now >= due:
        return before.count + 1
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
    if any(item.field.startswith(NOT_COUNTED) for item in slot.drift):
        return None
    return next((item for item in slot.others if item.labels.get(labels.SPEC_HASH) == view.desired_hash), None)


def _before(context: Context, view: View, slot: Slot, lost: Container) -> Restarts:
    window = view.service.restart.window or HELD_SECONDS
    ended_at = lost.seen_at if lost.occupied else lost.finished_at
    known = context.memory.restarts.get((view.service.name, slot.number))
    held = lost.started_at > 0 and ended_at - lost.started_at >= window
    return Restarts(0, ended_at) if known is None or held else known


def _due(delay: float | None, before: Restarts, lost: Container) -> float:
    if before.count == 0:
        return (lost.finished_at or lost.seen_at) + delay if delay else 0.0
    return before.at + (min(FIRST * 2 ** (before.count - 1), LONGEST) if delay is None else delay)
