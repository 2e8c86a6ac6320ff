"""The four container operations and the network connect between create and first start, each with its id and order."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model import labels
from reconciler.model.keys import container_key
from reconciler.model.memory import Restarts
from reconciler.model.observed import Container
from reconciler.model.operation import Difference, Impact, Kind, Operation
from reconciler.model.project import JSON, Attachment
from reconciler.planner.addresses import fixed_addresses
from reconciler.planner.causes import slot_cause
from reconciler.planner.context import Context, View
from reconciler.planner.payload import (
    anonymous_volumes,
    at_address,
    create_body,
    endpoint,
    named_from_start,
    rollout_id,
)
from reconciler.planner.slots import Slot, slot_number

Cause = tuple[Difference, ...]
FILLED_IN = {"Runtime", "CgroupnsMode"}  # engines show their own choice where nobody asked


def create(
    context: Context, view: View, slot: Slot, impact: Impact, after: tuple[str, ...], restarts: Restarts
) -> Operation:
    """Create this slot's new container from the bound image; `restarts` counts it where it replaces a lost equal."""
    replaced = slot.previous
    rollout = rollout_id(view.desired_hash, replaced)
    name = context.name(view.service, slot.number, rollout)
    left = context.memory.volumes.get((view.service.name, slot.number), {})
    carried = anonymous_volumes(replaced) if replaced else left
    body = create_body(
        context.desired,
        view.service,
        slot.number,
        view.image,
        view.desired_hash,
        rollout=rollout,
        carried=carried,
        shares=view.shares,
        addresses=fixed_addresses(context, view.service),
        engine=context.observed.engine,
    )
    return Operation(
        id=f"container.create:{view.service.name}/{slot.number}/{rollout}",
        kind="container.create",
        resource=name,
        project=context.project,
        service=view.service.name,
        slot=slot.number,
        target=name,
        after=after,
        impact=impact,
        cause=slot_cause(context, view, slot),
        payload={
            "name": name,
            "body": body,
            "platform": view.service.image.platform,
            "restarts": restarts,
            "joins": tuple(view.shares.values()),
            "carries": tuple(carried.values()),
        },
    )


def connect(context: Context, view: View, slot: Slot, current: Container, attachment: Attachment) -> Operation:
    """Attach a created container to one more network, where the engine's create takes only one."""
    payload = {
        "network": attachment.network,
        "endpoint": at_address(
            endpoint(context.desired, view.service, slot.number, attachment, named=named_from_start(view.service)),
            fixed_addresses(context, view.service).get(attachment.network, {}),
        ),
    }
    return Operation(
        id=f"network.connect:{container_key(current)}:{attachment.network}",
        kind="network.connect",
        resource=current.name,
        project=context.project,
        service=view.service.name,
        slot=slot.number,
        target=current.id,
        after=(f"container.create:{container_key(current)}",),
        cause=slot_cause(context, view, slot),
        payload=payload,
    )


def copy(context: Context, view: View, slot: Slot, current: Container) -> Operation:
    """Put the service's configs and secrets into a container that was created and never started."""
    key, cause = container_key(current), slot_cause(context, view, slot)
    payload = {"files": view.service.copied_files}
    return on(context, "container.copy", key, current, "none", cause, payload, (f"container.create:{key}",))


def start(context: Context, container: Container, impact: Impact, cause: Cause, after: tuple[str, ...]) -> Operation:
    """Start a container that was created, or one that waited stopped; the payload says what it was made of."""
    operation = _existing(context, "start", container, impact, cause, after)
    return replace(operation, payload={"body": _made_of(context, container)})


def _made_of(context: Context, container: Container) -> JSON:
    """The body that it was created with, networks aside; where nobody knows that any more, as it was inspected."""
    name, made_of = container.labels.get(labels.SERVICE, ""), container.labels.get(labels.SPEC_HASH)
    wanted, stable = context.desired.project.service(name), context.memory.stable.get(name)
    if stable and stable.spec_hash == made_of:
        return stable.service.container
    view = context.view(wanted) if wanted else None
    if view and view.desired_hash == made_of and not view.going_back:
        return view.service.container
    asked = {field: value for field, value in container.host_config.items() if field not in FILLED_IN}
    return {**container.config, "HostConfig": asked}


def stop(
    context: Context, container: Container, impact: Impact, cause: Cause, after: tuple[str, ...] = ()
) -> Operation:
    """Stop a container with its own signal and grace period."""
    return _existing(context, "stop", container, impact, cause, after)


def remove(context: Context, container: Container, impact: Impact, cause: Cause) -> Operation:
    """Remove a container that does not run; its volumes stay, and the payload says which anonymous ones it leaves."""
    operation = _existing(context, "remove", container, impact, cause, (f"container.stop:{container_key(container)}",))
    return replace(operation, payload={"volumes": anonymous_volumes(container)})


def _existing(
    context: Context, verb: str, container: Container, impact: Impact, cause: Cause, after: tuple[str, ...]
) -> Operation:
    kinds: dict[str, Kind] = {"start": "container.start", "stop": "container.stop", "remove": "container.remove"}
    return on(context, kinds[verb], container_key(container), container, impact, cause, {}, after)


def on(
    context: Context,
    kind: Kind,
    key: str,
    container: Container,
    impact: Impact,
    cause: Cause,
    payload: JSON,
    after: tuple[str, ...] = (),
) -> Operation:
    """An operation on a container that exists; `key` makes its id."""
    return Operation(
        id=f"{kind}:{key}",
        kind=kind,
        resource=container.name,
        project=context.project,
        service=container.labels.get(labels.SERVICE),
        slot=slot_number(container) or None,
        target=container.id,
        after=after,
        impact=impact,
        cause=cause,
        payload=payload,
    )
