"""What a service waits for before a container of it may start (Compose Spec, depends_on)."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.observed import Container
from reconciler.model.project import Dependency, Service
from reconciler.planner.context import Context, View
from reconciler.planner.gates import State

_WORDS = {
    "service_started": "to have started",
    "service_healthy": "to be healthy",
    "service_completed_successfully": "to have completed",
}


def waits_for(context: Context, service: Service) -> str:
    """The first dependency that is not there yet, in words ("" when none is missing).

    A dependency that failed is stated as a condition of this service too. One that is not part of the project (of a
    disabled profile, say) is not waited for: where it is required, `spec` has refused the project.
    """
    for dependency in service.depends_on:
        other = context.desired.project.service(dependency.service)
        if other is None:
            continue
        view = context.view(other)
        if context.is_suspended(other.name):
            if not _is_as_far(dependency, view):
                return f"{dependency.service} {_WORDS[dependency.condition]}"
            continue
        if view.failure and not _still_good(context, service, view):
            message = f"{service.name} is not touched because {dependency.service} failed: {view.failure.message}"
            context.draft.stall("DependencyFailed", message, service.name, service.source("depends_on"))
            return f"{dependency.service}, which failed"
        if not _met(dependency, view):
            return f"{dependency.service} {_WORDS[dependency.condition]}"
    return ""


def has_failed_dependency(context: Context, service: Service) -> bool:
    """Whether a service that this one depends on, directly or not, could not be brought up."""
    others = (context.desired.project.service(dependency.service) for dependency in service.depends_on)
    known = [other for other in others if other is not None and not context.is_suspended(other.name)]
    return any(context.view(other).failure or has_failed_dependency(context, other) for other in known)


def _still_good(context: Context, service: Service, dependency: View) -> bool:
    """Whether the dependency runs its last good definition, and the dependent is to come up again as it was too."""
    return dependency.going_back and dependency.settled and context.view(service).gate.stable


def _met(dependency: Dependency, view: View) -> bool:
    """Whether the dependency runs its desired definition in every slot and is as far as the condition asks."""
    enough = {State.READY, State.WAITING, State.UNNAMED} if dependency.condition == "service_started" else {State.READY}
    return not view.slots or bool(view.desired_hash and all(slot.state in enough for slot in view.slots))


def _is_as_far(dependency: Dependency, view: View) -> bool:
    """Whether what there is of a suspended service, of whichever definition, is as far as the condition asks."""
    found = ([item for item in (slot.current, *slot.others) if item] for slot in view.slots)
    return all(any(_serves(dependency, item) for item in items) for items in found)


def _serves(dependency: Dependency, container: Container) -> bool:
    if dependency.condition == "service_completed_successfully":
        return container.status == "exited" and container.exit_code == 0
    healthy = dependency.condition == "service_started" or container.health in {None, "healthy"}
    return container.running and healthy


def in_dependency_order(services: tuple[Service, ...]) -> tuple[Service, ...]:
    """The services with every dependency before its dependents, otherwise in their own order."""
    by_name = {service.name: service for service in services}
    ordered: dict[str, Service] = {}
    for service in services:
        _put_after_its_own(service, by_name, ordered)
    return tuple(ordered.values())


def _put_after_its_own(service: Service, by_name: Mapping[str, Service], ordered: dict[str, Service]) -> None:
    """Add the service, after what it depends on. A closure that calls itself could be freed by the collector only."""
    if service.name in ordered:
        return
    for name in [item.service for item in service.depends_on] + [name for _, name in service.shares]:
        if name in by_name and name != service.name:
            _put_after_its_own(by_name[name], by_name, ordered)
    ordered[service.name] = service
