"""What stands in a service's way: foreign containers (reported, never touched), and our own that must yield first."""

from __future__ import annotations

from reconciler.model.observed import Container, Foreign, json_value
from reconciler.model.project import HostPort, Service
from reconciler.planner.context import Context, View
from reconciler.planner.order import describe_port
from reconciler.planner.slots import State


def foreign_project(context: Context) -> None:
    """Stall where `docker compose` or a person runs a project of this name: it is not ours to converge."""
    found = sorted(
        item.name for item in context.observed.foreign if item.compose_project == context.project and not item.claims
    )
    if found:
        message = (
            f"{found[0]} and whatever else runs under the name {context.project} was made by docker compose or "
            f"by another instance: not touched; `docker compose -p {context.project} down` it, or choose another name with -p"
        )
        context.draft.stall("NotOurs", message, source=context.desired.project.source)
    for item in context.observed.foreign:
        if item.claims == context.project:
            message = f"container {item.name} carries this project's labels but was not made by it: left alone"
            context.draft.notice("CopiedLabels", message, item.name)


def in_the_way(context: Context, view: View) -> str:
    """Why this service's containers cannot be brought up now, in words; a foreign cause is stated as a condition."""
    if all(slot.state in {State.READY, State.WAITING} for slot in view.slots):
        return ""
    foreign = _foreign_name(context, view.service) or _foreign_port(context, view.service)
    if foreign:
        message, source = foreign
        context.draft.stall("Blocked", message, view.service.name, source)
        return message
    return _own_port(context, view.service)


def must_yield(context: Context, container: Container) -> bool:
    """Whether a container of a removed service holds a name or port that a service still to come up needs."""
    for service in context.desired.project.services:
        if all(slot.settled for slot in context.view(service).slots):
            continue
        if service.container_name == container.name or _overlap(service, published_ports(container)):
            return True
    return False


def published_ports(container: Container) -> tuple[HostPort, ...]:
    """The host ports that a container of ours asks for (HostConfig.PortBindings)."""
    found = []
    for inner, bindings in (json_value(container.host_config, "PortBindings") or {}).items():
        for binding in bindings or ():
            first, _, last = (binding.get("HostPort") or "0").partition("-")
            found.append(
                HostPort(
                    int(first or 0),
                    int(last or first or 0),
                    inner.partition("/")[2] or "tcp",
                    binding.get("HostIp") or "",
                )
            )
    return tuple(found)


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
    busy = (item for item in foreign if item.status in {"running", "paused", "restarting"})
    return next((item for item in busy if any(port.overlaps(other) for other in item.ports)), None)


def _own_port(context: Context, service: Service) -> str:
    for container in context.observed.containers:
        other = container.labels.get("io.reconciler.service")
        if other == service.name or not container.occupied:
            continue
        taken = _overlap(service, published_ports(container))
        if taken:
            return f"host port {describe_port(taken)}, which {container.name} still holds"
    return ""


def _overlap(service: Service, ports: tuple[HostPort, ...]) -> HostPort | None:
    single = (port for port in service.ports if port.first == port.last)
    return next((port for port in single if any(port.overlaps(other) for other in ports)), None)
