"""What the planner says: operations, conditions, the state of each service, and what is worth remembering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler.model.memory import Failure, Stable
from reconciler.model.operation import Operation
from reconciler.model.project import Notice

ConditionType = Literal["Ready", "Reconciling", "Stalled"]


@dataclass(frozen=True)
class Condition:
    """A statement about a project or one of its services, in controller-runtime's words."""

    type: ConditionType
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    service: str | None = None
    source: str = ""

    @property
    def stalls(self) -> bool:
        """Whether a person has to act; what only informs (`Reconciling` is `False`: `Suspended`) is no failure."""
        return self.type == "Stalled" and self.status == "True"


@dataclass(frozen=True)
class ServiceStatus:
    """One service's line in `status`. `message` says why when something is off; `waiting` what it waits for now.

    `protection` says what keeps requests from being lost while it rolls, `gate` what a replica must pass. `mutated` are
    paths in writable layers that somebody wrote to after a replica came up, as `web/1: /etc/app.conf`.
    """

    name: str
    desired: int
    running: int
    healthy: int
    up_to_date: int
    image: str
    digest: str
    health: str
    sync: str
    reason: str = ""
    message: str = ""
    waiting: str = ""
    order: str = ""
    order_reason: str = ""
    protection: str = ""
    gate: str = ""
    mutated: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """The planner's answer. Empty when there is nothing to do and nothing to wait for.

    `wake_at` is the engine time (seconds since the epoch) at which to plan again even if nothing happens, after reading
    the containers `look_at` again; `retry_at` the time at which something given up for now may be tried again, which
    nobody waits for. `up` are replicas that were seen up for the first time: container id and when. `stable` are the
    services that run what the spec asks for.
    """

    operations: tuple[Operation, ...] = ()
    wake_at: float | None = None
    look_at: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    services: tuple[ServiceStatus, ...] = ()
    failures: tuple[Failure, ...] = ()
    notices: tuple[Notice, ...] = ()
    retry_at: float | None = None
    up: tuple[tuple[str, float], ...] = ()
    stable: tuple[Stable, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is left to do or to wait for."""
        return not self.operations and self.wake_at is None

    @property
    def stalled(self) -> tuple[Condition, ...]:
        """The conditions by which something failed or is blocked."""
        return tuple(condition for condition in self.conditions if condition.stalls)
