"""What a command found out or did, ready to be rendered: built by `app`, read by `cli`, never printed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reconciler.model.desired import Held
from reconciler.model.history import ActionRecord, Explanation, RolloutRecord
from reconciler.model.memory import Failure
from reconciler.model.observed import EngineInfo
from reconciler.model.operation import Operation
from reconciler.model.project import Notice
from reconciler.model.revision import Revision
from reconciler.model.step import Condition, ServiceStatus


@dataclass(frozen=True)
class Adoption:
    """What is taken over from `docker compose` as it is: replicas (service, slot, container), networks and volumes."""

    replicas: tuple[tuple[str, int, str], ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is."""
        return not (self.replicas or self.networks)


@dataclass(frozen=True)
class ProjectReport:
    """One project on one engine.

    In a plan (`--dry-run`, and before every converge) `operations` are the forecast to its fixed point, in the order in
    which the controller submits them, and `services` the state now; after a converge `operations` are the ones carried
    out and `services` the state at the end. `converges` says that the forecast ended with nothing left to do (always
    true of what needs nothing); `in_sync` that there is nothing to do. `succeeded` is the verdict of a converge (and
    equals `converges` in a plan). `unknown` names per service what only the pull or build will tell.
    `logs` holds the last lines of failed containers, by container name. `expected_seconds` is how long the forecast's
    gates, delays and drains take at least, pulls and builds not counted. `adoption` is what a run with `--adopt` keeps.
    `revision` is the state of the source that its spec was read from, None where nobody followed one.
    """

    name: str
    engine: EngineInfo | None
    operations: tuple[Operation, ...] = ()
    services: tuple[ServiceStatus, ...] = ()
    conditions: tuple[Condition, ...] = ()
    failures: tuple[Failure, ...] = ()
    failed_operations: tuple[tuple[str, str], ...] = ()
    in_sync: bool = False
    converges: bool = False
    succeeded: bool = False
    fingerprint: str = ""
    duration: float = 0.0
    unknown: tuple[tuple[str, str], ...] = ()
    logs: tuple[tuple[str, str], ...] = ()
    notices: tuple[Notice, ...] = ()
    source: str = ""
    expected_seconds: float = 0.0
    adoption: Adoption = Adoption()
    revision: Revision | None = None


@dataclass(frozen=True)
class Report:
    """A whole run over one or more projects. `errors` are refusals and failures that belong to no project's plan."""

    command: Literal["plan", "converge", "status"]
    projects: tuple[ProjectReport, ...] = ()
    warnings: tuple[Notice, ...] = ()
    errors: tuple[Notice, ...] = ()
    refused: bool = False
    failed: bool = False

    @property
    def revision(self) -> str | None:
        """The commit that all projects are of; None where they are of several, or one is of none."""
        commits = {project.revision.commit if project.revision else "" for project in self.projects}
        return next(iter(commits)) or None if len(commits) == 1 else None

    @property
    def pending(self) -> bool:
        """Whether any project has something to do."""
        return any(not project.in_sync for project in self.projects)


@dataclass(frozen=True)
class History:
    """The rollouts of projects, by their names, and what persons asked for; `errors` are specs that name no project."""

    projects: tuple[tuple[str, tuple[RolloutRecord, ...]], ...]
    actions: Mapping[str, tuple[ActionRecord, ...]] = field(default_factory=dict)
    warnings: tuple[Notice, ...] = ()
    errors: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class Answer:
    """One service explained; `errors` are other projects' invalid specs."""

    explanation: Explanation
    warnings: tuple[Notice, ...] = ()
    errors: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class Activity:
    """One live progress event of a converge, for the terminal.

    `state` of an operation is `started`, `finished` or `failed`; `text` is a line of pull or build output, or a waiting
    service's state (`waiting for healthy 2/3`), with `state` `progress`. `seconds` since the converge began.
    """

    project: str
    service: str | None
    state: Literal["started", "finished", "failed", "progress"]
    text: str
    seconds: float
    operation: Operation | None = None


@dataclass(frozen=True)
class ImageRow:
    """One service of `reconcile images`: references as `name:tag@digest` where a digest is known.

    `written` is the spec's, `resolved` what the service is to run, `running` what its containers run, `available` the
    newest that may be followed (or that stands under the tag), "" where no registry was asked or has it; `held` says
    why that is not what it is to run, `error` why a registry has no answer.
    """

    project: str
    service: str
    written: str
    policy: str
    resolved: str
    running: tuple[str, ...] = ()
    available: str = ""
    held: tuple[Held, ...] = ()
    error: str = ""
    source: str = ""
