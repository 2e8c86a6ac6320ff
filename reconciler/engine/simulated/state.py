"""What a simulated engine holds: containers, networks, volumes and images as raw Engine API JSON, found by reference.

The other modules of this package change it; nobody outside sees it but through `SimulatedEngine`.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from reconciler.engine.events import ACTIONS
from reconciler.engine.simulated.behaviour import Behaviour, Behaviours, Costs
from reconciler.engine.simulated.clock import VirtualClock
from reconciler.errors import EngineError
from reconciler.model.observed import EngineInfo, RegistryAnswer

Document = dict[str, Any]
_Held = TypeVar("_Held")

BAD_REQUEST = 400
FORBIDDEN = 403
NOT_FOUND = 404
CONFLICT = 409
SERVER_ERROR = 500

EVENTS_KEPT = 4096

OCCUPIED = frozenset({"running", "paused"})
LIVE = frozenset({"running", "paused", "restarting"})


@dataclass
class Box:
    """One container: its inspect JSON, and what drives it.

    `row` is the list row it was seeded with, `changed` whether anything happened to it since; `inspected` is false for
    a container known from its row alone. `exit_at`, `probe_at` and `restart_at` are the virtual times of its next
    spontaneous changes; `remaining` is what a paused process had left to run. `written` maps the paths of its writable
    layer to their `Kind` in GET /containers/{id}/changes; `exit_code` is what it will end with at `exit_at`, where that
    is not its behaviour's.
    """

    document: Document
    behaviour: Behaviour = field(default_factory=Behaviour)
    row: Document | None = None
    changed: bool = False
    inspected: bool = True
    stopped_by_hand: bool = False
    backoff: float = 0.0
    remaining: float | None = None
    written: dict[str, int] = field(default_factory=dict)
    exit_code: int | None = None
    seeded_at: float = 0.0
    exit_at: float | None = None
    probe_at: float | None = None
    restart_at: float | None = None

    @property
    def id(self) -> str:
        """The 64-digit id."""
        return str(self.document["Id"])

    @property
    def name(self) -> str:
        """The name without its leading slash."""
        return str(self.document["Name"]).removeprefix("/")

    @property
    def state(self) -> Document:
        """State of the inspect JSON."""
        state: Document = self.document["State"]
        return state

    @property
    def status(self) -> str:
        """State.Status of the inspect JSON."""
        return str(self.state["Status"])

    @property
    def endpoints(self) -> dict[str, Document]:
        """NetworkSettings.Networks: the endpoints by network name."""
        networks: dict[str, Document] = self.document["NetworkSettings"]["Networks"]
        return networks

    @property
    def due(self) -> float | None:
        """When the next spontaneous change is due."""
        if self.exit_at is self.probe_at is self.restart_at is None:
            return None
        return min(at for at in (self.exit_at, self.probe_at, self.restart_at) if at is not None)

    def clear_timers(self) -> None:
        """Nothing happens by itself any more."""
        self.exit_at = self.probe_at = self.restart_at = None


@dataclass
class Wire:
    """One network: its JSON, and the IP versions whose subnet a user chose (only of these may addresses be asked)."""

    document: Document
    chosen: frozenset[int] = frozenset()


@dataclass
class Picture:
    """One image: its inspect JSON; the list row it was seeded with; `known` is false where only a forecast has it."""

    document: Document
    row: Document | None = None
    retagged: bool = False
    known: bool = True


@dataclass
class World:
    """One simulated engine's whole state. Containers and images are kept oldest first.

    `registry` None means that every reference exists, with a digest made of it. Every path exists but `missing_paths`.
    """

    info: EngineInfo
    clock: VirtualClock
    costs: Costs
    behaviours: Behaviours | None = None
    registry: Mapping[str, RegistryAnswer] | None = None
    containers: dict[str, Box] = field(default_factory=dict)
    networks: dict[str, Wire] = field(default_factory=dict)
    volumes: dict[str, Document] = field(default_factory=dict)
    images: dict[str, Picture] = field(default_factory=dict)
    event_log: list[tuple[float, str, str]] = field(default_factory=list)
    logged: int = 0
    events: deque[Document] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    told: int = 0
    missing_paths: frozenset[str] = frozenset()
    volume_sizes: dict[str, int] = field(default_factory=dict)
    made: int = 0

    def new_id(self, kind: str, name: str) -> str:
        """64 hex digits that nothing has, the same in every run that makes the same things in the same order."""
        while True:
            self.made += 1
            made = hashlib.sha256(f"{kind}:{self.made}:{name}".encode()).hexdigest()
            known = (self.containers, self.networks, self.volumes, self._joined())
            if not any(made in ids for ids in known):
                return made

    def _joined(self) -> set[str]:
        """Ids of the networks that containers joined, some of which may be gone."""
        return {one.get("NetworkID", "") for box in self.containers.values() for one in box.endpoints.values()}

    def behaviour(self, image: str, config: Mapping[str, Any]) -> Behaviour:
        """What that image does with that configuration."""
        return self.behaviours(image, config) if self.behaviours else Behaviour()

    def log(self, at: float, action: str, box: Box) -> None:
        """Note what happened to a container, in the words of GET /events."""
        box.changed = True
        self.event_log.append((at, action, box.name))
        self.logged += 1
        if len(self.event_log) > 2 * EVENTS_KEPT:
            del self.event_log[:EVENTS_KEPT]
        config = box.document["Config"]
        attributes = {**(config.get("Labels") or {}), "image": config["Image"], "name": box.name}
        self.tell("container", action, box.id, attributes)

    def tell(self, kind: str, action: str, subject: str, attributes: Mapping[str, str]) -> None:
        """Let whoever follows GET /events hear of it, where it is an event that is asked for (`events.ACTIONS`)."""
        if action.startswith(ACTIONS):
            self.told += 1
            actor = {"ID": subject, "Attributes": dict(attributes)}
            self.events.append({"Type": kind, "Action": action, "Actor": actor, "time": int(self.clock.now())})

    def events_since(self, told: int) -> Iterator[Document]:
        """The events after the first `told`, until there are no more; only the last are kept."""
        while told < self.told:
            told = max(told, self.told - len(self.events))
            yield self.events[told - self.told]
            told += 1


def refusal(status: int, message: str, *, code: str | None = None, hint: str | None = None) -> EngineError:
    """The engine's answer of that HTTP status; none of them passes by itself."""
    return EngineError(message, status=status, code=code, hint=hint)


