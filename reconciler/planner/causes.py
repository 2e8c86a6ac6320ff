"""Say why: the differences behind an operation, each with field, before, after and file:line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.model import labels
from reconciler.model.fields import as_written, changed_fields
from reconciler.model.files import Content
from reconciler.model.observed import Container, Observed, json_value
from reconciler.model.operation import Difference
from reconciler.model.project import Service
from reconciler.model.redaction import hidden_names, redact, secret_entries
from reconciler.model.references import parse_reference
from reconciler.planner.composed import is_leftover, was_adopted
from reconciler.planner.contents import changed_contents, is_other_copy
from reconciler.planner.context import Context, View
from reconciler.planner.gates import left_behind
from reconciler.planner.rollback import BUILT_IN
from reconciler.planner.slots import Slot
from reconciler.planner.unlisted import unlisted_differences

CHANGED = "changed"
REMOVED = "was removed by hand"
CHANGED_UNSEEN = "the definition changed in a way that the running container does not show"
TAKEN_OVER = "docker compose made it, and it does not show whether it is what the spec asks for"
ENDPOINT_FIELDS = {
    ("IPAMConfig", "IPv4Address"): "ipv4_address",
    ("IPAMConfig", "IPv6Address"): "ipv6_address",
    ("IPAMConfig", "LinkLocalIPs"): "link_local_ips",
    ("MacAddress",): "mac_address",
    ("GwPriority",): "gw_priority",
    ("DriverOpts",): "driver_opts",
}
SHARED_FIELDS = {"NetworkMode": "network_mode", "PidMode": "pid", "IpcMode": "ipc"}


def slot_cause(context: Context, view: View, slot: Slot) -> tuple[Difference, ...]:
    """Why this slot's container is created or replaced: as found when that began, else as it shows now."""
    begun = slot.current is not None or not slot.others or _was_stopped_for_network(view, slot)
    kept = context.memory.causes.get((view.service.name, slot.number)) if begun else None
    return kept or _present_cause(context, view, slot)


def _was_stopped_for_network(view: View, slot: Slot) -> bool:
    previous = slot.previous
    return previous is not None and not previous.occupied and bool(left_behind(view.gate, previous))


def _present_cause(context: Context, view: View, slot: Slot) -> tuple[Difference, ...]:
    previous = slot.previous
    if previous is not None and previous.labels.get(labels.SPEC_HASH) == view.desired_hash:
        return _drift(view, slot, previous)
    if previous is None and _was_there(context, view, slot):
        return (_removed(view, slot),)
    if view.failure:
        return (Difference("rollback", None, None, view.service.source(), view.failure.message),)
    if previous is None:
        return (_new_replica(view, slot),)
    if is_leftover(previous):
        return (_left_behind(view, previous),)
    return visible_differences(context, view, previous, slot.number) or (_hidden_difference(view, previous),)


def visible_differences(context: Context, view: View, previous: Container, slot: int) -> tuple[Difference, ...]:
    """What inspection shows of the difference between a container and what this slot is to run."""
    found = [*_name_difference(view, previous), *_image_difference(view, previous)]
    found += _field_differences(view, previous, context.observed)
    found += (item for item in _content_differences(context, view, previous) if item not in found)
    found += _network_differences(view, previous, context.project, slot)
    found += _endpoint_differences(context, view, previous)
    found += _share_differences(view, previous)
    found += view.gate.networks.cause(left_behind(view.gate, previous))
    return (*found, *unlisted_differences(view, previous)) if was_adopted(previous) else tuple(found)


def _drift(view: View, slot: Slot, previous: Container) -> tuple[Difference, ...]:
    if slot.drift:
        return slot.drift
    service = view.service
    state = slot.reason or previous.status
    how = "was paused by hand" if state == "paused" else "is not running"
    return (Difference("state", state, "running", service.source(), f"{service.name}/{slot.number} {how}"),)


