"""Judge one container that carries the desired hash: is it up, on its way, or lost? First match wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from reconciler.model import labels
from reconciler.model.keys import container_key, up_key
from reconciler.model.memory import Memory
from reconciler.model.observed import Container, json_value
from reconciler.model.operation import Difference
from reconciler.model.project import Service
from reconciler.planner.drift import in_place_changes, written_paths
from reconciler.planner.images import BoundImage
from reconciler.planner.networks import Networks

NANOSECONDS = 1e9
INTERVAL, RETRIES, TIMEOUT = 30.0, 3, 30.0  # Engine API: what a health check has where it does not say
LONGEST_MONITOR = 30.0
ENDED_BY_ENGINE = {0, 137, 143, 255}
MONITOR_WITHOUT_HEALTH = 5.0
AFTER_RESTART = 10.0  # what the engine restarts by itself may be in a crash loop


class State(Enum):
    """What a slot's current container is doing."""

    EMPTY = "nothing with the desired definition, or lost"
    FAILED = "tried and did not come up"
    STOPPED = "stopped to make room for another definition"
    CREATED = "created, not started"
    WAITING = "started, not up yet"
    UNNAMED = "up, not answering to its service's name yet"
    READY = "up, or a job that completed"


@dataclass(frozen=True)
class Verdict:
    """How a container is judged: its state, why, when time alone will change it, and since when it has been up.

    `drift` says what somebody changed by hand, where that is why it is lost.
    """

    state: State
    reason: str = ""
    ready_at: float = 0.0
    up_at: float = 0.0
    drift: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class Gate:
    """What the replicas of a definition must pass, and what is known of them.

    `monitor` is in seconds. `joined` maps HostConfig fields to the containers whose namespaces are shared now.
    `outdated_before` is when a dependency with `restart: true` was replaced (engine time), `outdated_by` its name.
    `inflight` are ids of operations under way.
    """

    service: Service
    spec_hash: str
    memory: Memory
    now: float
    monitor: float = 0.0
    joined: Mapping[str, str] = field(default_factory=dict)
    outdated_before: float = 0.0
    outdated_by: str = ""
    mutations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    swap_limited: bool = False
    inflight: frozenset[str] = frozenset()
    networks: Networks = field(default_factory=Networks)

    @property
    def stable(self) -> bool:
        """Whether every replica came up with it before: one that is lost now is no failed rollout."""
        stable = self.memory.stable.get(self.service.name)
        return stable is not None and stable.spec_hash == self.spec_hash

    @property
    def known_slots(self) -> range:
        """The slots that had come up with it: one that is empty now was emptied by somebody."""
        return range(1, self.memory.stable[self.service.name].service.replicas + 1 if self.stable else 1)

    @property
    def known_bad(self) -> bool:
        """Whether the definition is in quarantine."""
        return (self.service.name, self.spec_hash) in self.memory.failures


def monitor_seconds(service: Service, image: BoundImage) -> float:
    """How long a new replica is watched once it came up: as the spec says, else as long as its health check needs."""
    if service.rollout.monitor is not None:
        return service.rollout.monitor
    check = health_check(service, image)
    return MONITOR_WITHOUT_HEALTH if check is None else _until_unhealthy(check)


def watched_too_briefly(service: Service, image: BoundImage) -> str:
    """Why `monitor` is too short for the health check that the image brings along; "" where it is not.

    That of the spec itself is judged where the spec is read.
    """
    check = None if service.container.get("Healthcheck") else health_check(service, image)
    monitor, needed = service.rollout.monitor, _until_unhealthy(check) if check else 0.0
    if not monitor or monitor >= needed:
        return ""
    return f"monitor of {monitor:g} s is too short: the image's health check may take {needed:g} s to say unhealthy"


def _until_unhealthy(check: Mapping[str, Any]) -> float:
    """Seconds that a health check needs to say unhealthy, at most 30."""
    interval = (check.get("Interval") or 0) / NANOSECONDS or INTERVAL
    timeout = (check.get("Timeout") or 0) / NANOSECONDS or TIMEOUT
    return min(interval * (check.get("Retries") or RETRIES) + timeout, LONGEST_MONITOR)


def health_check(service: Service, image: BoundImage) -> Mapping[str, Any] | None:
    """The health check that its containers have (Engine API, HealthConfig), the image's where the spec has none."""
    own = service.container.get("Healthcheck") or {}
    inherited = json_value(image.image.config, "Healthcheck") if image.image else None
    found = {**(inherited or {}), **own}
    test = found.get("Test") or []
    return found if test and test[0] != "NONE" else None


