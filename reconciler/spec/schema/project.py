"""A whole spec: `name`, `services`, `networks`, `volumes` (Compose Spec, top-level elements)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from reconciler.spec.schema.base import Section
from reconciler.spec.schema.extension import ProjectRules
from reconciler.spec.schema.parts import Options
from reconciler.spec.schema.service import Labels, Service

_NAME = Field(pattern=r"^[a-zA-Z0-9._-]+$")


class AddressPool(Section):
    """One entry of `networks.*.ipam.config`."""

    subnet: str = ""
    ip_range: str = ""
    gateway: str = ""
    aux_addresses: dict[str, str] = {}


class Ipam(Section):
    """`networks.*.ipam`."""

    driver: str = ""
    config: list[AddressPool] = []
    options: Options = {}


class Network(Section):
    """`networks.*`."""

    name: str = ""
    driver: str = ""
    driver_opts: Options = {}
    ipam: Ipam = Ipam()
    external: bool = False
    internal: bool = False
    attachable: bool = False
    enable_ipv6: bool = False
    labels: Labels = {}
    not_yet: ClassVar[frozenset[str]] = frozenset({"enable_ipv4"})


class Volume(Section):
    """`volumes.*`."""

    name: str = ""
    driver: str = ""
    driver_opts: Options = {}
    external: bool = False
    labels: Labels = {}


class Spec(Section):
    """The top level."""

    name: str = ""
    version: str = ""
    services: dict[Annotated[str, _NAME], Service] = {}
    networks: dict[Annotated[str, _NAME], Network | None] = {}
    volumes: dict[Annotated[str, _NAME], Volume | None] = {}
    x_reconcile: Annotated[ProjectRules, Field(alias="x-reconcile")] = ProjectRules()
    not_yet: ClassVar[frozenset[str]] = frozenset({"configs", "include", "models", "secrets"})