def _was_there(context: Context, view: View, slot: Slot) -> bool:
    """Whether a replica of this definition was in the slot, and no rollout that fails in this run took it away."""
    failure = view.failure
    failed_now = failure is not None and (failure.service, failure.spec_hash) not in context.memory.quarantined
    return slot.number in view.gate.known_slots and not failed_now


def _removed(view: View, slot: Slot) -> Difference:
    service = view.service
    return Difference("state", "removed", "running", service.source(), f"{service.name}/{slot.number} {REMOVED}")


def surplus_cause(view: View, container: Container) -> tuple[Difference, ...]:
    """Why a replica beyond the wanted number goes, or what never became one."""
    if is_leftover(container):
        return (_left_behind(view, container),)
    before = len(view.slots) + len({container.labels.get(labels.SLOT) for container in view.surplus})
    return (
        Difference("deploy.replicas", before, view.service.replicas, _replicas_source(view.service), "scaled down"),
    )


def _left_behind(view: View, container: Container) -> Difference:
    reason = f"{container.name} was left behind by docker compose and never ran"
    return Difference("state", "created", None, view.service.source(), reason)


def _new_replica(view: View, slot: Slot) -> Difference:
    service = view.service
    existing = sum(1 for other in view.slots if other.current or other.others)
    if existing == 0:
        return Difference(f"services.{service.name}", None, "defined", service.source(), "nothing of it runs yet")
    reason = f"{service.name}/{slot.number} does not exist"
    return Difference("deploy.replicas", existing, service.replicas, _replicas_source(service), reason)


def _replicas_source(service: Service) -> str:
    return service.source("scale") if "scale" in service.sources else service.source("deploy.replicas")


def _name_difference(view: View, previous: Container) -> list[Difference]:
    before, after = previous.labels.get(labels.NAME), view.service.container_name
    source = view.service.source("container_name")
    return [] if before == after else [Difference("container_name", before, after, source)]


def _image_difference(view: View, previous: Container) -> list[Difference]:
    if view.image.image is None or previous.image_id == view.image.image.id:
        return []
    service = view.service
    field = "build" if service.image.build else "image"
    source = view.image.source or service.source(field)
    before, after = _ran(view, previous), view.image.reference
    if before != after:
        return [Difference(field, redact(field, before), redact(field, after), source, view.image.why)]
    moved = view.image.why or "the tag names another image now"
    reason = "the build context changed" if service.image.build else moved
    return [Difference(field, _short(before, previous.image_id), _short(after, view.image.image.id), source, reason)]


def _ran(view: View, previous: Container) -> str:
    """The reference that a container was made of: as written, but where a version is followed instead."""
    made_of = parse_reference(previous.image)
    followed = view.service.image.following.track == "semver" and made_of.tag and made_of.digest
    return made_of.tagged if followed else previous.labels.get(labels.IMAGE, previous.image)


def _short(reference: str, image_id: str) -> str:
    return f"{reference} ({image_id.removeprefix('sha256:')[:12]})"


def _field_differences(view: View, previous: Container, observed: Observed) -> list[Difference]:
    image_config = next((image.config for image in observed.images if image.id == previous.image_id), {})
    found = changed_fields(view.service.container, previous.config, previous.host_config, image_config)
    hidden = {*view.service.hidden, *hidden_names(previous.labels)}
    entries = (*(previous.config.get("Env") or ()), *(view.service.container.get("Env") or ()))
    secrets = secret_entries(entries, hidden)
    named = {as_written(field, view.service.sources): pair for field, pair in found.items()}
    copies = {f"volumes.{content.target}": content for content in view.service.contents if content.copy}
    other = [field for field, pair in sorted(named.items()) if field in copies and is_other_copy(*pair)]
    return [_content_difference(view.service, copies[field], CHANGED) for field in other] + [
        Difference(
            field,
            redact(field, before, secrets, hidden),
            redact(field, after, secrets, hidden),
            view.service.source(field),
        )
        for field, (before, after) in sorted(named.items())
        if field not in other
    ]


