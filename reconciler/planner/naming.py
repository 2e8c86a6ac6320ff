"""`publish: healthy`: a replica answers to its service's name only while it can serve.

Docker's DNS answers with every container that runs under a name, so the name is given by network connect once the
replica is up, and taken away before it is stopped. Leaving and coming back with the same address keeps connections
alive; engines grant an address only where the network's subnet was asked for.
"""

from __future__ import annotations

from typing import Any

from reconciler.model.keys import container_key
from reconciler.model.observed import Container
from reconciler.model.operation import Difference, Operation
from reconciler.model.project import JSON, Attachment
from reconciler.planner import containers
from reconciler.planner.addresses import comes_back_the_same, kept_addresses
from reconciler.planner.context import Context, View
from reconciler.planner.payload import at_address, endpoint, slot_names
from reconciler.planner.slots import Slot, slot_number

Cause = tuple[Difference, ...]


def published_at(context: Context, view: View, current: Container) -> float:
    """When the replica got its service's name, engine time; 0.0 where it had it from the start."""
    ids = [f"{_connect_id(current, item)}/publish" for item in view.service.networks]
    return max((context.memory.done[name] for name in ids if context.remembers(name, current)), default=0.0)


def publish(context: Context, view: View, slot: Slot, current: Container, cause: Cause) -> str:
    """Write what is missing for the replica to answer to the service's name; why that failed for good, or ""."""
    failures = []
    for item in view.service.networks:
        present = current.networks.get(item.network)
        if present is None or view.service.name not in present.aliases:
            wanted = endpoint(context.desired, view.service, slot.number, item, named=True)
            failures.append(_come_back(context, current, item, wanted, cause, "publish"))
    return next((message for message in failures if message), "")


def withdraw(context: Context, view: View, container: Container, cause: Cause) -> float | None:
    """Write what takes the service's name from the replica: since when it is gone, None while that is under way.

    0.0 where the name stays until the end: with `publish: immediate`, and where its addresses could not be kept.
    """
    if view.service.rollout.publish != "healthy":
        return 0.0
    since = [_withdrawn_from(context, view, container, item, cause) for item in view.service.networks]
    return None if None in since else max((time for time in since if time), default=0.0)


def _withdrawn_from(context: Context, view: View, container: Container, item: Attachment, cause: Cause) -> float | None:
    """Since when it has lost its names on this network; 0.0 where it keeps them, None while it is losing them."""
    present = container.networks.get(item.network)
    if present and not comes_back_the_same(context, container, item.network):
        return 0.0
    names = {view.service.name, *item.aliases}
    name = f"{_connect_id(container, item)}/withdraw"
    if present and not names & set(present.aliases):
        return context.memory.done[name] if context.remembers(name, container) else 0.0
    if present is None and f"{container.id}:{item.network}" not in context.memory.addresses:
        return 0.0
    wanted = {**item.endpoint, "Aliases": slot_names(context.project, view.service, slot_number(container))}
    failed = _come_back(context, container, item, wanted, cause, "withdraw")
    if not failed:
        return None
    context.draft.notice("WithdrawFailed", f"{container.name} is stopped all the same: {failed}", container.name)
    return 0.0


def _come_back(
    context: Context, container: Container, item: Attachment, wanted: dict[str, Any], cause: Cause, why: str
) -> str:
    """The next of the two operations by which a container leaves a network and comes back as `wanted`."""
    present = container.networks.get(item.network)
    if present:
        payload = {"network": item.network, "address": kept_addresses(container, item.network)}
        operation = _network_operation(context, "network.disconnect", container, item, why, payload, cause)
    else:
        had: JSON = context.memory.addresses.get(f"{container.id}:{item.network}", {})
        payload = {"network": item.network, "endpoint": at_address(wanted, had)}
        operation = _network_operation(context, "network.connect", container, item, why, payload, cause)
    return context.draft.add(operation)


def _network_operation(
    context: Context, kind: Any, container: Container, item: Attachment, why: str, payload: Any, cause: Cause
) -> Operation:
    key = f"{container_key(container)}:{item.network}/{why}"
    return containers.on(context, kind, key, container, "none", cause, payload)


def _connect_id(container: Container, item: Attachment) -> str:
    return f"network.connect:{container_key(container)}:{item.network}"
