"""What a project needs, run through to its end on a simulated engine before anything real is touched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.admission import Gate
from reconciler.controller import Outcome
from reconciler.errors import PolicyError
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.step import Step
from reconciler.observer import Observer
from reconciler.planner.plan import plan
from reconciler.policy.resolve import Policy


@dataclass(frozen=True)
class Foresight:
    """The first step, how it all ends after so many `seconds` of waiting, and what the policy denied on the way.

    `memory` is what the first step was planned with.
    """

    memory: Memory
    first: Step
    outcome: Outcome
    seconds: float = 0.0
    refused: tuple[PolicyError, ...] = ()

    @property
    def given_up(self) -> frozenset[str]:
        """The services of which some definition is not tried any more."""
        known = {service for service, _ in (*self.memory.quarantined, *self.memory.denied)}
        return frozenset(known | {item.service for item in self.first.failures})


def foresee(
    desired: Desired,
    observer: Observer,
    memory: Memory,
    now: Callable[[], float],
    policy: Policy,
    *,
    keep_up: bool,
) -> Foresight:
    """Plan, and simulate where there is anything to do; `now` is the engine's time in seconds since the epoch.

    `keep_up`: what the policy denies of a service is left out, so that the others are looked after.
    """
    observed = observer.observed()
    at = now()
    first = plan(desired, observed, memory, at)
    if first.empty:
        return Foresight(memory, first, Outcome(first, memory))
    from reconciler.forecast import simulate, with_refusals

    gate = Gate(policy)
    outcome, seconds = simulate(desired, observer, memory, first, at, gate)
    known = with_refusals(memory, outcome) if keep_up else memory
    if known is memory:
        return Foresight(memory, first, outcome, seconds, tuple(gate.refused.values()))
    return foresee(desired, observer, known, now, policy, keep_up=True)