def judge(gate: Gate, container: Container, others: tuple[Container, ...] = ()) -> Verdict:
    """Judge a container of the desired hash; `others` are the rest of its slot.

    EMPTY means that it must be replaced by its equal. FAILED, that it must not: a rollout brought it up.
    """
    networks = left_behind(gate, container)
    if networks:
        reason = f"has to join {', '.join(networks)} anew"
        return Verdict(State.EMPTY, reason, drift=gate.networks.cause(networks))
    if _made_room(gate, container, others):
        return Verdict(State.STOPPED, "was stopped to make room")
    trouble, drift = _trouble(gate, container)
    if trouble:
        lost = bool(drift) or _is_loss(gate, container)
        return Verdict(State.EMPTY if lost else State.FAILED, trouble, drift=drift)
    if container.status == "created":
        return Verdict(State.CREATED)
    if gate.service.job:
        ends_at = container.started_at + gate.service.rollout.progress_deadline
        return Verdict(State.READY if container.status == "exited" else State.WAITING, ready_at=ends_at)
    return _gate(gate, container, others)


def left_behind(gate: Gate, container: Container) -> tuple[str, ...]:
    """The networks for whose sake the container has to be replaced, as `Networks.left_behind`.

    What ended by itself, and may, is not run again; a job goes on where it began.
    """
    if gate.service.job and container.started_at:
        return ()
    slot = (gate.service.name, int(container.labels.get(labels.SLOT) or 0))
    ended = container.status == "exited" and _may_end(gate, container) and slot not in gate.memory.causes
    away = container_networks_away(gate.memory, container)
    leaving = tuple(name for name in away if name in gate.networks.changed)
    return () if ended else (*leaving, *gate.networks.left_behind(gate.service, container))


def describe_exit(container: Container) -> str:
    """How a container ended, in the words of `docker ps`."""
    if container.error:
        return f"could not start: {container.error}"
    killed = ", out of memory" if container.oom_killed else ""
    return f"exited ({container.exit_code}{killed})"


def _is_loss(gate: Gate, container: Container) -> bool:
    """Whether a container in trouble is a replica that was lost, and not a rollout that failed."""
    if gate.stable:
        return True
    ended_unseen = container.name in gate.memory.earlier and _may_have_ended_with_its_engine(gate, container)
    return not gate.known_bad and (ended_unseen or not _attempted(gate, container))


def _may_have_ended_with_its_engine(gate: Gate, container: Container) -> bool:
    """Whether an engine that stops, or was killed, leaves a container like this: ended by a signal, or half started."""
    half_started = bool(container.error or _start_failed(gate, container))
    ended = container.status in {"exited", "dead"} and container.exit_code in ENDED_BY_ENGINE
    return half_started or (ended and not container.oom_killed)


def _start_failed(gate: Gate, container: Container) -> str:
    """Why a start of it failed in this run, "" where none did."""
    return gate.memory.failed_operations.get(_start_id(container), "") if not container.occupied else ""


def _start_id(container: Container) -> str:
    return f"container.start:{container_key(container)}"


def _attempted(gate: Gate, container: Container) -> bool:
    return container.name in gate.memory.attempted


def _made_room(gate: Gate, container: Container, others: tuple[Container, ...]) -> bool:
    """Whether it was stopped for another definition's sake, and not tried again since: it can be started again."""
    tried = _attempted(gate, container) and _start_id(container) not in gate.inflight
    if gate.service.job or container.status != "exited" or tried or _joins_another(gate, container):
        return False
    return any(
        other.created_at > container.created_at and other.labels.get(labels.SPEC_HASH) != gate.spec_hash
        for other in others
    )


def _joins_another(gate: Gate, container: Container) -> bool:
    return any(
        container.host_config.get(name) != f"container:{container_id}" for name, container_id in gate.joined.items()
    )


def _trouble(gate: Gate, container: Container) -> tuple[str, tuple[Difference, ...]]:
    """Why the container is no good, and what somebody changed about it; "" where nothing is wrong."""
    half_started = _start_failed(gate, container) if container.name in gate.memory.earlier else ""
    if half_started:
        return f"could not start: {half_started}", ()
    if gate.service.job:
        return _job_trouble(gate, container), ()
    dead = _dead(container)
    if dead:
        done = container.status == "exited" and _may_end(gate, container)
        return ("" if done else dead), ()
    sick = _sick(gate, container)
    if sick:
        return sick, ()
    drift = _drift(gate, container)
    return "; ".join(f"{item.field}: {item.reason}" for item in drift), drift


def _may_end(gate: Gate, container: Container) -> bool:
    """`restart_policy.condition`: whether a replica that ended like this is left as it is (Compose Spec, Deploy)."""
    condition = gate.service.restart.condition
    return gate.stable and (condition == "none" or (condition == "on-failure" and container.exit_code == 0))


