"""One service, one pass: move each slot one operation further towards the definition to bring about."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model import labels
from reconciler.model.keys import container_key
from reconciler.model.observed import Container
from reconciler.model.operation import Difference, Impact
from reconciler.model.project import Service
from reconciler.planner import availability, backoff, containers, failing, naming
from reconciler.planner.causes import slot_cause, surplus_cause
from reconciler.planner.conflicts import held_by_our_own
from reconciler.planner.context import Context, View
from reconciler.planner.dependencies import has_failed_dependency, waits_for
from reconciler.planner.failing import fail_on
from reconciler.planner.gates import State, left_behind
from reconciler.planner.images import build_id, build_tags
from reconciler.planner.leaving import leave
from reconciler.planner.payload import later_networks, rollout_id
from reconciler.planner.resources import resources_missing
from reconciler.planner.slots import Slot


def roll(context: Context, view: View, blocked: str) -> str:
    """Write this service's next operations into the draft; what it waits for now, in words ("" for nothing).

    `blocked` says why nothing may be created for it; what runs is then left alone.
    """
    _retire_surplus(context, view)
    if not view.slots:
        return ""
    if view.failure:
        failing.report(context, view, view.failure)
        if not view.going_back:
            failing.pause(context, view)
            missing = resources_missing(context, view.service)
            _restore(context, view, set() if missing else failing.to_restore(view))
            return missing
    waiting = image_wait(context, view) or blocked or ("" if view.desired_hash else _shares_wait(view))
    if waiting:
        return waiting
    return _advance_slots(context, view)


def _retire_surplus(context: Context, view: View) -> None:
    for container in view.surplus:
        cause = surplus_cause(view, container)
        if container.occupied:
            message = leave(context, view, container, "none", cause)
        else:
            message = context.draft.add(containers.remove(context, container, "none", cause))
        if message:
            context.draft.stall("RemoveFailed", message, view.service.name, view.service.source())


def image_wait(context: Context, view: View) -> str:
    """Ask for the service's image where it is not there yet; what it waits for then, in words ("" for nothing)."""
    operation = view.image.operation
    if view.image.state == "error" and view.going_back:
        return ""  # what only has to be started again needs no image
    if view.image.state == "error":
        reason = view.image.reason or "ImageUnavailable"
        source = view.image.source or _image_source(view.service)
        context.draft.stall(reason, view.image.message, view.service.name, source)
        return "its image"
    if operation is None:
        return ""
    failed = context.draft.add(operation)
    if failed:
        reason = context.memory.why_failed(failed, "ImageUnavailable")
        context.draft.stall(reason, failed, view.service.name, _image_source(view.service))
    return "its image"


def _image_source(service: Service) -> str:
    return service.source("build" if service.image.build else "image")


def _shares_wait(view: View) -> str:
    return ", ".join(f"the container of {name}" for _, name in view.service.shares)


def _advance_slots(context: Context, view: View) -> str:
    todo = [slot for slot in view.slots if not slot.settled]
    waiting = ""
    if any(slot.state is State.EMPTY for slot in todo):
        waiting = _image_gone(view) or waits_for(context, view.service)
    if not waiting and any(slot.state in {State.EMPTY, State.CREATED} for slot in todo):
        waiting = held_by_our_own(context, view.service)
        todo = [slot for slot in todo if not waiting or slot.state not in {State.EMPTY, State.CREATED}]
    budget = _budget(context, view, todo)
    given_up = bool(waiting) and has_failed_dependency(context, view.service)
    restored = {slot.number for slot in todo if slot.current is None} if given_up else set()
    _restore(context, view, restored)
    for slot in todo:
        if slot.number not in restored:
            budget -= _advance(context, view, slot, may_begin=not waiting, budget=budget)
    if all(slot.settled for slot in view.slots):
        _remove_others(context, view)
    return waiting or _gate_wait(view)


