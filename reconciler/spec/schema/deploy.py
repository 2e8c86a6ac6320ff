"""`services.*.deploy` (Compose Deploy Specification)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from reconciler.spec.schema.base import Section

Count = Annotated[int, Field(ge=0)]


class UpdateConfig(Section):
    """`update_config` and `rollback_config`."""

    parallelism: Count = 1
    delay: str = "0s"
    failure_action: Literal["continue", "rollback", "pause"] = "pause"
    monitor: str = "0s"
    max_failure_ratio: Annotated[float, Field(ge=0, le=1)] = 0
    order: Literal["start-first", "stop-first"] | None = None


class RestartPolicy(Section):
    """`restart_policy`, which wins over `restart`."""

    condition: Literal["none", "on-failure", "any", "always", "unless-stopped"] = "any"
    delay: str = "0s"
    max_attempts: Count | None = None
    window: str = "0s"


class Limits(Section):
    """`resources.limits`: bytes as a decimal string."""

    cpus: Annotated[float, Field(ge=0)] = 0
    memory: str = ""
    pids: int = 0


class Reservations(Section):
    """`resources.reservations`."""

    cpus: Annotated[float, Field(ge=0)] = 0
    memory: str = ""
    not_yet: ClassVar[frozenset[str]] = frozenset({"generic_resources", "devices"})


class Resources(Section):
    """`resources`."""

    limits: Limits = Limits()
    reservations: Reservations = Reservations()


class Deploy(Section):
    """`deploy`."""

    mode: Literal["replicated"] = "replicated"
    replicas: Count = 1
    labels: dict[str, str] = {}
    resources: Resources = Resources()
    update_config: UpdateConfig = UpdateConfig()
    rollback_config: UpdateConfig = UpdateConfig()
    restart_policy: RestartPolicy = RestartPolicy()
    not_yet: ClassVar[frozenset[str]] = frozenset({"endpoint_mode", "placement"})
