"""One service, one pass: move each slot one operation further towards the desired definition, or back to what ran."""

from __future__ import annotations

from reconciler.model import labels
from reconciler.model.memory import Failure
from reconciler.model.observed import Container
from reconciler.model.operation import Impact
from reconciler.model.project import Service
from reconciler.planner import containers
from reconciler.planner.causes import slot_cause, surplus_cause
from reconciler.planner.conflicts import held_by_our_own
from reconciler.planner.context import Context, View
from reconciler.planner.dependencies import has_failed_dependency, waits_for
from reconciler.planner.payload import later_networks, rollout_id
from reconciler.planner.slots import Slot, State


def roll(context: Context, view: View, blocked: str) -> str:
    """Write this service's next operations into the draft; what it waits for now, in words ("" for nothing).

    `blocked` says why nothing may be created for it; what runs is then left alone.
    """
    _retire_surplus(context, view)
    if not view.slots:
        return ""
    if view.failure:
        return _after_failure(context, view, view.failure)
    waiting = _image_wait(context, view) or blocked or ("" if view.desired_hash else _shares_wait(view))
    if waiting:
        return waiting
    return _advance_slots(context, view)


def _retire_surplus(context: Context, view: View) -> None:
    for container in view.surplus:
        message = containers.retire(context, container, "none", surplus_cause(view))
        if message:
            context.draft.stall("RemoveFailed", message, view.service.name, view.service.source())


def _image_wait(context: Context, view: View) -> str:
    operation = view.image.operation
    if view.image.state == "error":
        context.draft.stall("ImageUnavailable", view.image.message, view.service.name, _image_source(view.service))
        return "its image"
    if operation is None:
        return ""
    failed = context.draft.add(operation)
    if failed:
        context.draft.stall("ImageUnavailable", failed, view.service.name, _image_source(view.service))
    return "its image"


def _image_source(service: Service) -> str:
    return service.source("build" if service.image.build else "image")


def _shares_wait(view: View) -> str:
    return ", ".join(f"the container of {name}" for _, name in view.service.shares)


def _advance_slots(context: Context, view: View) -> str:
    todo = [slot for slot in view.slots if not slot.settled]
    waiting = ""
    if any(slot.state is State.EMPTY for slot in todo):
        waiting = waits_for(context, view.service)
    if not waiting and any(slot.state in {State.EMPTY, State.CREATED} for slot in todo):
        waiting = held_by_our_own(context, view.service)
        todo = [slot for slot in todo if not waiting or slot.state not in {State.EMPTY, State.CREATED}]
    budget = view.limit - sum(1 for slot in todo if slot.replacing)
    given_up = bool(waiting) and has_failed_dependency(context, view.service)
    for slot in todo:
        if given_up and slot.current is None:
            _go_back(context, view, slot)  # the old one may have made room already
        else:
            budget -= _advance(context, view, slot, may_begin=not waiting, budget=budget)
    if all(slot.settled for slot in view.slots):
        _remove_others(context, view)
    return waiting or _gate_wait(view)


def _advance(context: Context, view: View, slot: Slot, *, may_begin: bool, budget: int) -> int:
    """Write the slot's next operation; 1 where that begins the replacement of a running container, else 0."""
    if slot.current is None:
        begins = 1 if slot.occupied_others else 0
        if may_begin and (budget > 0 or not begins):
            _begin(context, view, slot)
            return begins
    elif slot.state is State.CREATED:
        _bring_up(context, view, slot, slot.current)
    elif slot.state is State.WAITING:
        _wait(context, slot, slot.current)
    else:
        _stop_others(context, view, slot, (f"container.start:{containers.container_key(slot.current)}",))
    return 0


def _begin(context: Context, view: View, slot: Slot) -> None:
    under_way = f"container.create:{view.service.name}/{slot.number}/"
    if any(operation.startswith(under_way) for operation in context.observed.inflight):
        return
    cause = slot_cause(context, view, slot)
    holders = _name_holders(context, view, slot)
    for other in holders:
        _or_fail(context, view, containers.make_room(context, view, other, cause))
    if holders:
        return
    after = (
        *_image_operations(view),
        *_resource_operations(view.service),
        *_dependency_operations(context, view.service),
        *(_made_room(view) if slot.occupied_others else ()),
    )
    operation = containers.create(context, view, slot, _impact(view, slot), after)
    _or_fail(context, view, context.draft.add(operation))


def _name_holders(context: Context, view: View, slot: Slot) -> list[Container]:
    """Who has the name of the slot's next container: with `container_name` all, else one left by a run cut off."""
    name = context.name(view.service, slot.number, rollout_id(view.desired_hash, slot.previous))
    return [other for other in slot.others if view.service.container_name or other.name == name]


def _bring_up(context: Context, view: View, slot: Slot, current: Container) -> None:
    missing = [
        item for item in later_networks(view.service, context.observed.engine) if item.network not in current.networks
    ]
    for attachment in missing:
        _or_fail(context, view, context.draft.add(containers.connect(context, view, slot, current, attachment)))
    if missing:
        return
    if view.order.order == "stop-first" and slot.occupied_others:
        _stop_others(context, view, slot, (f"container.create:{containers.container_key(current)}",))
        return
    key = containers.container_key(current)
    stopped = tuple(f"container.stop:{containers.container_key(other)}" for other in slot.others)
    before = stopped if view.order.order == "stop-first" else ()
    connected = tuple(
        f"network.connect:{key}:{item.network}" for item in later_networks(view.service, context.observed.engine)
    )
    cause = slot_cause(context, view, slot)
    after = (f"container.create:{key}", *connected, *before)
    operation = containers.start(context, current, _impact(view, slot), cause, after)
    _or_fail(context, view, context.draft.add(operation))


