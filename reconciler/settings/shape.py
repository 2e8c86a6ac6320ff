"""The settings file as models: every key with its kind, its default, its meaning and its flag, each once.

`load` validates with them and reads the variables and flags off them; docs/settings.md is made of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from reconciler.model.settings import GitSource, LogFormat, PolicyLevel, RefKind
from reconciler.model.settings import Settings as Defaults
from reconciler.settings.kinds import (
    PATH,
    Commit,
    EnginePath,
    File,
    InnerPath,
    LocalPath,
    LocalPaths,
    Name,
    Ref,
    Repository,
    Seconds,
    Share,
    Size,
    Text,
    VersionRange,
    Whole,
)
from reconciler.spec.schema.base import Section
from reconciler.spec.schema.tree import flat, is_section

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

PREFIX = "RECONCILER_"
GIT = f"{PREFIX}GIT_"
REFS: tuple[RefKind, ...] = ("branch", "tag", "semver", "commit")
DEFAULT_BRANCH = "main"
_OURS = Defaults()
_GIT = GitSource.__dataclass_fields__


def _setting(default: Any, meaning: str, *, flag: str = "", shown: str = "", variable: bool = True) -> Any:
    """A key. `shown` is how the documentation writes the default; one without a `variable` is of the file only."""
    extra: dict[str, Any] = {"flag": flag, "shown": shown, "variable": variable}
    return Field(default=default, description=meaning, json_schema_extra=extra)


class SignedBy(Section):
    """`sources[].signed_by`."""

    gpg: File = _setting("", "File with the armored OpenPGP keys of those who may sign commits.")
    ssh: File = _setting("", "The same with OpenSSH: a file in the format of `allowed_signers` (ssh-keygen(1)).")


class Git(Section):
    """A source that is a repository."""

    git: Repository = Field(
        description="Address: `https://HOST/PATH`, `ssh://USER@HOST/PATH` or `USER@HOST:PATH`, without credentials; "
        "`http://` only for this machine.",
    )
    name: Name = _setting("", "Name of the source.", shown="last part of the address")
    branch: Ref = _setting("", "Branch to follow.", shown=f"`{DEFAULT_BRANCH}`")
    tag: Ref = _setting("", "Tag to follow, in place of a branch.")
    semver: VersionRange = _setting("", "Range of versions whose newest tag to follow (`^1.2`), in place of a branch.")
    commit: Commit = _setting("", "Commit to stay at (all of its digits), in place of a branch.")
    subdir: InnerPath = _setting("", "Folder of the specs in the repository.", shown="its root")
    interval: Seconds = _setting(_GIT["interval"].default, "Time between two looks at the repository (within 5 %).")
    timeout: Seconds = _setting(_GIT["timeout"].default, "Time that one git command may take.")
    max_size: Size = _setting(_GIT["max_bytes"].default, "Largest checkout.")
    token_file: File = _setting("", "File with the token or password for https.")
    username: Text = _setting(_GIT["username"].default, "User name that goes with the token.")
    ssh_key_file: File = _setting("", "File with the private key for ssh.")
    known_hosts_file: File = _setting("", "File with the host keys for ssh, in the format of sshd(8).")
    ca_file: File = _setting("", "File with certificates (PEM) of an authority of your own, for https.")
    signed_by: SignedBy = Field(
        default=SignedBy(), description="Whose signature a commit must have to be deployed: `gpg` or `ssh`."
    )
    variables: dict[str, Text] = _setting(
        {}, "What `${...}` in the specs reads, by name; nothing of the service's own environment.", variable=False
    )


class Directory(Section):
    """A source that is a folder on this machine."""

    directory: LocalPaths = Field(
        description="Folder, compose file, or list of compose files that merge, as with `-f`."
    )
    name: Name = _setting("", "Name of the source.", shown="last part of the path")


class Exemption(Section):
    """An entry of `policy.exceptions`."""

    rule: Text = Field(description="Name of the rule that does not hold.")
    project: Text = Field(description="For which project.")
    service: Text = _setting("", "For which of its services.", shown="all")
    reason: Text = Field(description="Why; it is shown wherever the exception counts.")


class Policy(Section):
    """`policy`."""

    level: PolicyLevel | None = _setting(
        None,
        "What specs may ask for: `open`, `standard` or `strict`.",
        shown="`standard` for Git, `open` for a directory",
    )
    rules: dict[str, Any] = _setting(
        {},
        "Single rules in another way than the level has them: `false`, `true` or a parameter, by name.",
        variable=False,
    )
    exceptions: list[Exemption] = _setting([], "Rules that do not hold somewhere, and why.", variable=False)


class Backoff(Section):
    """`backoff`."""

    first: Seconds = _setting(_OURS.backoff_first, "Waiting time after a project's first failed pass; it doubles.")
    most: Seconds = _setting(_OURS.backoff_most, "Longest waiting time.")


class Log(Section):
    """`log`."""

    format: LogFormat = _setting(_OURS.log_format, "`console` or `json`.", flag="--log-format")
    level: Literal["debug", "info", "warning", "error"] = _setting(
        _OURS.log_level, "`debug`, `info`, `warning` or `error`.", flag="--log-level"
    )


def _kind_of_source(value: Any) -> str | None:
    return next((key for key in ("git", "directory") if isinstance(value, dict) and key in value), None)


Source = Annotated[Annotated[Git, Tag("git")] | Annotated[Directory, Tag("directory")], Discriminator(_kind_of_source)]


class Top(Section):
    """The whole file."""

    sources: list[Source] = Field(default=[], description="What `reconcile serve` follows; see below.")
    policy: Policy = Policy()
    instance: Text = _setting(
        _OURS.instance, "Whose containers these are, where several controllers share an engine.", flag="--instance"
    )
    host: Text | None = _setting(None, "Engine, as the docker CLI has it.", flag="--host", shown="`DOCKER_HOST`")
    context: Text | None = _setting(
        None, "Context of the docker CLI, in place of a host.", flag="--context", shown="`DOCKER_CONTEXT`"
    )
    state_dir: LocalPath = _setting(
        "",
        "Where rollouts and good checkouts are remembered.",
        flag="--state-dir",
        shown="`/var/lib/reconciler` for root, else `$XDG_STATE_HOME/reconciler`",
    )
    data_dir: LocalPath = _setting("", "Where files that containers mount are kept.", shown="`data` in `state_dir`")
    host_data_dir: EnginePath = _setting(
        "",
        "The same folder as the engine's machine sees it: another path where this program is a container.",
        shown="`data_dir`",
    )
    socket: LocalPath = _setting(
        "",
        "Unix socket by which `status`, `sync` and the others ask the running service.",
        flag="--socket",
        shown="`/run/reconciler.sock` for root, else `$XDG_RUNTIME_DIR/reconciler.sock`, else in `state_dir`",
    )
    resync: Seconds = _setting(_OURS.resync, "Time between two looks at the whole engine, whatever its events say.")
    full: Seconds = _setting(_OURS.full, "Time between two looks that inspect every container.")
    image_checks: Seconds = _setting(_OURS.image_checks, "Time between two questions to a registry about one image.")
    backoff: Backoff = Backoff()
    timeout: Seconds | None = _setting(
        None, "Time in which a project has to be converged.", flag="--timeout", shown="none"
    )
    max_unavailable: Whole | None = _setting(
        None,
        "Most replicas of a whole project that may be away while it rolls.",
        flag="--max-unavailable",
        shown="the services' own",
    )
    max_removed: Share = _setting(
        _OURS.max_removed,
        "Largest share of a project's services that one pass removes without `--allow-empty`; three may always go.",
    )
    history: Whole = _setting(_OURS.history, "How many rollouts of a project are kept.")
    age_identity_file: File = _setting("", "File with the age identity that reads secrets encrypted in a repository.")
    hash_key_file: File = _setting("", "File whose content keys the hashes of definitions.", shown="the engine's id")
    log: Log = Log()


@dataclass(frozen=True)
class Key:
    """One key of a file: where it stands, and what is declared of it."""

    path: tuple[str, ...]
    field: FieldInfo
    variable: str

    @property
    def dotted(self) -> str:
        """As documentation and `Settings.places` write it."""
        return ".".join(self.path)

    @property
    def flag(self) -> str:
        """Its flag on the command line; "" where it has none."""
        return str(self._extra.get("flag", ""))

    @property
    def shown(self) -> str:
        """How its default is described, where that is not a value; "" otherwise."""
        return str(self._extra.get("shown", ""))

    @property
    def is_path(self) -> bool:
        """Whether a relative value begins somewhere."""
        return PATH in self.field.metadata

    @property
    def _extra(self) -> dict[str, Any]:
        extra = self.field.json_schema_extra
        return dict(extra) if isinstance(extra, dict) else {}


@cache
def keys(model: type[Section] = Top, prefix: str = PREFIX) -> tuple[Key, ...]:
    """Every key of a section and of the sections in it, in order; those of lists of sections excepted.

    Its variable begins with `prefix`; without one no key has any.
    """
    return tuple(_keys(model, prefix, ()))


def git_keys() -> tuple[Key, ...]:
    """The keys of a source that is a repository."""
    return keys(Git, GIT)


def _keys(model: type[Section], prefix: str, above: tuple[str, ...]) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        path = (*above, name)
        inner = next((one for one in flat(field.annotation) if is_section(one)), None)
        if inner:
            yield from _keys(inner, prefix, path)
        else:
            yield Key(path, field, _variable(path, field, prefix))


def _variable(path: tuple[str, ...], field: FieldInfo, prefix: str) -> str:
    extra = field.json_schema_extra
    if path == ("git",):
        return f"{prefix}URL"
    if not prefix or not isinstance(extra, dict) or not extra["variable"]:
        return ""
    return prefix + "_".join(path).upper()
