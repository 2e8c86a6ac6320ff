"""Make changed networks anew: when all is ready for their users to come back, stop these, remove, create.

The users themselves are replaced by the services' own rollouts afterwards: their containers are bound to the network
that is gone. All of it is read off the engine, so that a run that was cut off goes on where it stood.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from reconciler.model import labels
from reconciler.model.observed import Container
from reconciler.model.operation import Difference, Operation
from reconciler.model.project import Service
from reconciler.planner.causes import slot_cause, surplus_cause
from reconciler.planner.conflicts import in_the_way
from reconciler.planner.context import Context, View
from reconciler.planner.dependencies import waits_for
from reconciler.planner.gates import State, container_networks_away
from reconciler.planner.images import BoundImage
from reconciler.planner.leaving import leave
from reconciler.planner.networks import Changed, removal_id
from reconciler.planner.resources import paths_missing, resources_missing
from reconciler.planner.rollout import image_wait
from reconciler.planner.slots import slot_number


def renew(context: Context) -> Mapping[str, str]:
    """Write the next operations towards the new networks; which services do nothing meanwhile, and why, in words."""
    changed = context.networks.changed
    if not changed:
        return {}
    users = [item for item in context.observed.containers if item.occupied and _is_on(context, item)]
    held = dict(_held(context, users))
    if users:
        lacking = _lacking(context, held)
        if not lacking and not context.draft.stalled:
            _stop(context, users)
        held |= lacking
    else:
        for item in changed.values():
            context.draft.add(_removal(context, item))
    context.draft.absent.update(changed)
    return held


def _is_on(context: Context, container: Container) -> bool:
    """Whether the container is on a changed network, or has left it for a moment to come back under other names."""
    places = {*container.networks, *container_networks_away(context.memory, container)}
    return not context.networks.changed.keys().isdisjoint(places)


def _held(context: Context, users: list[Container]) -> Iterator[tuple[str, str]]:
    """The services that want one of the networks or have a replica on one."""
    changed = context.networks.changed
    running = {item.labels.get(labels.SERVICE, "") for item in users}
    for service in context.desired.project.services:
        names = [item.network for item in service.networks if item.network in changed]
        if names or service.name in running:
            yield service.name, f"network {next(iter([*names, *changed]))}, which is made anew"


def _lacking(context: Context, held: Mapping[str, str]) -> dict[str, str]:
    """What has to be there before anything is stopped, by the service that lacks it; images are asked for at once."""
    affected = _with_dependents(context, set(held))
    found = {}
    for service in context.desired.project.services:
        view = context.view(service)
        if service.name in held:
            found[service.name] = _lacks(context, view, affected)
        elif not affected.isdisjoint(name for _, name in service.shares):
            found[service.name] = _image_lacks(context, view, view.image)
    return {name: words for name, words in found.items() if words}


def _with_dependents(context: Context, names: set[str]) -> set[str]:
    """These services, and all that can be up only when they are."""
    services = context.desired.project.services
    more = {service.name for service in services if not names.isdisjoint(_needs(service))}
    return names if more <= names else _with_dependents(context, names | more)


def _needs(service: Service) -> Iterator[str]:
    yield from (dependency.service for dependency in service.depends_on)
    yield from (name for _, name in service.shares)


def _lacks(context: Context, view: View, affected: set[str]) -> str:
    if view.settled or not view.slots:
        return ""
    elsewhere = tuple(item for item in view.service.depends_on if item.service not in affected)
    good = view if view.failure is None or view.going_back else context.last_good_view(view)
    return (
        _job_runs(context, view)
        or (_image_lacks(context, view, good.image) if good else _nothing_good(context, view))
        or (in_the_way(context, view) if view.desired_hash else "")
        or paths_missing(context, view)
        or resources_missing(context, view.service)
        or waits_for(context, replace(view.service, depends_on=elsewhere))
    )


def _job_runs(context: Context, view: View) -> str:
    """A job under way is waited for, within its own deadline."""
    running = [slot for slot in view.slots if view.service.job and slot.state is State.WAITING]
    context.draft.wakes += [(slot.ready_at, slot.current.id) for slot in running if slot.current]
    return f"{view.service.name} to complete" if running else ""


def _image_lacks(context: Context, view: View, image: BoundImage) -> str:
    """What keeps its containers from being made, in words; also asked for, or a condition."""
    if image.state == "error":
        reason = image.reason or "ImageUnavailable"
        context.draft.stall(reason, image.message, view.service.name, view.service.source("image"))
        return "its image"
    return image_wait(context, view) if image is view.image else ""


def _nothing_good(context: Context, view: View) -> str:
    """A definition that failed and nothing to go back to: what is stopped would not come up again."""
    if view.service.job:
        return ""
    name, told = view.service.name, view.failure.message if view.failure else ""
    message = f"{name} would not come up again on the changed network, as its definition failed: {told}"
    context.draft.stall("Blocked", message, name, view.service.source())
    return "a definition that comes up"


def _stop(context: Context, users: list[Container]) -> None:
    """Let the users leave, each after those that depend on it."""
    busy = {item.labels.get(labels.SERVICE, "") for item in users}
    needed = {name for service in context.desired.project.services if service.name in busy for name in _needs(service)}
    for item in users:
        name = item.labels.get(labels.SERVICE, "")
        service = context.desired.project.service(name)
        if service is None:
            context.draft.yielding.add(item.id)
        elif name not in needed:
            view = context.view(service)
            leave(context, view, item, "gap", _cause(context, view, item))


def _cause(context: Context, view: View, container: Container) -> tuple[Difference, ...]:
    slot = next((slot for slot in view.slots if slot.number == slot_number(container)), None)
    return slot_cause(context, view, slot) if slot else surplus_cause(view, container)


def _removal(context: Context, changed: Changed) -> Operation:
    return Operation(
        id=removal_id(changed.existing),
        kind="network.remove",
        resource=changed.network.name,
        project=context.project,
        target=changed.existing.id,
        impact="gap",
        cause=changed.cause,
    )