def _job_trouble(gate: Gate, container: Container) -> str:
    if container.status == "exited" and container.exit_code == 0:
        return ""
    deadline = gate.service.rollout.progress_deadline
    if container.running and min(gate.now, container.seen_at) >= container.started_at + deadline:
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


def _sick(gate: Gate, container: Container) -> str:
    in_rollout = _attempted(gate, container) and not gate.stable
    if container.status == "restarting" or (in_rollout and container.restart_count):
        return f"keeps restarting ({container.restart_count} times, last {describe_exit(container)})"
    if container.health == "unhealthy":
        output = f": {container.health_output}" if container.health_output else ""
        return f"unhealthy{output}"
    deadline = gate.service.rollout.progress_deadline
    if container.health == "starting" and min(gate.now, container.seen_at) >= container.started_at + deadline:
        return f"not healthy within {deadline:g} s"
    return ""


def _drift(gate: Gate, container: Container) -> tuple[Difference, ...]:
    if gate.outdated_before > container.created_at > 0:
        field = f"depends_on.{gate.outdated_by}.restart"
        source = gate.service.source(field)
        return (Difference(field, None, None, source, f"{gate.outdated_by} was replaced"),)
    if _joins_another(gate, container):
        return (Difference("shares", None, None, gate.service.source(), "the container that it joined is another one"),)
    if container.status != "running":
        return ()
    return (*_changed_by_hand(gate, container), *_written_by_hand(gate, container))


def _changed_by_hand(gate: Gate, container: Container) -> tuple[Difference, ...]:
    return changed_by_hand(gate, container) if gate.service.mutation.config == "replace" else ()


def changed_by_hand(gate: Gate, container: Container) -> tuple[Difference, ...]:
    """What somebody changed about a container in place; a network that it left at our own request is none of it."""
    away = container_networks_away(gate.memory, container)
    named = gate.service.rollout.publish == "immediate" or (gate.stable and not _attempted(gate, container))
    found = in_place_changes(gate.service, container, gate.memory.made, swap_limited=gate.swap_limited, named=named)
    return tuple(item for item in found if not (item.field == "networks" and away))


def _written_by_hand(gate: Gate, container: Container) -> tuple[Difference, ...]:
    if gate.service.mutation.filesystem != "replace":
        return ()
    paths = written_paths(gate.service, container, gate.mutations, gate.memory.baselines)
    source = gate.service.source("x-reconcile.mutation.filesystem")
    return (Difference("filesystem", list(paths), None, source, f"{paths[0]} was written to"),) if paths else ()


def container_networks_away(memory: Memory, container: Container) -> tuple[str, ...]:
    """The networks that the container has left for a moment at our own request, to come back under other names."""
    prefix = f"{container.id}:"
    ours = (key.removeprefix(prefix) for key in memory.addresses if key.startswith(prefix))
    return tuple(network for network in ours if network not in container.networks)


def _gate(gate: Gate, container: Container, others: tuple[Container, ...]) -> Verdict:
    if container.status == "exited":
        return Verdict(State.READY, describe_exit(container))
    rollout = gate.service.rollout
    if container.health == "starting":
        return Verdict(State.WAITING, "healthy", container.started_at + rollout.progress_deadline)
    least = max(rollout.min_running, AFTER_RESTART) if container.restart_count else rollout.min_running
    running_at = container.started_at + least
    if container.health is None and container.seen_at < running_at:
        return Verdict(State.WAITING, f"running for {least:g} s", running_at)
    up_at = gate.memory.up.get(up_key(container), container.seen_at)
    watched_until = up_at + gate.monitor
    if _is_watched(gate, container, others) and container.seen_at < watched_until:
        return Verdict(State.WAITING, f"{gate.monitor:g} s without trouble", watched_until, up_at)
    return Verdict(State.READY if _named(gate, container) else State.UNNAMED, up_at=up_at)


def _named(gate: Gate, container: Container) -> bool:
    """Whether it answers to its service's name on every network, or is not to be given it (`publish`)."""
    wanted = gate.service.networks if gate.service.rollout.publish == "healthy" else ()
    present = [container.networks.get(item.network) for item in wanted]
    return all(endpoint and gate.service.name in endpoint.aliases for endpoint in present)


def _is_watched(gate: Gate, container: Container, others: tuple[Container, ...]) -> bool:
    """Whether a rollout under way put it in the place of another definition's container, which waits till it passed."""
    if gate.stable and not _attempted(gate, container):
        return False
    slot = int(container.labels.get(labels.SLOT) or 0)
    removed = (gate.service.name, slot) in gate.memory.removed
    return removed or any(other.labels.get(labels.SPEC_HASH) != gate.spec_hash for other in others)
