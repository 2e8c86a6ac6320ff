"""Sort a service's containers into slots, and each slot into exactly one state. First match wins."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from reconciler.model import labels
from reconciler.model.memory import Memory
from reconciler.model.observed import Container
from reconciler.model.project import Service


class State(Enum):
    """What a slot's current container is doing. The order of this table is the order of the rules in `judge`."""

    EMPTY = "nothing with the desired definition"
    FAILED = "tried and did not come up"
    CREATED = "created, not started"
    WAITING = "started, not up yet"
    READY = "up, or a job that completed"


@dataclass(frozen=True)
class Slot:
    """One replica's place: `current` has the desired hash and is no loss; `others` are the rest, newest first."""

    number: int
    state: State
    current: Container | None = None
    others: tuple[Container, ...] = ()
    reason: str = ""
    ready_at: float = 0.0

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
        under_way = self.state in {State.CREATED, State.WAITING} and bool(self.others)
        return under_way or (self.state is State.READY and bool(self.occupied_others))

    @property
    def settled(self) -> bool:
        """Whether the current container is up and nothing else runs in its place."""
        return self.state is State.READY and not self.occupied_others


@dataclass(frozen=True)
class Verdict:
    """How a container with the desired hash is judged: its state, why, and when time alone will change it."""

    state: State
    reason: str = ""
    ready_at: float = 0.0


def slot_number(container: Container) -> int:
    """The slot on the container's label; 0 where it is not a number."""
    text = container.labels.get(labels.SLOT, "")
    return int(text) if text.isdigit() else 0


def make_slot(
    service: Service, number: int, containers: list[Container], desired_hash: str, memory: Memory, now: float
) -> Slot:
    """The slot as it is now, out of all containers that carry its number."""
    newest_first = sorted(containers, key=lambda item: (item.created_at, item.id), reverse=True)
    same = [item for item in newest_first if item.labels.get(labels.SPEC_HASH) == desired_hash]
    current = same[0] if same else None
    if current is None:
        return Slot(number, State.EMPTY, others=tuple(newest_first))
    others = tuple(item for item in newest_first if item is not current)
    verdict = judge(service, current, memory, now)
    if verdict.state is State.EMPTY:
        return Slot(number, State.EMPTY, others=tuple(newest_first), reason=verdict.reason)
    return Slot(number, verdict.state, current, others, verdict.reason, verdict.ready_at)


def judge(service: Service, container: Container, memory: Memory, now: float) -> Verdict:
    """Judge a container that carries the desired hash. EMPTY means that it must be replaced by its equal.

    FAILED, that it must not: this run brought it up, or its definition is known to be bad.
    """
    attempted = container.name in memory.attempted
    known_bad = (service.name, container.labels.get(labels.SPEC_HASH, "")) in memory.failures
    trouble = (
        _job_trouble(service, container, now)
        if service.job
        else _trouble(service, container, attempted=attempted, now=now)
    )
    if trouble:
        return Verdict(State.FAILED if attempted or known_bad else State.EMPTY, trouble)
    if container.status == "created":
        return Verdict(State.CREATED)
    if service.job:
        ends_at = container.started_at + service.rollout.progress_deadline
        return Verdict(State.READY if container.status == "exited" else State.WAITING, ready_at=ends_at)
    return _gate(service, container)


def describe_exit(container: Container) -> str:
    """How a container ended, in the words of `docker ps`."""
    if container.error:
        return f"could not start: {container.error}"
    killed = ", out of memory" if container.oom_killed else ""
    return f"exited ({container.exit_code}{killed})"


def _job_trouble(service: Service, container: Container, now: float) -> str:
    if container.status == "exited" and container.exit_code == 0:
        return ""
    deadline = service.rollout.progress_deadline
    if container.running and min(now, container.seen_at) >= container.started_at + deadline:
        return f"did not complete within {deadline:g} s"
    return _dead(container)


def _dead(container: Container) -> str:
    if container.status in {"exited", "dead"}:
        return describe_exit(container)
    if container.status == "created" and container.error:
        return describe_exit(container)
    if container.status == "removing":
        return "is being removed"
    return "paused" if container.status == "paused" else ""


def _trouble(service: Service, container: Container, *, attempted: bool, now: float) -> str:
    dead = _dead(container)
    if dead:
        return dead
    if container.status == "restarting" or (attempted and container.restart_count):
        return f"keeps restarting ({container.restart_count} times, last {describe_exit(container)})"
    if container.health == "unhealthy":
        output = f": {container.health_output}" if container.health_output else ""
        return f"unhealthy{output}"
    if container.status == "running" and network_drift(service, container):
        return network_drift(service, container)
    deadline = service.rollout.progress_deadline
    if container.health == "starting" and min(now, container.seen_at) >= container.started_at + deadline:
        return f"not healthy within {deadline:g} s"
    return ""


def network_drift(service: Service, container: Container) -> str:
    """Which networks somebody connected a running container to, or disconnected it from, in words."""
    wanted, found = {item.network for item in service.networks}, set(container.networks)
    if not wanted or wanted == found:
        return ""
    lost, added = ", ".join(sorted(wanted - found)), ", ".join(sorted(found - wanted))
    told = (f"disconnected from {lost}" if lost else "", f"connected to {added}" if added else "")
    return " and ".join(part for part in told if part) + " by hand"


def _gate(service: Service, container: Container) -> Verdict:
    if container.health == "starting":
        return Verdict(State.WAITING, "healthy", container.started_at + service.rollout.progress_deadline)
    if container.health == "healthy":
        return Verdict(State.READY)
    up_at = container.started_at + service.rollout.min_running
    if container.seen_at < up_at:
        return Verdict(State.WAITING, f"running for {service.rollout.min_running:g} s", up_at)
    return Verdict(State.READY)