def _restore(context: Context, view: View, numbers: set[int]) -> None:
    """Let the last good definition serve in these slots, where its container made room, was lost, or still runs."""
    good = context.last_good_view(view) if numbers else None
    if good is None:
        return
    good = replace(good, failure=view.failure)
    for slot in good.slots:
        if slot.number in numbers and slot.settled:
            _remove_from(context, good, slot)
        elif slot.number in numbers:
            waiting = failing.startable(context, view, slot)
            if slot.state is State.EMPTY and waiting:
                context.draft.add(containers.start(context, waiting, "gap", slot_cause(context, good, slot), ()))
            else:
                _advance(context, good, slot, may_begin=good.image.state == "ready", budget=1)


def _image_gone(view: View) -> str:
    if view.image.state != "error":
        return ""
    return "its last good image"


def _budget(context: Context, view: View, todo: list[Slot]) -> int:
    """How many more running replicas may be replaced now: none before `delay` has passed since the last."""
    rollout = view.service.rollout
    ended = [_ended_at(slot) for slot in view.slots if slot.settled and slot.others] if rollout.delay else []
    due = max(ended, default=0.0) + rollout.delay
    if ended and any(slot.state in {State.EMPTY, State.STOPPED} for slot in todo) and context.now < due:
        context.draft.wakes.append((due, ""))
        return 0
    return view.limit - sum(1 for slot in todo if slot.replacing or _is_down(view, slot))


def _is_down(view: View, slot: Slot) -> bool:
    """Whether a replacement that was cut off has left nothing running here: the next one waits until something does."""
    down = slot.state is State.EMPTY and bool(slot.others) and not slot.occupied_others
    return down and view.order.order == "stop-first"


def _ended_at(slot: Slot) -> float:
    return max([slot.up_at, *(other.finished_at for other in slot.others)])


def _advance(context: Context, view: View, slot: Slot, *, may_begin: bool, budget: int) -> int:
    """Write the slot's next operation; 1 where that begins the replacement of a running container, else 0."""
    if slot.state in {State.EMPTY, State.STOPPED}:
        begins = 1 if slot.occupied_others else 0
        allowed = may_begin or slot.state is State.STOPPED
        if allowed and (budget > 0 or not begins) and availability.may_begin(context, view, slot):
            _begin(context, view, slot)
            return begins
    elif slot.state is State.FAILED:
        failing.hold_back(context, view, slot)
    elif slot.current is None:
        _leave_others(context, view, slot, ())
    elif slot.state is State.CREATED:
        _bring_up(context, view, slot, slot.current)
    elif slot.state is State.WAITING:
        _wait(context, slot, slot.current)
    elif slot.state is State.UNNAMED:
        failed = naming.publish(context, view, slot, slot.current, slot_cause(context, view, slot))
        fail_on(context, view, failed)
    else:
        _stop_others(context, view, slot, slot.current)
    return 0


def _begin(context: Context, view: View, slot: Slot) -> None:
    if slot.state is State.STOPPED and slot.current:
        _bring_up(context, view, slot, slot.current)
        return
    under_way = f"container.create:{view.service.name}/{slot.number}/"
    if any(operation.startswith(under_way) for operation in context.observed.inflight):
        return
    restarts = backoff.restarts(context, view, slot)
    if restarts is None:
        return
    cause = slot_cause(context, view, slot)
    holders = _name_holders(context, view, slot)
    for other in holders:
        fail_on(context, view, _make_room(context, view, other, cause))
    if holders:
        return
    after = (
        *_image_operations(view),
        *_resource_operations(view.service),
        *_dependency_operations(context, view.service),
        *(_made_room(view) if slot.occupied_others else ()),
    )
    operation = containers.create(context, view, slot, _impact(view, slot), after, restarts)
    fail_on(context, view, context.draft.add(operation))


def _make_room(context: Context, view: View, container: Container, cause: tuple[Difference, ...]) -> str:
    """Add the next operation towards the removal of the holder of a literal name; it is remembered for going back."""
    if container.occupied:
        return leave(context, view, container, "gap", cause)
    operation = containers.remove(context, container, "none", cause)
    ran = container.started_at > 0 and container.labels.get(labels.SPEC_HASH) != view.desired_hash
    kept = {"removed": container} if ran and not view.going_back else {}
    return context.draft.add(replace(operation, payload={**operation.payload, **kept}))


