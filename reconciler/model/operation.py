"""What the planner asks for: operations, each one engine call with its causes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from reconciler.model.project import JSON

Impact = Literal["none", "rolling", "gap", "recreate"]
Kind = Literal[
    "image.pull",
    "image.build",
    "image.tag",
    "network.create",
    "network.remove",
    "network.connect",
    "network.disconnect",
    "volume.create",
    "container.create",
    "container.copy",
    "container.start",
    "container.stop",
    "container.remove",
    "container.kill",
    "container.exec",
    "container.http",
]


@dataclass(frozen=True)
class Difference:
    """Why an operation exists: a field, its value before and after (redacted), where the spec says so, and in words."""

    field: str
    before: Any = None
    after: Any = None
    source: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Operation:
    """One engine call.

    `id` is the same for the same decision in every pass, so that a repeated plan is recognised. `resource` is the name
    of the object on the engine, `target` what the call addresses it by (its id where it exists). `after` are ids of
    operations that had to be done first. `payload` is the raw body of the call and may hold secrets: never print it.
    """

    id: str
    kind: Kind
    resource: str
    project: str
    service: str | None = None
    slot: int | None = None
    target: str = ""
    after: tuple[str, ...] = ()
    impact: Impact = "none"
    cause: tuple[Difference, ...] = ()
    payload: JSON = field(default_factory=dict)
