"""What the planner asks for: operations, each one engine call with its causes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from reconciler.model.project import JSON

IPV4, IPV6 = "IPv4Address", "IPv6Address"
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
    "volume.remove",
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
    operations that had to be done first. `volume.remove` is a person's alone: no plan has it.
    `payload` is the raw body of the call and may hold secrets: never print it.
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

    @property
    def addresses(self) -> frozenset[tuple[str, str]]:
        """The fixed addresses that it asks for, as (network, address): IPAMConfig (Engine API, EndpointSettings)."""
        body: JSON = self.payload.get("body") or {}
        endpoints = dict((body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {})
        if "endpoint" in self.payload:
            endpoints[self.payload["network"]] = self.payload["endpoint"]
        asked = {network: (endpoint or {}).get("IPAMConfig") or {} for network, endpoint in endpoints.items()}
        return frozenset(
            (network, ipam[key]) for network, ipam in asked.items() for key in (IPV4, IPV6) if ipam.get(key)
        )