def _name_holders(context: Context, view: View, slot: Slot) -> list[Container]:
    """Who has the name of the slot's next container: with `container_name` all, else one left by a run cut off."""
    name = context.name(view.service, slot.number, rollout_id(view.desired_hash, slot.previous))
    return [other for other in slot.others if view.service.container_name or other.name == name]


def _bring_up(context: Context, view: View, slot: Slot, current: Container) -> None:
    again = slot.state is State.STOPPED
    needed = view.service.networks if again else later_networks(view.service, context.observed.engine)
    missing = [item for item in needed if item.network not in current.networks]
    for attachment in missing:
        fail_on(context, view, context.draft.add(containers.connect(context, view, slot, current, attachment)))
    if missing:
        return
    if (
        view.service.copied_files
        and not again
        and f"container.copy:{container_key(current)}" not in context.memory.done
    ):
        fail_on(context, view, context.draft.add(containers.copy(context, view, slot, current)))
        return
    if view.order.order == "stop-first" and slot.occupied_others:
        _leave_others(context, view, slot, (f"container.create:{container_key(current)}",))
        return
    key = container_key(current)
    stopped = tuple(f"container.stop:{container_key(other)}" for other in slot.others)
    before = stopped if view.order.order == "stop-first" else ()
    connected = tuple(f"network.connect:{key}:{item.network}" for item in needed)
    cause = slot_cause(context, view, slot)
    copied = (f"container.copy:{key}",) if view.service.copied_files else ()
    after = (f"container.create:{key}", *connected, *copied, *before)
    operation = containers.start(context, current, _impact(view, slot), cause, after)
    fail_on(context, view, context.draft.add(operation))


def _wait(context: Context, slot: Slot, current: Container) -> None:
    context.draft.wakes.append((slot.ready_at, current.id))


def _stop_others(context: Context, view: View, slot: Slot, current: Container) -> None:
    """The slot's replica is up: stop what it replaces, after `settle`."""
    since = max(slot.up_at + view.gate.monitor, naming.published_at(context, view, current))
    _leave_others(context, view, slot, (f"container.start:{container_key(current)}",), since)


def _leave_others(context: Context, view: View, slot: Slot, after: tuple[str, ...], since: float | None = None) -> None:
    cause = slot_cause(context, view, slot)
    for other in slot.occupied_others:
        if since is not None and _is_joined(context, view.service, other):
            continue
        message = leave(context, view, other, _impact(view, slot), cause, after=after, since=since)
        if message:
            context.draft.stall("StopFailed", message, view.service.name, view.service.source())


def _is_joined(context: Context, owner: Service, container: Container) -> bool:
    """Whether replicas that share its namespaces still run, and are about to join the one that takes its place."""
    sharers = [
        service
        for service in context.desired.project.services
        if owner.name in dict(service.shares).values() and not context.view(service).failure
    ]
    joined = f"container:{container.id}"
    return any(
        item.running and joined in {item.host_config.get(field) for field, _ in service.shares}
        for service in sharers
        for item in context.containers(service.name)
    )


def _remove_others(context: Context, view: View) -> None:
    for slot in view.slots:
        _remove_from(context, view, slot)


def _remove_from(context: Context, view: View, slot: Slot) -> None:
    cause = slot_cause(context, view, slot) if slot.others else ()
    for other in slot.others:
        message = context.draft.add(containers.remove(context, other, _impact(view, slot), cause))
        if message:
            context.draft.stall("RemoveFailed", message, view.service.name, view.service.source())


def _impact(view: View, slot: Slot) -> Impact:
    if not slot.others:
        return "none"
    if any(left_behind(view.gate, other) for other in slot.others):
        return "gap"
    if not slot.occupied_others and slot.state is not State.READY and view.order.order == "start-first":
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
        return (build_id(build), *(f"image.tag:{name}" for name in build_tags(view.service, build)))
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
        found += [f"container.{verb}:{container_key(item)}" for item in ended if slot.settled]
    return tuple(found)


def _dependency_operations(context: Context, service: Service) -> tuple[str, ...]:
    found = []
    for dependency in service.depends_on:
        other = context.desired.project.service(dependency.service)
        slots = context.view(other).slots if other else ()
        found += [f"container.start:{container_key(slot.current)}" for slot in slots if slot.current]
    return tuple(found)
