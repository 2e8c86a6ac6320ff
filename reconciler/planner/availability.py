"""`--max-unavailable`: how many replicas of a whole project may be out of service at once for a rollout's sake."""

from __future__ import annotations

from reconciler.planner.context import Context, View
from reconciler.planner.gates import State
from reconciler.planner.slots import Slot


def may_begin(context: Context, view: View, slot: Slot) -> bool:
    """Whether this replica may be replaced now; counts it where that takes it out of service."""
    bound = context.desired.max_unavailable
    takes_out = view.order.order == "stop-first" and bool(slot.occupied_others) and not _out_of_service(view, slot)
    if bound is None or not takes_out:
        return True
    if _missing(context) + context.draft.begun >= bound:
        return False
    context.draft.begun += 1
    return True


def _missing(context: Context) -> int:
    """Replicas that ran and do not serve now."""
    views = [context.view(service) for service in context.desired.project.services if not service.job]
    return sum(1 for view in views for slot in view.slots if _out_of_service(view, slot))


def _out_of_service(view: View, slot: Slot) -> bool:
    if slot.state in {State.READY, State.UNNAMED} or not slot.others:
        return False
    being_replaced = view.order.order == "stop-first" and slot.replacing
    return being_replaced or not any(other.running and other.health != "unhealthy" for other in slot.others)
