"""What a pass finds out that the engine will not tell again: since when a replica is up, which definition held."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model.memory import Stable
from reconciler.model.project import Service
from reconciler.planner.contents import remembered
from reconciler.planner.context import Context, View


def newly_up(context: Context, view: View) -> list[tuple[str, float]]:
    """Replicas of a rollout that were seen up for the first time, as `Memory.up` wants them."""
    memory, found = context.memory, []
    for slot in view.slots:
        seen = slot.first_seen_up
        watched = slot.others or (view.service.name, slot.number) in memory.removed
        attempted = slot.current is not None and slot.current.name in memory.attempted
        if seen and seen[0] not in memory.up and (watched or attempted):
            found.append(seen)
    return found


def newly_stable(context: Context, view: View) -> Stable | None:
    """The definition that every replica of the service runs now, where memory does not say so or has more to forget."""
    if not view.slots or not view.settled or not view.desired_hash:
        return None
    name, known = view.service.name, context.memory.stable.get(view.service.name)
    if known and known.spec_hash == view.desired_hash:
        kept = remembered(known.service, context.desired.hash_key)
        kept = kept if kept.replicas == view.service.replicas else replace(kept, replicas=view.service.replicas)
        begun = any(service == name for service, _ in context.memory.causes)
        changed = kept is not known.service and kept != known.service
        return replace(known, service=kept) if begun or changed else None
    if view.going_back or view.image.image is None:
        return None
    own_writes = known.own_writes + 1 if known and context.own_writes(view, known) else 0
    return Stable(
        _remembered(view.service, context.desired.hash_key),
        view.desired_hash,
        view.image.image.id,
        view.image.reference,
        view.image.digest,
        view.image.create_from,
        at=context.now,
        own_writes=own_writes,
        outline=context.outline(view),
    )


def _remembered(service: Service, key: str) -> Service:
    """The definition without its Dockerfile's text, which only a build needs, and without digests to guess with."""
    build = service.image.build
    kept = replace(build, instructions="", pins=()) if build else None
    return remembered(replace(service, image=replace(service.image, build=kept)), key)
