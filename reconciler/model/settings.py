"""How an installation wants the program to behave: what `settings` reads from a file, the environment and flags.

Durations are seconds, sizes bytes, paths absolute. `place` is the `file:line` (or `RECONCILER_NAME`, or the flag) that
said it; "" for a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

PolicyLevel = Literal["open", "standard", "strict"]
RefKind = Literal["branch", "tag", "semver", "commit"]
LogFormat = Literal["console", "json"]
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class GitRef:
    """What is followed in a repository: a branch, a tag, the newest tag in a range of versions, or one commit."""

    kind: RefKind
    value: str


@dataclass(frozen=True)
class SignedBy:
    """Whose signature a commit must have: `keys_file` holds armored OpenPGP keys, or OpenSSH `allowed_signers`."""

    method: Literal["gpg", "ssh"]
    keys_file: str


@dataclass(frozen=True)
class GitSource:
    """A repository that is followed. `url` is https://, ssh:// or host:path, without credentials in it.

    `subdir` is the folder in it that holds the specs ("": its root, where `specs/` or a compose file is looked for as
    anywhere else). `interval` is how often its refs are asked for, `timeout` how long one git command may take,
    `max_bytes` how large a checkout may be. `token_file` and `username` are for https, `ssh_key_file` and
    `known_hosts_file` for ssh, `ca_file` for an authority of one's own. `variables` are all that `${...}` in its specs
    can read: nothing of this process's environment.
    """

    name: str
    url: str
    ref: GitRef
    subdir: str = ""
    interval: float = 60.0
    timeout: float = 60.0
    max_bytes: int = 256 * MEBIBYTE
    token_file: str = ""
    username: str = "git"
    ssh_key_file: str = ""
    known_hosts_file: str = ""
    ca_file: str = ""
    signed_by: SignedBy | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    place: str = ""


@dataclass(frozen=True)
class DirectorySource:
    """A folder (or one compose file) on this machine that is watched: what `-f` takes."""

    name: str
    paths: tuple[str, ...]
    place: str = ""


@dataclass(frozen=True)
class PolicyException:
    """A rule that does not hold for a project (or for one service of it; "": all), and why."""

    rule: str
    project: str
    service: str
    reason: str
    place: str = ""


@dataclass(frozen=True)
class PolicySettings:
    """What specs may ask for. `level` None: `standard` for what comes from Git, else `open`.

    `rules` change single rules of the level, by name: false turns a rule off, true on, and anything else is its
    parameter (such as the list of `registries`).
    """

    level: PolicyLevel | None = None
    rules: Mapping[str, Any] = field(default_factory=dict)
    rule_places: Mapping[str, str] = field(default_factory=dict)
    exceptions: tuple[PolicyException, ...] = ()


@dataclass(frozen=True)
class Settings:
    """Everything that is configured, complete.

    `host_data_dir` is where `data_dir` lies on the engine's machine: another path where this program runs in a
    container. `resync` is the time between two looks at the whole engine, `full` between two that inspect every
    container, `image_checks` between two questions to registries about one image. `backoff_first` and `backoff_most`
    bound the waiting time after a failed pass. `hash_key_file` keys the desired hashes ("": the engine's id does).
    `history` is how many rollouts are kept of a project. `max_removed` is the share of a project's services that one
    pass may remove (at least three).
    """

    sources: tuple[GitSource | DirectorySource, ...] = ()
    policy: PolicySettings = PolicySettings()
    instance: str = "default"
    host: str | None = None
    context: str | None = None
    state_dir: str = ""
    data_dir: str = ""
    host_data_dir: str = ""
    socket: str = ""
    resync: float = 30.0
    full: float = 300.0
    image_checks: float = 300.0
    backoff_first: float = 1.0
    backoff_most: float = 600.0
    timeout: float | None = None
    max_unavailable: int | None = None
    max_removed: float = 0.3
    history: int = 1000
    age_identity_file: str = ""
    hash_key_file: str = ""
    log_format: LogFormat = "console"
    log_level: str = "info"
    places: Mapping[str, str] = field(default_factory=dict)
