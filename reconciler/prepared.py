"""What a session has found out of a project before it touches anything: the forecast, and the lock that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

from reconciler.controller import Outcome
from reconciler.errors import PolicyError
from reconciler.files.trees import Tree
from reconciler.model.desired import Desired
from reconciler.model.history import Trigger
from reconciler.model.memory import Memory
from reconciler.model.report import ProjectReport
from reconciler.model.step import Step
from reconciler.observer import Observer
from reconciler.resolving import Resolution


@dataclass(frozen=True)
class Forecast:
    """A project's forecast and what it was made from.

    One that was made by `Session.prepare` holds the project's lock until it is carried out or released: a context
    manager, in whichever thread. `triggers` and `by_hand` are what people asked for since the forecast before it.
    `refused` is what the policy denies of it, `trees` what has to be copied before anything begins.
    """

    report: ProjectReport
    desired: Desired
    observer: Observer
    memory: Memory
    first: Step
    resolution: Resolution
    refused: tuple[PolicyError, ...] = ()
    trees: tuple[Tree, ...] = ()
    triggers: Mapping[str, Trigger] = field(default_factory=dict)
    by_hand: frozenset[str] = frozenset()
    held: ExitStack = field(default_factory=ExitStack, repr=False, compare=False)

    @property
    def has_work(self) -> bool:
        """Whether carrying it out means to change something or to wait for it, which may take long."""
        return self.report.converges and not (self.first.empty and not self.first.failures)

    def release(self) -> None:
        """Give the project's lock back. Once is enough."""
        self.held.close()

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the project's lock back."""
        self.release()


def as_asked(forecast: Forecast, succeeded: bool, outcome: Outcome | None = None) -> bool:  # noqa: FBT001
    """Whether all went well, where a service that a person had rolled back is well where it was sent."""
    conditions = [item for item in (outcome.step.conditions if outcome else forecast.report.conditions) if item.stalls]
    sent = {item.service for item in conditions if item.reason == "RolledBack"} & forecast.by_hand
    if not sent or (outcome and (outcome.stopped or outcome.timed_out or outcome.endless)):
        return succeeded
    failures = outcome.failures if outcome else forecast.report.failures
    return all(item.service in sent for item in conditions) and all(item.service in sent for item in failures)
