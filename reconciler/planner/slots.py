"""Sort a service's containers into slots, and each slot into exactly one state."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model import labels
from reconciler.model.keys import up_key
from reconciler.model.observed import Container
from reconciler.model.operation import Difference
from reconciler.planner.gates import Gate, State, judge

__all__ = ["Slot", "State", "make_slot", "slot_number"]


@dataclass(frozen=True)
class Slot:
    """One replica's place: `current` has the desired hash and is no loss; `others` are the rest, newest first.

    `up_at` is since when the current one has been up (engine time), `ready_at` when time alone changes its state.
    `drift` says what somebody changed by hand about the one that was lost.
    """

    number: int
    state: State
    current: Container | None = None
    others: tuple[Container, ...] = ()
    reason: str = ""
    ready_at: float = 0.0
    up_at: float = 0.0
    drift: tuple[Difference, ...] = ()

    @property
    def occupied_others(self) -> tuple[Container, ...]:
        """The others that still hold their ports and names."""
        return tuple(other for other in self.others if other.occupied)

    @property
    def previous(self) -> Container | None:
        """The container that a new one replaces: one that runs, else the newest that ever ran, else the newest."""
        started = [other for other in self.others if other.started_at > 0]
        return next(iter([*self.occupied_others, *started, *self.others]), None)

    @property
    def replacing(self) -> bool:
        """Whether a replacement is under way here: the new one is not up yet, or the old one still runs."""
        if self.state in {State.CREATED, State.WAITING, State.UNNAMED}:
            return bool(self.others)
        return (self.state is State.READY and bool(self.occupied_others)) or self._between

    @property
    def _between(self) -> bool:
        """Whether the new one has stopped and the old one, which comes back, has not started yet."""
        return self.state is State.STOPPED and not self.occupied_others

    @property
    def settled(self) -> bool:
        """Whether the current container is up and nothing else runs in its place."""
        return self.state is State.READY and not self.occupied_others

    @property
    def first_seen_up(self) -> tuple[str, float] | None:
        """What to remember of a replica that came up: which life of it, and when."""
        return (up_key(self.current), self.up_at) if self.current and self.up_at else None


def slot_number(container: Container) -> int:
    """The slot on the container's label; 0 where it is not a number."""
    text = container.labels.get(labels.SLOT, "")
    return int(text) if text.isdigit() else 0


def make_slot(gate: Gate, number: int, containers: list[Container]) -> Slot:
    """The slot as it is now, out of all containers that carry its number."""
    newest_first = sorted(containers, key=lambda item: (item.created_at, item.id), reverse=True)
    same = [item for item in newest_first if item.labels.get(labels.SPEC_HASH) == gate.spec_hash]
    current = same[0] if same else None
    if current is None:
        return Slot(number, _without_container(gate), others=tuple(newest_first))
    others = tuple(item for item in newest_first if item is not current)
    found = judge(gate, current, others)
    if found.state is State.EMPTY:
        return Slot(number, State.EMPTY, others=tuple(newest_first), reason=found.reason, drift=found.drift)
    return Slot(number, found.state, current, others, found.reason, found.ready_at, found.up_at)


def _without_container(gate: Gate) -> State:
    """A job runs once per definition: one that completed is not run again because its container was removed."""
    return State.READY if gate.service.job and gate.stable else State.EMPTY
