"""Fields of a create body that the table of `model.fields` does not explain, compared as they stand in the payload.

For containers that were taken over: there, everything that is asked for has to be seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.model.fields import PAYLOAD_FIELDS
from reconciler.model.observed import Container
from reconciler.model.operation import Difference
from reconciler.model.project import JSON
from reconciler.planner.context import View

# What joins streams or follows from MaskedPaths, and what is compared elsewhere: endpoints, health check, namespaces.
IGNORED = {"AttachStdin", "AttachStdout", "AttachStderr", "ReadonlyPaths", "MacAddress", "Healthcheck", "HostConfig"}
KNOWN = {path[0] for path in PAYLOAD_FIELDS if len(path) == 1} | IGNORED
KNOWN_HOST = {path[1] for path in PAYLOAD_FIELDS if path[0] == "HostConfig"} | IGNORED
# What engines show where nothing was asked for.
USUAL: Mapping[str, tuple[Any, ...]] = {
    "PidMode": ("",),
    "IpcMode": ("private", "shareable"),
    "VolumesFrom": ([],),
    "Links": ([],),
}
NAMES = {
    "PidMode": "pid",
    "IpcMode": "ipc",
    "CgroupnsMode": "cgroup",
    "VolumesFrom": "volumes_from",
    "Links": "links",
}


def unlisted_differences(view: View, container: Container) -> Iterator[Difference]:
    """Each with the spec's name of the field where it has one, else the Engine API's."""
    asked: JSON = view.service.container
    host: JSON = asked.get("HostConfig") or {}
    shared = dict(view.service.shares)
    yield from _unequal(view, asked, container.config, KNOWN)
    yield from _unequal(view, host, container.host_config, KNOWN_HOST)
    for key, usual in USUAL.items():
        shown = container.host_config.get(key) or usual[0]
        if not host.get(key) and key not in shared and shown not in usual:
            yield _difference(view, key, shown, None)


def _unequal(view: View, asked: JSON, shown: JSON, known: set[str]) -> Iterator[Difference]:
    for key, value in asked.items():
        if key not in known and value != shown.get(key):
            yield _difference(view, key, shown.get(key), value)


def _difference(view: View, key: str, before: Any, after: Any) -> Difference:
    field = NAMES.get(key, key)
    return Difference(field, before, after, view.service.source(field))
