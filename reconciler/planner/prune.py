"""Remove what left the spec: services' containers, then networks; never volumes, and never before the rest is well."""

from __future__ import annotations

from reconciler.model import labels
from reconciler.model.observed import Container, Foreign
from reconciler.model.operation import Difference, Operation
from reconciler.planner import containers
from reconciler.planner.context import Context
from reconciler.planner.networks import is_ours


def prune(context: Context, *, settled: bool) -> None:
    """Write the removals. `settled` says that every wanted service is up: before that, nothing goes that could serve.

    The exception is a removed service's container that holds a name or port which a wanted service needs.
    """
    project = context.desired.project
    gone = context.removals.gone
    if gone and not project.services and not project.allow_empty:
        message = (
            "the spec has no services any more; pass --allow-empty or set x-reconcile.allow_empty to remove everything"
        )
        context.draft.stall("AllowEmpty", message, source=project.source)
        return
    if not context.desired.prune:
        for name in gone:
            context.draft.notice(
                "Orphan", f"service {name} is not in the spec any more and is left running (--no-prune)", name
            )
        return
    if context.removals.too_many:
        context.draft.stall("TooManyRemoved", context.removals.words(), source=project.source)
        return
    waited_for = [] if settled else _suspended(context)
    if gone and waited_for:
        message = f"{', '.join(gone)} will be removed once {waited_for[0]}, which is suspended, is up"
        context.draft.inform("Suspended", message, source=project.source)
    for name in gone:
        _remove_service(context, name, settled=settled)
    if settled and not gone:
        _remove_networks(context)


def _suspended(context: Context) -> list[str]:
    """The suspended services that are not as they should be, and nobody brings there."""
    names = (view.service.name for view in context.views if not view.settled)
    return [name for name in names if context.is_suspended(name)]


def _remove_service(context: Context, name: str, *, settled: bool) -> None:
    cause = Difference(f"services.{name}", "defined", None, context.desired.project.source, "not in the spec any more")
    for container in context.containers(name):
        if settled or container.id in context.draft.yielding:
            verb = containers.stop if container.occupied else containers.remove
            message = context.draft.add(verb(context, container, "none", (cause,)))
            if message:
                context.draft.stall("RemoveFailed", message, name)


def _remove_networks(context: Context) -> None:
    wanted = {network.name for network in context.desired.project.networks}
    for network in context.observed.networks:
        if network.name in wanted or not is_ours(context.desired, context.memory, network):
            continue
        attached: tuple[Foreign | Container, ...] = (*context.observed.foreign, *context.observed.containers)
        users = sorted(item.name for item in attached if network.name in item.networks)
        if users:
            message = f"network {network.name} is not in the spec any more but {users[0]} is attached to it: left alone"
            context.draft.notice("NetworkInUse", message, network.name)
            continue
        key = network.labels.get(labels.COMPOSE_NETWORK, network.name)
        source = context.desired.project.source
        cause = Difference(f"networks.{key}", network.name, None, source, "not in the spec any more")
        operation = Operation(
            id=f"network.remove:{network.name}",
            kind="network.remove",
            resource=network.name,
            project=context.project,
            target=network.id,
            cause=(cause,),
        )
        failed = context.draft.add(operation)
        if failed:
            context.draft.notice("NetworkInUse", failed, network.name)