SCALARS = frozenset({str, int, float, bool, type(None)})


def copied(value: Any) -> Any:
    """A deep copy of a JSON document."""
    kind = type(value)
    if kind in SCALARS:
        return value
    if kind is dict or isinstance(value, Mapping):
        return {key: item if type(item) in SCALARS else copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [item if type(item) in SCALARS else copied(item) for item in value]
    return value


def find_container(world: World, reference: str) -> Box:
    """The container of that id, name or unique id prefix; EngineError 404."""
    if box := _find_container(world, reference):
        return box
    raise refusal(NOT_FOUND, f"No such container: {reference}")


def has_container(world: World, reference: str) -> bool:
    """Whether there is a container of that id, name or unique id prefix."""
    return _find_container(world, reference) is not None


def named_container(world: World, name: str) -> Box | None:
    """The container that holds that name, if any."""
    return next((box for box in world.containers.values() if box.name == name), None)


def find_network(world: World, reference: str) -> Wire:
    """The network of that id, name or unique id prefix; EngineError 404."""
    wire = world.networks.get(reference) or named_network(world, reference)
    if wire := wire or _by_prefix(world.networks, reference):
        return wire
    raise refusal(NOT_FOUND, f"network {reference} not found")


def named_network(world: World, name: str) -> Wire | None:
    """The first network of that name, if any."""
    return next((wire for wire in world.networks.values() if wire.document["Name"] == name), None)


def holders(world: World, statuses: Iterable[str] = OCCUPIED) -> list[Box]:
    """The containers whose processes hold addresses and ports."""
    return [box for box in world.containers.values() if box.status in statuses]


def _find_container(world: World, reference: str) -> Box | None:
    reference = reference.removeprefix("/")
    return (
        world.containers.get(reference) or named_container(world, reference) or _by_prefix(world.containers, reference)
    )


def _by_prefix(objects: Mapping[str, _Held], prefix: str) -> _Held | None:
    found = [item for key, item in objects.items() if prefix and key.startswith(prefix)]
    return found[0] if len(found) == 1 else None
