"""What happened to a service: one record per rollout, kept by `store`, shown by `history` and `why`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler.model.memory import Failure, Stable
from reconciler.model.operation import Difference
from reconciler.model.revision import Revision
from reconciler.model.step import Condition, ServiceStatus

Trigger = Literal["spec", "image", "dependency", "drift", "rollback", "retry"]
Verdict = Literal["running", "completed", "rolled back", "paused", "failed", "interrupted"]
Action = Literal["suspend", "resume", "sync", "retry", "rollback", "down", "volume.remove"]


@dataclass(frozen=True)
class ReplicaRecord:
    """One replica's part in a rollout. Times are the engine's, in seconds since the epoch; 0.0: not so far.

    `container` is its container's name, `id` the engine's id of it. `gate` is what it had to pass (`healthy`,
    `weak gate: running for 5 s`, `completed`), `verdict` how that ended (`up`, else the trouble in words).
    """

    slot: int
    container: str
    gate: str
    created_at: float = 0.0
    started_at: float = 0.0
    up_at: float = 0.0
    old_stopped_at: float = 0.0
    verdict: str = ""
    id: str = ""


@dataclass(frozen=True)
class RolloutRecord:
    """One rollout of one service.

    `number` is the store's own, growing. `revision` is the service's revision that it made stable (0: none), and
    `source_revision` the state of the source that its spec was read from. `batches` are the slots replaced together, in
    order. `logs` are the last lines of the container that failed, without secrets. `taken_up` is when later runs went
    on with it after one that was cut off, `notes` what else went wrong and did not end it, such as a drain that failed,
    each with its replica and container.
    """

    number: int
    project: str
    service: str
    trigger: Trigger
    cause: tuple[Difference, ...]
    order: str
    began_at: float
    ended_at: float = 0.0
    verdict: Verdict = "running"
    message: str = ""
    revision: int = 0
    source_revision: Revision | None = None
    spec_hash: str = ""
    image: str = ""
    digest: str = ""
    batches: tuple[tuple[ReplicaRecord, ...], ...] = ()
    failure: Failure | None = None
    logs: str = ""
    taken_up: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ActionRecord:
    """What a person asked for: when (`at`, engine time in seconds since the epoch), who, and of which service.

    `service` is "" where it is about the whole project; `detail` says the rest: a reason, a revision, a volume.
    """

    at: float
    by: str
    action: Action
    service: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Explanation:
    """The present state of one service, explained (`why`).

    `last` is its last rollout, `waits_until` the engine time (seconds since the epoch) of the next thing that time
    alone will bring about, `next_steps` commands or edits by which a person goes on.
    """

    project: str
    status: ServiceStatus
    conditions: tuple[Condition, ...] = ()
    last: RolloutRecord | None = None
    quarantine: Failure | None = None
    stable: Stable | None = None
    pending: tuple[Difference, ...] = ()
    waits_until: float | None = None
    next_steps: tuple[str, ...] = ()
