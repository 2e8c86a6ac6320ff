"""The desired state: one Project of Services, Networks and Volumes, lowered to Engine API terms by `spec`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from reconciler.model.files import Content, CopiedFile, FileReference
from reconciler.model.revision import Revision

JSON = Mapping[str, Any]
Order = Literal["start-first", "stop-first"]
DependencyState = Literal["service_started", "service_healthy", "service_completed_successfully"]
PullPolicy = Literal["always", "missing", "never", "build", "timed"]
Track = Literal["none", "digest", "semver"]
FailureAction = Literal["pause", "continue", "rollback"]
DrainMethod = Literal["none", "signal", "exec", "http"]
Publish = Literal["immediate", "healthy"]
OnMutation = Literal["ignore", "report", "replace"]


@dataclass(frozen=True)
class BuildSecret:
    """A secret of a build (RUN --mount=type=secret): in `file`, an absolute path, or, where that is "", `content`."""

    id: str
    file: str = ""
    content: str = field(default="", repr=False)


@dataclass(frozen=True)
class BuildUlimit:
    """One entry of `build.ulimits`, as the engine counts; -1 is no limit."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True)
class Build:
    """How to build a service's image (Compose Spec, build section).

    `context` and `dockerfile` are absolute paths (`dockerfile_inline` instead where the text stands in the spec).
    `key` is the content key of everything the build reads, 64 hex digits, and `tag` the immutable tag made of it; until
    the base images are known, `key` is empty and `tag` the repository alone. `contexts` are the additional ones by
    name: absolute paths, or addresses as written. `extra_hosts` are HOST=ADDRESS; `shm_size` is in bytes, 0 for the
    builder's own. `ssh` are ID or ID=PATH. The flags and `cache_from`, `cache_to`, `ssh` and `tags` change no result,
    and so no key.

    `content` is the hash of all that the build reads but its base images, `instructions` the Dockerfile's text. `bases`
    are the images that it uses, as (reference, what that stands for: `name:tag@sha256:…`, or the id of an image that no
    registry has); `pins` are what to write into `instructions` for them, as (start, end, what it stands for). `trouble`
    is why a base could not be looked up, `reason` the registry's: without a key nothing can be built.
    """

    context: str
    dockerfile: str
    dockerfile_inline: str | None = None
    args: tuple[tuple[str, str], ...] = ()
    target: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    key: str = ""
    tag: str = ""
    contexts: tuple[tuple[str, str], ...] = ()
    network: str | None = None
    extra_hosts: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    secrets: tuple[BuildSecret, ...] = ()
    ssh: tuple[str, ...] = ()
    entitlements: tuple[str, ...] = ()
    privileged: bool = False
    shm_size: int = 0
    ulimits: tuple[BuildUlimit, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    no_cache: bool = False
    pull: bool = False
    tags: tuple[str, ...] = ()
    content: str = ""
    instructions: str = field(default="", repr=False)
    bases: tuple[tuple[str, str], ...] = ()
    pins: tuple[tuple[int, int, str], ...] = ()
    trouble: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Following:
    """Whether and how a service follows its registry (`x-reconcile.image`); `none`: it runs what is written.

    `range` are the versions that may be followed ("": those above the one written, up to the next major one). Tags that
    `filter` (a regular expression) does not find are left out; `extract` finds a tag's version in it, as its group
    `version`, its first group, or all that it matches. A digest is followed once it has been known for `cooldown`
    seconds, and in minutes that `window` (five fields of cron) matches.
    """

    track: Track = "none"
    range: str = ""
    filter: str = ""
    extract: str = ""
    cooldown: float = 0.0
    window: str = ""


@dataclass(frozen=True)
class PublicKey:
    """A key that may have signed a service's image (`x-reconcile.image.verify`): its file, and PEM of it."""

    path: str
    pem: str


@dataclass(frozen=True)
class Pin:
    """What `reconcile.lock` says that a service runs: `name:tag`, the index digest, when and by which policy chosen.

    `at` is in seconds since the epoch; `source` is the `file:line` of the entry.
    """

    reference: str
    digest: str
    at: float
    policy: str
    source: str = ""


@dataclass(frozen=True)
class Image:
    """What a service runs: `reference` as written (for a bare build: empty), how to get it, and the build if any.

    Under the policy `timed` (`daily`, `weekly`, `every_<d>`) a registry is asked again after `interval` seconds. Where
    there are `keys`, one of them must have signed the image. A `pin` says what to run, whatever else is written.
    """

    reference: str
    pull_policy: PullPolicy = "missing"
    build: Build | None = None
    platform: str | None = None
    interval: float = 0.0
    following: Following = Following()
    keys: tuple[PublicKey, ...] = ()
    pin: Pin | None = None

    @property
    def may_be_asked_for(self) -> bool:
        """Whether a registry is ever asked for it: not for what is built here, nor where the policy says never."""
        return self.build is None and self.pull_policy not in {"never", "build"}


@dataclass(frozen=True)
class Attachment:
    """One network of a service: `network` is the network's name on the engine; `endpoint` the raw EndpointSettings.

    `endpoint` holds only what the spec says (IPAMConfig, MacAddress, DriverOpts); aliases are separate because the
    service name and the slot name join them. Order is connection order: the first is the container's NetworkMode.
    """

    key: str
    network: str
    aliases: tuple[str, ...] = ()
    endpoint: JSON = field(default_factory=dict)

    @property
    def static_address(self) -> bool:
        """Whether the spec fixes an address, so that two replicas cannot be attached at once."""
        ipam = self.endpoint.get("IPAMConfig") or {}
        return bool(ipam.get("IPv4Address") or ipam.get("IPv6Address") or self.endpoint.get("MacAddress"))


@dataclass(frozen=True)
class Dependency:
    """One `depends_on` entry (Compose Spec): `required` false means that an absent service does not matter."""

    service: str
    condition: DependencyState = "service_started"
    required: bool = True
    restart: bool = False


@dataclass(frozen=True)
class HostPort:
    """A published port: `first` to `last` on host address `ip` (empty: every address); 0 lets the engine choose."""

    first: int
    last: int
    protocol: str = "tcp"
    ip: str = ""

    @property
    def fixed(self) -> bool:
        """Whether the host port is named, rather than chosen by the engine."""
        return self.first > 0

    def overlaps(self, other: HostPort) -> bool:
        """Whether the two cannot be bound at once."""
        if not (self.fixed and other.fixed and self.first <= other.last and other.first <= self.last):
            return False
        addresses = {self.ip or "0.0.0.0", other.ip or "0.0.0.0"}
        return self.protocol == other.protocol and (len(addresses) == 1 or bool(addresses & {"0.0.0.0", "::"}))


@dataclass(frozen=True)
class Drain:
    """How a replica is told that it will be stopped, before its stop signal (`x-reconcile.rollout.drain`).

    `signal` names the signal of method `signal` (such as `SIGUSR1`); `command` is the argument vector of `exec`; `port`
    and `path` are what `http` sends a POST to, inside the replica. After it, `delay` seconds pass before the stop.
    """

    method: DrainMethod = "none"
    delay: float = 0.0
    signal: str = ""
    command: tuple[str, ...] = ()
    port: int = 0
    path: str = "/"


@dataclass(frozen=True)
class UpdateConfig:
    """`deploy.rollback_config` (Compose Spec, Deploy): the fields of `Rollout` that hold while going back."""

    order: Order | None = None
    parallelism: int = 1
    delay: float = 0.0
    monitor: float | None = None
    max_failure_ratio: float = 0.0
    failure_action: FailureAction = "pause"


@dataclass(frozen=True)
class Rollout:
    """How replicas are replaced: `deploy.update_config` and `x-reconcile.rollout`. All times in seconds.

    `order` None means unset: start-first where nothing forbids it. `parallelism` 0 means all at once. `delay` passes
    between one replacement and the next. `monitor` is how long a replica that came up is watched before it counts as
    up; None means unset: as long as its health check needs to say otherwise. `settle` is how long a new replica serves
    before the old one is asked to leave, `publish` when its service name is answered for.
    """

    order: Order | None = None
    parallelism: int = 1
    delay: float = 0.0
    monitor: float | None = None
    max_failure_ratio: float = 0.0
    failure_action: FailureAction = "rollback"
    rollback: UpdateConfig = UpdateConfig()
    min_running: float = 5.0
    progress_deadline: float = 600.0
    settle: float = 0.0
    drain: Drain = Drain()
    publish: Publish = "immediate"


@dataclass(frozen=True)
class RestartPolicy:
    """When a replica that is lost after its rollout is replaced (`deploy.restart_policy`). Times in seconds.

    `delay` None: at once, then after 10 s doubling to 5 min. `max_attempts` None: without end. A replica that ran for
    `window` seconds counts as a success: the attempts begin anew (None: 10 min).
    """

    condition: Literal["none", "on-failure", "any"] = "any"
    delay: float | None = None
    max_attempts: int | None = None
    window: float | None = None


@dataclass(frozen=True)
class Mutation:
    """What to do about changes made by hand (`x-reconcile.mutation`): to its settings, to its writable layer.

    Paths at or below one of `allow` in the writable layer are nobody's business.
    """

    config: OnMutation = "replace"
    filesystem: OnMutation = "report"
    allow: tuple[str, ...] = ("/tmp", "/run")  # noqa: S108 - paths inside containers


@dataclass(frozen=True)
class Service:
    """One service, ready to be planned.

    `container` is the body of POST /containers/create (Engine API) as the spec asks for it, without Image, our own and
    Compose's labels, networking, and what depends on the slot. `shares` maps `HostConfig` fields (NetworkMode) to
    the service whose container they join. `writable_mounts` names what the container writes to, for the choice of
    order, `contents` are those of its files, `copied_files` are put into it, and `file_references` are the configs and
    secrets that are mounted. `hidden` names the variables of the container that stood encrypted in their file.
    `sources` maps field paths (`image`, `environment.LOG_LEVEL`, `ports[0]`) to `file:line`; the empty path is the
    service itself.
    """

    name: str
    image: Image
    container: JSON
    replicas: int = 1
    networks: tuple[Attachment, ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    container_name: str | None = None
    shares: tuple[tuple[str, str], ...] = ()
    ports: tuple[HostPort, ...] = ()
    volumes: tuple[str, ...] = ()
    writable_mounts: tuple[str, ...] = ()
    contents: tuple[Content, ...] = ()
    copied_files: tuple[CopiedFile, ...] = ()
    file_references: tuple[FileReference, ...] = ()
    hidden: tuple[str, ...] = ()
    rollout: Rollout = Rollout()
    restart: RestartPolicy = RestartPolicy()
    mutation: Mutation = Mutation()
    job: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def bound_paths(self) -> Mapping[str, str]:
        """Paths of the engine's machine that it mounts, and where they go in the container; not our own copies."""
        host: JSON = self.container.get("HostConfig") or {}
        texts = (text.split(":") for text in host.get("Binds") or () if text.startswith("/"))
        mounts = (mount for mount in host.get("Mounts") or () if mount.get("Type") == "bind")
        found = {parts[0]: parts[1] for parts in texts} | {mount["Source"]: mount["Target"] for mount in mounts}
        copies = {content.copy for content in self.contents}
        return {path: target for path, target in found.items() if path not in copies}

    @property
    def required_paths(self) -> tuple[str, ...]:
        """Paths of the engine's machine that it mounts and that no engine makes (Mount without CreateMountpoint)."""
        mounts: tuple[JSON, ...] = (self.container.get("HostConfig") or {}).get("Mounts") or ()
        binds = (mount for mount in mounts if mount.get("Type") == "bind")
        return tuple(mount["Source"] for mount in binds if not (mount.get("BindOptions") or {}).get("CreateMountpoint"))

    def source(self, path: str = "") -> str:
        """The `file:line` that set this field, or the nearest enclosing one that is known."""
        while path not in self.sources and path:
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return self.sources.get(path, "")


@dataclass(frozen=True)
class Network:
    """A network the project uses. `definition` is the body of POST /networks/create without name and our labels.

    `keeps_addresses` says that a replica must be able to leave it and come back with the same address (`publish:
    healthy`), which engines allow only on networks whose subnet was asked for; false where the spec gives a subnet.
    `sources` maps field paths (`driver_opts.mtu`) to `file:line`.
    """

    key: str
    name: str
    external: bool = False
    definition: JSON = field(default_factory=dict)
    source: str = ""
    keeps_addresses: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)

    def place(self, path: str) -> str:
        """The `file:line` that set this field, or the nearest enclosing one that is known."""
        while path not in self.sources and path:
            path = path.rpartition(".")[0]
        return self.sources.get(path, self.source)


@dataclass(frozen=True)
class Volume:
    """A named volume the project uses. `definition` is the body of POST /volumes/create without name and our labels."""

    key: str
    name: str
    external: bool = False
    definition: JSON = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True)
class Notice:
    """Something the user should know: a stable `code`, a message, and the `file:line` or resource it is about."""

    code: str
    message: str
    source: str = ""


@dataclass(frozen=True)
class Project:
    """Everything one spec asks for, by name; services of disabled profiles are absent and named in `disabled`.

    `revision` is the state of the source that it was read from, None where nobody followed one; `from_git` says that
    whoever may write to a repository wrote it, who need not be somebody with access to this machine: `checkout` is the
    folder that all of it lies in then. `suspended` is the `file:line` by which the spec wants all of it left alone, ""
    where it does not.
    """

    name: str
    services: tuple[Service, ...]
    networks: tuple[Network, ...] = ()
    volumes: tuple[Volume, ...] = ()
    disabled: frozenset[str] = frozenset()
    prune: bool = True
    allow_empty: bool = False
    working_dir: str = ""
    files: tuple[str, ...] = ()
    source: str = ""
    notices: tuple[Notice, ...] = ()
    revision: Revision | None = None
    from_git: bool = False
    suspended: str = ""
    checkout: str = ""

    def service(self, name: str) -> Service | None:
        """The service of that name, or None."""
        return next((service for service in self.services if service.name == name), None)
