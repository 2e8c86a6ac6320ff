"""Whether a container that somebody else made is what a create of ours would give, as far as inspection shows."""

from __future__ import annotations

from reconciler.model.fields import may_be_the_engines
from reconciler.model.observed import Container
from reconciler.planner.causes import visible_differences
from reconciler.planner.context import Context, View
from reconciler.planner.drift import in_place_changes
from reconciler.planner.slots import slot_number

ENDPOINT_SHOWN = {"IPAMConfig", "MacAddress"}


def shows_what_is_asked(context: Context, view: View, container: Container) -> bool:
    """Whether the container has the image, fields, mounts, networks and names that its service asks for.

    What an engine may have chosen by itself counts as asked. False while the service's image is not on the engine, and
    where an endpoint asks for what inspection does not show.
    """
    image = view.image.image
    if not view.desired_hash or image is None or image.id != container.image_id:
        return False
    found = visible_differences(context, view, container, slot_number(container))
    differs = any(not may_be_the_engines(item.field, item.before, item.after) for item in found)
    return not (differs or _changed_in_place(context, view, container) or _hidden_in_endpoints(view, container))


def _changed_in_place(context: Context, view: View, container: Container) -> bool:
    limited = context.observed.engine.swap_limited
    return bool(in_place_changes(view.service, container, {}, swap_limited=limited, named=True))


def _hidden_in_endpoints(view: View, container: Container) -> bool:
    """Whether an endpoint asks for what inspection does not show, or a running container has another MAC address."""
    for item in view.service.networks:
        asked, place = item.endpoint, container.networks.get(item.network)
        mac = asked.get("MacAddress") if container.occupied and place else None
        if asked.keys() - ENDPOINT_SHOWN or (mac and place and place.mac != mac):
            return True
    return False