def _wait(context: Context, slot: Slot, current: Container) -> None:
    context.draft.wakes.append((slot.ready_at, current.id))


def _stop_others(context: Context, view: View, slot: Slot, after: tuple[str, ...]) -> None:
    cause = slot_cause(context, view, slot)
    for other in slot.occupied_others:
        message = context.draft.add(containers.stop(context, other, _impact(view, slot), cause, after))
        if message:
            context.draft.stall("StopFailed", message, view.service.name, view.service.source())


def _remove_others(context: Context, view: View) -> None:
    for slot in view.slots:
        cause = slot_cause(context, view, slot)
        for other in slot.others:
            message = context.draft.add(containers.remove(context, other, _impact(view, slot), cause))
            if message:
                context.draft.stall("RemoveFailed", message, view.service.name, view.service.source())


def _after_failure(context: Context, view: View, failure: Failure) -> str:
    """The rollout is over: slots that are up stay, the others go back to what ran before."""
    context.draft.failures.append(failure)
    context.draft.stall(failure.reason, failure.message, view.service.name, view.service.source())
    for slot in view.slots:
        if slot.state is State.READY and slot.current:
            _stop_others(context, view, slot, (f"container.start:{containers.container_key(slot.current)}",))
        elif slot.state is State.WAITING and slot.current:
            _wait(context, slot, slot.current)
        elif slot.others or (view.service.name, slot.number) in context.memory.removed:
            _go_back(context, view, slot)
    return ""


def _go_back(context: Context, view: View, slot: Slot) -> None:
    cause = slot_cause(context, view, slot)
    current = slot.current
    if current and current.occupied:
        context.draft.add(containers.stop(context, current, "none", cause))
        return
    waiting = None if slot.occupied_others else _startable(view, slot)
    if waiting and not context.draft.add(containers.start(context, waiting, "gap", cause, ())):
        return
    if current:
        context.draft.add(containers.remove(context, current, "none", cause))
        return
    removed = context.memory.removed.get((view.service.name, slot.number))
    if removed and not slot.occupied_others:
        _restore(context, view, slot, removed)


def _restore(context: Context, view: View, slot: Slot, removed: Container) -> None:
    """Create the removed container again, reconnect it, start it: one operation a pass."""
    cause = slot_cause(context, view, slot)
    again = next((other for other in slot.others if other.name == removed.name and other.status == "created"), None)
    if again is None:
        if not slot.others:
            context.draft.add(containers.bring_back(context, view, slot, removed, cause))
        return
    missing = [name for name in removed.networks if name not in again.networks]
    for name in missing:
        context.draft.add(containers.reconnect(context, removed, again, name, cause))
    if not missing:
        context.draft.add(containers.start(context, again, "gap", cause, ()))


def _startable(view: View, slot: Slot) -> Container | None:
    """The newest old container that was stopped to make room, if the service is one that keeps running."""
    if view.service.job:
        return None
    stopped = (
        other
        for other in slot.others
        if other.status == "exited" and other.labels.get(labels.SPEC_HASH) != view.desired_hash
    )
    return next(stopped, None)


def _or_fail(context: Context, view: View, message: str) -> None:
    """Turn an operation that failed for good into a failed rollout of this definition."""
    if message and view.desired_hash:
        failure = Failure(view.service.name, view.desired_hash, "OperationFailed", message)
        context.draft.failures.append(failure)
        context.draft.stall(failure.reason, message, view.service.name, view.service.source())


def _impact(view: View, slot: Slot) -> Impact:
    if not slot.others:
        return "none"
    if (
        not slot.occupied_others
        and slot.state in {State.EMPTY, State.CREATED, State.WAITING}
        and view.order.order == "start-first"
    ):
        return "recreate"
    several = len(view.slots) > 1 and view.limit < len(view.slots)
    return "rolling" if view.order.order == "start-first" or several else "gap"


def _gate_wait(view: View) -> str:
    waiting = [slot for slot in view.slots if slot.state is State.WAITING]
    if not waiting:
        return ""
    ready = sum(1 for slot in view.slots if slot.state is State.READY)
    return f"{'completion' if view.service.job else waiting[0].reason} {ready}/{len(view.slots)}"


def _image_operations(view: View) -> tuple[str, ...]:
    build = view.service.image.build
    if build:
        return (f"image.build:{build.tag}",)
    repository = view.image.create_from.partition("@")[0]
    pinned = f"{repository.rpartition(':')[0] or repository}@{view.image.digest}"
    return (f"image.pull:{pinned}", f"image.tag:{repository}")


def _resource_operations(service: Service) -> tuple[str, ...]:
    networks = tuple(f"network.create:{item.network}" for item in service.networks)
    return (*networks, *(f"volume.create:{name}" for name in service.volumes))


def _made_room(view: View) -> tuple[str, ...]:
    """The operations that ended the replacements before this one: `parallelism` lets only so many be under way."""
    verb = "stop" if view.order.order == "start-first" else "start"
    found = []
    for slot in view.slots:
        ended = slot.others if verb == "stop" else ((slot.current,) if slot.current else ())
        found += [f"container.{verb}:{containers.container_key(item)}" for item in ended if slot.settled]
    return tuple(found)


def _dependency_operations(context: Context, service: Service) -> tuple[str, ...]:
    found = []
    for dependency in service.depends_on:
        other = context.desired.project.service(dependency.service)
        slots = context.view(other).slots if other else ()
        found += [f"container.start:{containers.container_key(slot.current)}" for slot in slots if slot.current]
    return tuple(found)
