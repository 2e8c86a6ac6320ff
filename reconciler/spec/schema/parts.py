"""The long forms inside a service: build, ports, mounts, attachments, health check and the like."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from reconciler.spec.schema.base import Section

Options = dict[str, str]


class Build(Section):
    """`build`: absolute paths; an argument without a value comes from the environment."""

    context: str = "."
    dockerfile: str = "Dockerfile"
    dockerfile_inline: str = ""
    args: dict[str, str | None] = {}
    target: str = ""
    labels: dict[str, str] = {}
    not_yet: ClassVar[frozenset[str]] = frozenset(
        {
            "additional_contexts",
            "cache_from",
            "cache_to",
            "entitlements",
            "extra_hosts",
            "isolation",
            "network",
            "no_cache",
            "no_cache_filter",
            "platforms",
            "privileged",
            "provenance",
            "pull",
            "sbom",
            "secrets",
            "shm_size",
            "ssh",
            "tags",
            "ulimits",
        }
    )


class Port(Section):
    """One entry of `ports`; `published` may be a range."""

    target: Annotated[int, Field(ge=1, le=65535)]
    published: str = ""
    host_ip: str = ""
    protocol: str = "tcp"
    mode: Literal["ingress", "host"] = "ingress"
    name: str = ""
    app_protocol: str = ""


class BindOptions(Section):
    """`volumes[].bind`."""

    propagation: Literal["private", "rprivate", "shared", "rshared", "slave", "rslave"] = "rprivate"
    create_host_path: bool = False
    selinux: Literal["z", "Z"] | None = None
    not_yet: ClassVar[frozenset[str]] = frozenset({"recursive"})


class VolumeOptions(Section):
    """`volumes[].volume`."""

    nocopy: bool = False
    not_yet: ClassVar[frozenset[str]] = frozenset({"subpath", "labels"})


class TmpfsOptions(Section):
    """`volumes[].tmpfs`: size in bytes as a decimal string, mode as a number."""

    size: str = ""
    mode: int = 0


class Mount(Section):
    """One entry of `volumes`."""

    type: Literal["bind", "volume", "tmpfs"]
    source: str = ""
    target: Annotated[str, Field(min_length=1)]
    read_only: bool = False
    consistency: str = ""
    bind: BindOptions = BindOptions()
    volume: VolumeOptions = VolumeOptions()
    tmpfs: TmpfsOptions = TmpfsOptions()
    not_yet: ClassVar[frozenset[str]] = frozenset({"image"})


class Attachment(Section):
    """One entry of a service's `networks`."""

    aliases: list[str] = []
    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: list[str] = []
    mac_address: str = ""
    driver_opts: Options = {}
    priority: int = 0
    not_yet: ClassVar[frozenset[str]] = frozenset({"gw_priority", "interface_name"})


class Dependency(Section):
    """One entry of `depends_on`."""

    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]
    required: bool = True
    restart: bool = False


class Healthcheck(Section):
    """`healthcheck`: durations in Go's form."""

    test: list[str] = []
    interval: str = ""
    timeout: str = ""
    start_period: str = ""
    start_interval: str = ""
    retries: Annotated[int, Field(ge=0)] = 0
    disable: bool = False


class Logging(Section):
    """`logging`."""

    driver: str = ""
    options: dict[str, str | None] = {}


class UlimitPair(Section):
    """One entry of `ulimits` with two values."""

    soft: int
    hard: int


def _ulimit_form(value: Any) -> str:
    return "pair" if isinstance(value, dict | UlimitPair) else "one"


Ulimit = Annotated[Annotated[int, Tag("one")] | Annotated[UlimitPair, Tag("pair")], Discriminator(_ulimit_form)]


class EnvFile(Section):
    """One entry of `env_file`: an absolute path."""

    path: str
    required: bool = True
    format: Literal["raw"] | None = None
