"""The long forms inside a service: build, ports, mounts, attachments, health check and the like."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from reconciler.spec.schema.base import ABSENT, Section

Options = dict[str, str]


class Port(Section):
    """One entry of `ports`; `published` may be a range."""

    target: Annotated[int, Field(ge=1, le=65535)]
    published: str = ABSENT
    host_ip: str = ABSENT
    protocol: str = ABSENT
    mode: Literal["ingress", "host"] = ABSENT
    name: str = ABSENT
    app_protocol: str = ABSENT


class BindOptions(Section):
    """`volumes[].bind`."""

    propagation: Literal["private", "rprivate", "shared", "rshared", "slave", "rslave"] = ABSENT
    create_host_path: bool = ABSENT
    selinux: Literal["z", "Z"] = ABSENT
    recursive: Literal["enabled", "disabled", "writable", "readonly"] = ABSENT


class VolumeOptions(Section):
    """`volumes[].volume`."""

    nocopy: bool = ABSENT
    subpath: str = ABSENT
    labels: dict[str, str] = ABSENT


class ImageOptions(Section):
    """`volumes[].image`."""

    subpath: str = ABSENT


class TmpfsOptions(Section):
    """`volumes[].tmpfs`: size in bytes as a decimal string, mode as a number."""

    size: str = ABSENT
    mode: int = ABSENT


class Mount(Section):
    """One entry of `volumes`."""

    type: Literal["bind", "volume", "tmpfs", "image", "npipe", "cluster"]
    source: str = ABSENT
    target: Annotated[str, Field(min_length=1)]
    read_only: bool = ABSENT
    consistency: str = ABSENT
    bind: BindOptions = ABSENT
    volume: VolumeOptions = ABSENT
    tmpfs: TmpfsOptions = ABSENT
    image: ImageOptions = ABSENT


class Attachment(Section):
    """One entry of a service's `networks`."""

    aliases: list[str] = ABSENT
    ipv4_address: str = ABSENT
    ipv6_address: str = ABSENT
    link_local_ips: list[str] = ABSENT
    mac_address: str = ABSENT
    driver_opts: Options = ABSENT
    priority: int = ABSENT
    gw_priority: int = ABSENT
    interface_name: str = ABSENT


class Dependency(Section):
    """One entry of `depends_on`."""

    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]
    required: bool = ABSENT
    restart: bool = ABSENT


class Healthcheck(Section):
    """`healthcheck`: durations in Go's form."""

    test: list[str] = ABSENT
    interval: str = ABSENT
    timeout: str = ABSENT
    start_period: str = ABSENT
    start_interval: str = ABSENT
    retries: Annotated[int, Field(ge=0)] = ABSENT
    disable: bool = ABSENT


class Logging(Section):
    """`logging`."""

    driver: str = ABSENT
    options: Options = ABSENT


class UlimitPair(Section):
    """One entry of `ulimits` with two values."""

    soft: int
    hard: int


def _ulimit_form(value: Any) -> str:
    return "pair" if isinstance(value, dict | UlimitPair) else "one"


Ulimit = Annotated[Annotated[int, Tag("one")] | Annotated[UlimitPair, Tag("pair")], Discriminator(_ulimit_form)]


class FileReference(Section):
    """One entry of `configs` or `secrets`: `mode` in octal digits."""

    source: str = ABSENT
    target: str = ABSENT
    uid: str = ABSENT
    gid: str = ABSENT
    mode: str = ABSENT


class EnvFile(Section):
    """One entry of `env_file`: an absolute path."""

    path: str
    required: bool = ABSENT
    format: Literal["raw"] = ABSENT


class Build(Section):
    """`build`: absolute paths; an argument without a value comes from the environment."""

    additional_contexts: dict[str, str] = ABSENT
    args: dict[str, str | None] = ABSENT
    cache_from: list[str] = ABSENT
    cache_to: list[str] = ABSENT
    context: str = ABSENT
    dockerfile: str = ABSENT
    dockerfile_inline: str = ABSENT
    entitlements: list[str] = ABSENT
    extra_hosts: list[str] = ABSENT
    isolation: str = ABSENT
    labels: dict[str, str] = ABSENT
    network: str = ABSENT
    no_cache: bool = ABSENT
    platforms: list[str] = ABSENT
    privileged: bool = ABSENT
    provenance: str = ABSENT
    pull: bool = ABSENT
    sbom: str = ABSENT
    secrets: list[FileReference] = ABSENT
    shm_size: str = ABSENT
    ssh: list[str] = ABSENT
    tags: list[str] = ABSENT
    target: str = ABSENT
    ulimits: dict[str, Ulimit] = ABSENT
    not_yet: ClassVar[frozenset[str]] = frozenset({"no_cache_filter"})
