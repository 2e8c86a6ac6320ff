"""What the engine says: a lossless, immutable snapshot, read by `observer`, judged by `planner`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from reconciler.model.project import JSON, HostPort


@dataclass(frozen=True)
class EngineInfo:
    """Which engine answered. `api` is the version we speak with it, such as `1.41`; `id` is the engine's own.

    `clock_offset` is how many seconds its clock is ahead of this machine's: what it says of time is compared with its
    own time only. `swap_limited` says that it can limit swap: one that cannot writes every `MemorySwap` as -1.
    `shares_files` says that its paths are this machine's, as this program sees them. `snapshotter` says that it keeps
    images in containerd's store, where an image's id is not its configuration's digest. `platform`
    is its own, `os/arch` with the variant where there is one. `nearby` says that it is reached through a socket of this
    machine: of its files we see those that we were given.
    """

    name: str
    id: str
    version: str
    api: str
    clock_offset: float = field(default=0.0, compare=False)
    swap_limited: bool = False
    shares_files: bool = field(default=False, compare=False)
    snapshotter: bool = False
    platform: str = field(default="linux/amd64", compare=False)
    nearby: bool = field(default=False, compare=False)

    def supports(self, api: str) -> bool:
        """Whether the negotiated API is at least `api`."""
        return _numbers(self.api) >= _numbers(api)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@dataclass(frozen=True)
class Endpoint:
    """A container's place on one network."""

    network_id: str
    aliases: tuple[str, ...] = ()
    address: str = ""
    mac: str = ""
    ipam_config: JSON = field(default_factory=dict)


@dataclass(frozen=True)
class Probe:
    """One health check that ran (State.Health.Log): when it ended, its exit code, what it printed."""

    ended_at: float
    exit_code: int
    output: str


@dataclass(frozen=True)
class Container:
    """A container of ours, from GET /containers/{id}/json (Engine API). Times are seconds since the epoch.

    `status` is State.Status (created, running, paused, restarting, removing, exited, dead); `health` is
    State.Health.Status or None without a health check; `health_output` the last probe's output.
    `seen_at` is when this was read: nothing may be concluded of any later time.
    """

    id: str
    name: str
    status: str
    labels: Mapping[str, str]
    image: str
    image_id: str
    created_at: float
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    error: str = ""
    health: str | None = None
    health_output: str = ""
    health_log: tuple[Probe, ...] = ()
    restart_count: int = 0
    oom_killed: bool = False
    config: JSON = field(default_factory=dict)
    host_config: JSON = field(default_factory=dict)
    networks: Mapping[str, Endpoint] = field(default_factory=dict)
    mounts: tuple[JSON, ...] = ()
    seen_at: float = 0.0

    @property
    def running(self) -> bool:
        """Whether its process exists and is not frozen."""
        return self.status in {"running", "restarting"}

    @property
    def occupied(self) -> bool:
        """Whether it holds its ports, addresses and name's DNS entry."""
        return self.status in {"running", "restarting", "paused"}

    @cached_property
    def published(self) -> tuple[HostPort, ...]:
        """The host ports that it asks for (HostConfig.PortBindings)."""
        asked = json_value(self.host_config, "PortBindings") or {}
        return tuple(_host_port(inner, binding) for inner, bindings in asked.items() for binding in bindings or ())


@dataclass(frozen=True)
class Foreign:
    """A container that is not ours, from its row in GET /containers/json: only what can be in our way.

    `compose_project` and `compose_service` are Compose's labels, so that a project made by `docker compose` is
    recognised; `one_off` that it was made by `docker compose run`, `working_dir` the folder that Compose ran in.
    `claims` is our own project label on an object that is nevertheless not ours, `replica` the replica (`web/1`) that
    it claims to be, `instance` the instance that it says made it.
    """

    id: str
    name: str
    status: str
    ports: tuple[HostPort, ...] = ()
    networks: tuple[str, ...] = ()
    compose_project: str = ""
    compose_service: str = ""
    one_off: bool = False
    working_dir: str = ""
    instance: str = ""
    claims: str = ""
    replica: str = ""


@dataclass(frozen=True)
class NetworkState:
    """A network, from GET /networks."""

    id: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    driver: str = "bridge"
    raw: JSON = field(default_factory=dict)


@dataclass(frozen=True)
class VolumeState:
    """A volume, from GET /volumes."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    driver: str = "local"


@dataclass(frozen=True)
class ImageState:
    """An image present on the engine. `config` is the image's own container config, {} where it was not inspected.

    `id` is the engine's Id; `tags` are RepoTags and `digests` RepoDigests (`name@sha256:…`). `predicted` marks an image
    that only a forecast has: what it will declare (health check, volumes, user) is known after the pull or build.
    `size` is in bytes, with the layers that it shares; `layers` are its RootFS.Layers, () where it was not inspected.
    """

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    config: JSON = field(default_factory=dict)
    predicted: bool = False
    size: int = 0
    layers: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Its tags and digests; containerd image stores list one that was pulled by digest among the tags too."""
        return tuple(dict.fromkeys((*self.tags, *self.digests)))


@dataclass(frozen=True)
class ImageUser:
    """A container of whomever, in any state, and the ids, digests and names of the images that it uses."""

    name: str
    status: str
    images: frozenset[str]


@dataclass(frozen=True)
class Observed:
    """The whole of what was read in one pass. `inflight` are ids of operations submitted and not yet answered.

    `claimed` are the fixed addresses that those ask for, as (network, address): taken, although nothing has them yet.
    `mutations` are the paths that differ from a container's image, by container id (GET /containers/{id}/changes), of
    those that were looked at. `missing_paths` are those that a service mounts and that the engine's machine
    does not have.
    """

    engine: EngineInfo
    containers: tuple[Container, ...] = ()
    foreign: tuple[Foreign, ...] = ()
    networks: tuple[NetworkState, ...] = ()
    volumes: tuple[VolumeState, ...] = ()
    images: tuple[ImageState, ...] = ()
    inflight: frozenset[str] = frozenset()
    claimed: frozenset[tuple[str, str]] = frozenset()
    mutations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    missing_paths: frozenset[str] = frozenset()

    def network(self, name: str) -> NetworkState | None:
        """The network of that name, or None."""
        return next((network for network in self.networks if network.name == name), None)

    def volume(self, name: str) -> VolumeState | None:
        """The volume of that name, or None."""
        return next((volume for volume in self.volumes if volume.name == name), None)


@dataclass(frozen=True)
class RegistryAnswer:
    """What a registry said of one reference: the index digest `sha256:…`, or why there is none.

    `reason` is the error's code (`RegistryError.reason`), empty where only the engine was asked.
    """

    digest: str | None = None
    error: str | None = None
    reason: str = ""


def _host_port(inner: str, binding: JSON) -> HostPort:
    first, _, last = (binding.get("HostPort") or "0").partition("-")
    return HostPort(int(first), int(last or first), inner.partition("/")[2] or "tcp", binding.get("HostIp") or "")


def json_value(document: JSON, *path: str) -> Any:
    """The value at a path of keys in raw Engine JSON, None where any step is missing or null."""
    value: Any = document
    for key in path:
        if value.__class__ is not dict and not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value
