"""A whole spec: `name`, `services`, `networks`, `volumes` (Compose Spec, top-level elements)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from reconciler.spec.schema.base import ABSENT, Section
from reconciler.spec.schema.extension import ProjectRules
from reconciler.spec.schema.hooks import Model
from reconciler.spec.schema.parts import Options
from reconciler.spec.schema.service import Labels, Service

_NAME = Field(pattern=r"^[a-zA-Z0-9._-]+$")


class AddressPool(Section):
    """One entry of `networks.*.ipam.config`."""

    subnet: str = ABSENT
    ip_range: str = ABSENT
    gateway: str = ABSENT
    aux_addresses: dict[str, str] = ABSENT


class Ipam(Section):
    """`networks.*.ipam`."""

    driver: str = ABSENT
    config: list[AddressPool] = ABSENT
    options: Options = ABSENT


class Network(Section):
    """`networks.*`."""

    name: str = ABSENT
    driver: str = ABSENT
    driver_opts: Options = ABSENT
    ipam: Ipam = ABSENT
    external: bool = ABSENT
    internal: bool = ABSENT
    attachable: bool = ABSENT
    enable_ipv4: bool = ABSENT
    enable_ipv6: bool = ABSENT
    labels: Labels = ABSENT


class Volume(Section):
    """`volumes.*`."""

    name: str = ABSENT
    driver: str = ABSENT
    driver_opts: Options = ABSENT
    external: bool = ABSENT
    labels: Labels = ABSENT


class FileDefinition(Section):
    """What `configs.*` and `secrets.*` have in common: an absolute path, or the name of an environment variable."""

    name: str = ABSENT
    file: str = ABSENT
    environment: str = ABSENT
    external: bool = ABSENT
    labels: Labels = ABSENT
    template_driver: str = ABSENT


class Secret(FileDefinition):
    """`secrets.*`."""

    driver: str = ABSENT
    driver_opts: Options = ABSENT


class Config(FileDefinition):
    """`configs.*`."""

    content: str = ABSENT


class Spec(Section):
    """The top level."""

    name: str = ABSENT
    version: str = ABSENT
    services: dict[Annotated[str, _NAME], Service] = ABSENT
    networks: dict[Annotated[str, _NAME], Network | None] = ABSENT
    volumes: dict[Annotated[str, _NAME], Volume | None] = ABSENT
    models: dict[Annotated[str, _NAME], Model] = ABSENT
    configs: dict[Annotated[str, _NAME], Config] = ABSENT
    secrets: dict[Annotated[str, _NAME], Secret] = ABSENT
    x_reconcile: Annotated[ProjectRules, Field(alias="x-reconcile")] = ABSENT