def _definition_of(context: Context, view: View, previous: Container) -> Service | None:
    """What the container was made of, where that is remembered: None where it is not the last good definition."""
    stable = context.memory.stable.get(view.service.name)
    return stable.service if stable and stable.spec_hash == previous.labels.get(labels.SPEC_HASH) else None


def _content_differences(context: Context, view: View, previous: Container) -> tuple[Difference, ...]:
    """Files whose content changed since the definition that the replaced container was made of, where it is known."""
    old = _definition_of(context, view, previous)
    if old is None:
        return ()
    before, now = old.contents, view.service.contents
    fields = {item.field for item in before} & {item.field for item in now}
    told = {
        CHANGED: changed_contents(old, view.service, context.desired.hash_key),
        "is part of the definition": [item for item in now if item.field not in fields],
        "is no longer part of the definition": [item for item in before if item.field not in fields],
    }
    found = (_content_difference(view.service, item, how) for how, items in told.items() for item in items)
    return tuple(dict.fromkeys(found))


def _content_difference(service: Service, content: Content, how: str) -> Difference:
    field = content.field.partition(":")[0]
    reason = f"the content of {content.origin} {how}"
    if content.writable and how == CHANGED:
        target = content.field.removeprefix("volumes.")
        reason = f"{reason}; if its container writes it, say `x-reconcile.mutation.allow: [{target}]`"
    return Difference(field, None, None, service.source(field), reason)


def _network_differences(view: View, previous: Container, project: str, slot: int) -> list[Difference]:
    service = view.service
    wanted = {item.network: item for item in service.networks}
    found = []
    for network in sorted({*wanted, *previous.networks} - BUILT_IN):
        before = _names_on(previous, network)
        item = wanted.get(network)
        own = {service.name, f"{project}-{service.name}-{slot}", previous.id[:12], previous.name, _hostname(previous)}
        after: Any = sorted(set(item.aliases) - own) if item else None
        before = sorted(set(before) - own) if before is not None else None
        if before != after:
            field = f"networks.{item.key}" if item else "networks"
            found.append(Difference(field, _shown(network, before), _shown(network, after), service.source(field)))
    return found


def _endpoint_differences(context: Context, view: View, previous: Container) -> Iterator[Difference]:
    """What changed of what is asked of a network beside the names there, where the old definition is known."""
    old = _definition_of(context, view, previous)
    before = {item.key: item.endpoint for item in old.networks} if old else {}
    for item in view.service.networks:
        for path, name in ENDPOINT_FIELDS.items() if item.key in before else ():
            was, now = json_value(before[item.key], *path), json_value(item.endpoint, *path)
            if (was or None) != (now or None):
                field = f"networks.{item.key}.{name}"
                yield Difference(field, was or None, now or None, view.service.source(field))


def _hostname(container: Container) -> str:
    """Engines before API 1.45 list the host name among the aliases (Config.Hostname, EndpointSettings.Aliases)."""
    return container.config.get("Hostname") or ""


def _share_differences(view: View, previous: Container) -> list[Difference]:
    """Namespaces joined whose container is another one now."""
    return [
        Difference(
            SHARED_FIELDS[host_field],
            str(previous.host_config.get(host_field, ""))[:22],
            f"container:{view.shares[host_field][:12]}",
            view.service.source(SHARED_FIELDS[host_field]),
            f"the container of {owner} is another one",
        )
        for host_field, owner in view.service.shares
        if previous.host_config.get(host_field) != f"container:{view.shares[host_field]}"
    ]


def _names_on(container: Container, network: str) -> list[str] | None:
    endpoint = container.networks.get(network)
    return list(endpoint.aliases) if endpoint else None


def _shown(network: str, aliases: list[str] | None) -> str | None:
    if aliases is None:
        return None
    return f"{network} as {', '.join(aliases)}" if aliases else network


def _hidden_difference(view: View, previous: Container) -> Difference:
    before = previous.labels.get(labels.SPEC_HASH, "")[:8]
    reason = TAKEN_OVER if was_adopted(previous) else CHANGED_UNSEEN
    return Difference("spec-hash", before, view.desired_hash[:8], view.service.source(), reason)
