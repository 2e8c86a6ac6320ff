"""What an engine tells of what happens on it (GET /events): which events matter, and what one is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.model import labels

TYPES = ("container", "network", "volume", "image")

# Once `health_status` is among the actions, the engine compares all of them by their beginnings: no beginning of the
# three `exec_...` events that every health probe makes may stand here.
ACTIONS = (
    "create",
    "start",
    "restart",
    "die",
    "oom",
    "stop",
    "pause",
    "unpause",
    "destroy",
    "rename",
    "update",
    "health_status",
    "connect",
    "disconnect",
    "remove",
    "prune",
    "pull",
    "load",
    "import",
    "tag",
    "untag",
    "delete",
)


@dataclass(frozen=True)
class Event:
    """One event. `kind` is one of TYPES; `subject` the id of what it is about (a volume's name).

    `container` is the id of the container that it concerns, if any: of `network` events too. `project` is the project
    that the container's labels name. `image` is the image's name as somebody wrote it, where the event says it.
    """

    kind: str
    action: str
    subject: str
    container: str = ""
    project: str = ""
    image: str = ""


def read_event(raw: Mapping[str, Any]) -> Event:
    """The event of one object of the stream."""
    actor = raw.get("Actor") or {}
    found: Mapping[str, str] = actor.get("Attributes") or {}
    kind = raw.get("Type") or "container"
    subject = actor.get("ID") or raw.get("id") or ""
    named = {"container": found.get("image", ""), "image": found.get("name", "")}.get(kind, "")
    return Event(
        kind,
        (raw.get("Action") or "").partition(":")[0],
        subject,
        subject if kind == "container" else found.get("container", ""),
        found.get(labels.PROJECT) or found.get(labels.COMPOSE_PROJECT) or "",
        "" if named.startswith("sha256:") else named,
    )
