"""Whether a container that somebody else made is what a create of ours would give, as far as inspection shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.model.fields import PAYLOAD_FIELDS, may_be_the_engines
from reconciler.model.observed import Container
from reconciler.model.project import JSON
from reconciler.planner.causes import visible_differences
from reconciler.planner.context import Context, View
from reconciler.planner.drift import in_place_changes
from reconciler.planner.slots import slot_number

# Streams that are attached or not while it starts, and the paths that go with MaskedPaths: nothing that runs differs.
IGNORED = {"AttachStdin", "AttachStdout", "AttachStderr", "ReadonlyPaths", "MacAddress", "Healthcheck", "HostConfig"}
KNOWN = {path[0] for path in PAYLOAD_FIELDS if len(path) == 1} | IGNORED
KNOWN_HOST = {path[1] for path in PAYLOAD_FIELDS if path[0] == "HostConfig"} | IGNORED
# What an engine shows where nothing was asked for.
USUAL: Mapping[str, tuple[Any, ...]] = {
    "PidMode": ("",),
    "IpcMode": ("", "private", "shareable"),
    "VolumesFrom": ([],),
    "Links": ([],),
}
ENDPOINT_SHOWN = {"IPAMConfig", "MacAddress"}


def shows_what_is_asked(context: Context, view: View, container: Container) -> bool:
    """Whether the container has the image, fields, mounts, networks and names that its service asks for.

    What an engine may have chosen by itself counts as asked. False while the service's image is not on the engine, and
    where a field is asked for that inspection does not show.
    """
    image = view.image.image
    if not view.desired_hash or image is None or image.id != container.image_id:
        return False
    return not (
        _differs(context, view, container)
        or any(_unexplained(view, container))
        or _changed_in_place(context, view, container)
        or _hidden_in_endpoints(view, container)
    )


def _differs(context: Context, view: View, container: Container) -> bool:
    found = visible_differences(context, view, container, slot_number(container))
    return any(not may_be_the_engines(item.field, item.before, item.after) for item in found)


def _changed_in_place(context: Context, view: View, container: Container) -> bool:
    limited = context.observed.engine.swap_limited
    named = not view.service.job
    return bool(in_place_changes(view.service, container, {}, swap_limited=limited, named=named))


def _unexplained(view: View, container: Container) -> Iterator[str]:
    """Fields that differ and that no spec field stands for in the table of `model.fields`."""
    asked = view.service.container
    yield from _unequal(asked, container.config, KNOWN)
    host: JSON = {**(asked.get("HostConfig") or {}), **{name: f"container:{key}" for name, key in view.shares.items()}}
    yield from _unequal(host, container.host_config, KNOWN_HOST)
    yield from (key for key, usual in USUAL.items() if not host.get(key) and _value(container, key) not in usual)


def _unequal(asked: JSON, shown: JSON, known: set[str]) -> Iterator[str]:
    return (key for key, value in asked.items() if key not in known and value != shown.get(key))


def _value(container: Container, key: str) -> Any:
    usual = USUAL[key][0]
    return container.host_config.get(key) or usual


def _hidden_in_endpoints(view: View, container: Container) -> bool:
    """Whether an endpoint asks for what inspection does not show, or for another MAC address."""
    for item in view.service.networks:
        asked, place = item.endpoint, container.networks.get(item.network)
        mac = asked.get("MacAddress")
        if asked.keys() - ENDPOINT_SHOWN or (mac and container.occupied and place and place.mac != mac):
            return True
    return False
