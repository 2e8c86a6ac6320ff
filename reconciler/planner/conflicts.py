"""What stands in a service's way: foreign containers (reported, never touched), old engines, our own, which yield."""

from __future__ import annotations

from reconciler.model import labels
from reconciler.model.observed import Container, Foreign
from reconciler.model.project import HostPort, Service
from reconciler.planner.composed import is_adoptable, others_of_project
from reconciler.planner.context import Context, View
from reconciler.planner.engine_features import too_new
from reconciler.planner.gates import State
from reconciler.planner.order import describe_port

BUSY = {"running", "paused", "restarting"}
OTHER_NAME = "remove them, or choose another name with -p"
TAKE_OVER = (
    "`--adopt` takes over what it made, and `--dry-run --adopt` shows what that means; or choose another name with -p"
)


def foreign_project(context: Context) -> None:
    """Stall where `docker compose` or a person runs a project of this name: it is not ours to converge."""
    found = sorted(others_of_project(context.desired.project, context.observed.foreign), key=lambda item: item.name)
    if found:
        adoptable = all(is_adoptable(item) for item in found)
        message = f"{_named(found)}: not touched; {TAKE_OVER if adoptable else OTHER_NAME}"
        context.draft.stall("NotOurs", message, source=context.desired.project.source)
    for item in context.observed.foreign:
        if item.claims == context.project:
            message = (
                f"container {item.name} carries the labels of {item.replica} but not the name that goes with them "
                f"(copied or renamed by hand): left alone"
            )
            context.draft.notice("CopiedLabels", message, item.name)


def _named(found: list[Foreign]) -> str:
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    who = "docker compose" if all(is_adoptable(item) for item in found) else "docker compose or by another instance"
    return f"{found[0].name}{more} of project {found[0].compose_project} {'were' if more else 'was'} made by {who}"


def in_the_way(context: Context, view: View) -> str:
    """What keeps this service from coming up, a foreign container or an old engine, in words; also a condition."""
    if all(slot.state in {State.READY, State.WAITING, State.UNNAMED} for slot in view.slots):
        return ""
    found = (
        too_new(view.service, context.observed.engine)
        or _foreign_replica(context, view)
        or _foreign_name(context, view.service)
        or _foreign_port(context, view.service)
    )
    if found is None:
        return ""
    message, source = found
    context.draft.stall("Blocked", message, view.service.name, source)
    return message


def held_by_our_own(context: Context, service: Service) -> str:
    """What containers of our other services still hold that this one needs, in words; those are asked to yield.

    Only for a service that lacks nothing else: what could not come up anyway makes nobody yield.
    """
    if not service.ports and not service.container_name:
        return ""
    others = (item for item in context.observed.containers if item.labels.get(labels.SERVICE) != service.name)
    held = [(other, what) for other in others if (what := _held(service, other))]
    context.draft.yielding.update(other.id for other, _ in held)
    return next((f"{what}, which {other.name} still holds" for other, what in held), "")


def _foreign_replica(context: Context, view: View) -> tuple[str, str] | None:
    """A running container with the labels of a replica that is missing: most likely that one, renamed by hand.

    A second one beside it might write to the same volume.
    """
    missing = {f"{view.service.name}/{slot.number}" for slot in view.slots if slot.current is None and not slot.others}
    for item in context.observed.foreign:
        if item.claims == context.project and item.replica in missing and item.status in BUSY:
            message = (
                f"container {item.name} has the labels of {item.replica} but not its name: rename it back or remove it"
            )
            return message, view.service.source()
    return None


def _foreign_name(context: Context, service: Service) -> tuple[str, str] | None:
    holder = next((item for item in context.observed.foreign if item.name == service.container_name), None)
    if holder is None:
        return None
    message = (
        f"container_name {holder.name} is taken by a container that is not ours ({holder.id[:12]}): rename or remove it"
    )
    return message, service.source("container_name")


def _foreign_port(context: Context, service: Service) -> tuple[str, str] | None:
    for index, port in enumerate(service.ports):
        if port.last > port.first:
            continue
        holder = _holder(context.observed.foreign, port)
        if holder:
            taken = f"host port {describe_port(port)} is published by container {holder.name}, which is not ours"
            return f"{taken}: stop it or choose another port", service.source(f"ports[{index}]")
    return None


def _holder(foreign: tuple[Foreign, ...], port: HostPort) -> Foreign | None:
    busy = (item for item in foreign if item.status in BUSY)
    return next((item for item in busy if any(port.overlaps(other) for other in item.ports)), None)


def _held(service: Service, container: Container) -> str:
    if container.name == service.container_name:
        return f"container name {container.name}"
    taken = _overlap(service, container.published) if container.occupied else None
    return f"host port {describe_port(taken)}" if taken else ""


def _overlap(service: Service, ports: tuple[HostPort, ...]) -> HostPort | None:
    single = (port for port in service.ports if port.first == port.last)
    return next((port for port in single if any(port.overlaps(other) for other in ports)), None)
