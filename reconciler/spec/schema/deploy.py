"""`services.*.deploy` (Compose Deploy Specification)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from reconciler.spec.schema.base import ABSENT, Section
from reconciler.spec.schema.devices import DeviceRequest

Count = Annotated[int, Field(ge=0)]


class UpdateConfig(Section):
    """`update_config` and `rollback_config`; `policies.rollback_action` refuses what only the first may say."""

    parallelism: Count = ABSENT
    delay: str = ABSENT
    failure_action: Literal["continue", "rollback", "pause"] = ABSENT
    monitor: str = ABSENT
    max_failure_ratio: Annotated[float, Field(ge=0, le=1)] = ABSENT
    order: Literal["start-first", "stop-first"] = ABSENT


class RestartPolicy(Section):
    """`restart_policy`, which wins over `restart`."""

    condition: Literal["none", "on-failure", "any", "always", "unless-stopped"] = ABSENT
    delay: str = ABSENT
    max_attempts: Count = ABSENT
    window: str = ABSENT


class Limits(Section):
    """`resources.limits`: bytes as a decimal string."""

    cpus: Annotated[float, Field(ge=0)] = ABSENT
    memory: str = ABSENT
    pids: int = ABSENT


class ReservedDevices(DeviceRequest):
    """One entry of `resources.reservations.devices`."""

    capabilities: list[str]


class DiscreteResource(Section):
    """`discrete_resource_spec`."""

    kind: str = ABSENT
    value: float = ABSENT


class GenericResource(Section):
    """One entry of `resources.reservations.generic_resources`, which means something to Swarm only."""

    discrete_resource_spec: DiscreteResource = ABSENT


class Reservations(Section):
    """`resources.reservations`."""

    cpus: Annotated[float, Field(ge=0)] = ABSENT
    memory: str = ABSENT
    devices: list[ReservedDevices] = ABSENT
    generic_resources: list[GenericResource] = ABSENT


class Resources(Section):
    """`resources`."""

    limits: Limits = ABSENT
    reservations: Reservations = ABSENT


class Preference(Section):
    """One entry of `placement.preferences`."""

    spread: str = ABSENT


class Placement(Section):
    """`placement`, which means something to Swarm only."""

    constraints: list[str] = ABSENT
    preferences: list[Preference] = ABSENT
    max_replicas_per_node: Count = ABSENT


class Deploy(Section):
    """`deploy`."""

    mode: Literal["replicated", "global", "replicated-job", "global-job"] = ABSENT
    replicas: Count = ABSENT
    labels: dict[str, str] = ABSENT
    resources: Resources = ABSENT
    update_config: UpdateConfig = ABSENT
    rollback_config: UpdateConfig = ABSENT
    restart_policy: RestartPolicy = ABSENT
    endpoint_mode: str = ABSENT
    placement: Placement = ABSENT
