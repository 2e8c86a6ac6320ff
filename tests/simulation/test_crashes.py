"""Whenever the program dies, the next run ends where an undisturbed one would have, and nobody notices in between.

On the simulated engine, at every call that changes something: before it, after it (the reply is never read), and with
the reply lost while the program lives on; and at every look while it only waits. What the next run knows is what the
state file kept: a dead program leaves the engine and that file and nothing else, so both are noted on the way of one
undisturbed run, and every death goes on from its own note. Deaths with equal notes have one future, run once.
"""

from __future__ import annotations

import contextlib
import pickle
import re
import shutil
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import pytest

from reconciler.engine.simulated import Call, Moment, SimulatedEngine
from reconciler.errors import EngineUnreachableError
from tests.simulation.crash_scenarios import SCENARIOS, Scenario, behave
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reconciler.engine.simulated.state import World as EngineState
    from reconciler.model.project import Project

DRAINS = {"kill_container", "exec_in_container", "http_post"}
CHANGES = re.compile("create_|start_|stop_|remove_|connect_|disconnect_|kill_|exec_|http_|pull_|tag_|build_")
PROJECT, SERVICE, SLOT, HASH = (f"io.reconciler.{name}" for name in ("project", "service", "slot", "spec-hash"))
ROLLOUT_LABEL = "io.reconciler.rollout"
RUNS = 4


@dataclass(frozen=True)
class Left:
    """What there is without a program: the engine's state and the files of the state directory."""

    engine: bytes
    files: frozenset[tuple[str, bytes]]

    @classmethod
    def by(cls, world: World) -> Left:
        """What it leaves behind if it dies now; SQLite makes its shared memory anew."""
        assert world.state
        kept = {file.name: file.read_bytes() for file in world.state.iterdir() if not file.name.endswith("-shm")}
        return cls(pickle.dumps(replace(world.engine.world, behaviours=None)), frozenset(kept.items()))

    def engine_state(self) -> EngineState:
        """The engine's state, for whoever asks to change."""
        state: EngineState = pickle.loads(self.engine)  # noqa: S301 - pickled a moment ago
        return state

    def opened(self, folder: Path, calls: tuple[Call, ...] = ()) -> World:
        """A program that finds this, on an engine that was called so before."""
        state = folder / "now"
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        for name, content in self.files:
            (state / name).write_bytes(content)
        engine = SimulatedEngine()
        engine.world, engine.calls = self.engine_state(), list(calls)
        return World(folder, engine, behaviours=behave, state=state)


@dataclass(frozen=True)
class Death:
    """The program died at a call; `calls` are those that it made, this one included where it had begun."""

    kind: Literal["before", "after", "waiting"]
    hit: Call
    left: Left
    calls: tuple[Call, ...]

    def __str__(self) -> str:
        """Where it was."""
        return f"{self.kind} call {len(self.calls)}, {self.hit.name}"


@dataclass
class Witness:
    """Notes at every call what the program would leave behind if it died there (SimulatedEngine.fault)."""

    world: World
    deaths: list[Death] = field(default_factory=list)
    quiet: bool = False

    def __call__(self, call: Call, moment: Moment) -> None:
        """Raises nothing."""
        if CHANGES.match(call.name):
            self._note(moment, call)
        if moment == "before":
            waited, self.quiet = self.quiet, not CHANGES.match(call.name)
            if waited and call.name == "list_containers":
                self._note("waiting", call)

    def _note(self, kind: Literal["before", "after", "waiting"], call: Call) -> None:
        self.deaths.append(Death(kind, call, Left.by(self.world), tuple(self.world.engine.calls)))


@dataclass
class Loss:
    """Loses the reply to one of the calls that change something, and the program lives on; `hit` is that call."""

    number: int
    seen: int = 0
    hit: Call | None = None

    def __call__(self, call: Call, moment: Moment) -> Exception | None:
        """What the engine is to raise there (SimulatedEngine.fault)."""
        if self.hit or moment == "before" or not CHANGES.match(call.name):
            return None
        self.seen += 1
        if self.seen < self.number:
            return None
        self.hit = call
        return EngineUnreachableError("the connection was lost", retryable=True)

    def __str__(self) -> str:
        """Where it was."""
        return f"lost reply {self.number}, {self.hit and self.hit.name}"


@dataclass(frozen=True)
class Ended:
    """How it was in the end: what runs, what is remembered, and what was done on the way."""

    containers: list[tuple[Any, ...]]
    others: Mapping[str, Any]
    remembered: tuple[Any, ...]
    succeeded: bool
    lowest: Mapping[str, int]
    created: Counter[tuple[str, ...]]
    drained: Counter[str]


@dataclass(frozen=True)
class Standing:
    """What a scenario begins with, and what is asked for."""

    left: Left
    project: Project


@dataclass(frozen=True)
class Undisturbed:
    """How a scenario ends where nothing goes wrong, and every death that was possible on the way."""

    ended: Ended
    deaths: tuple[Death, ...]


@cache
def undisturbed(name: str, folder: Path) -> Undisturbed:
    """The scenario's own run; made once."""
    begin = standing(name, folder)
    world = begin.left.opened(folder)
    world.engine.fault = witness = Witness(world)
    world.converge(begin.project)
    return Undisturbed(finish(world, begin), tuple(witness.deaths))


@cache
def standing(name: str, folder: Path) -> Standing:
    """The scenario's project before the change; made once."""
    scenario = SCENARIOS[name]
    shutil.rmtree(folder / "state", ignore_errors=True)
    world = World(folder, behaviours=behave, state=folder / "state")
    world.foreign("theirs", {"Image": "example/theirs:1", "Labels": {"theirs": "yes"}})
    world.engine.create_network("theirnet", {})
    world.engine.create_volume("theirdata", {})
    before, after = scenario.texts()
    for text in before:
        world.converge(world.project(text))
    if scenario.act:
        scenario.act(world)
    project = world.project(after)
    if scenario.retry:
        assert world.retry(project, scenario.retry)
    begin = Standing(Left.by(world), project)
    world.close()
    return begin


@pytest.fixture(scope="module", params=SCENARIOS)
def name(request: pytest.FixtureRequest) -> str:
    """One scenario after the other, so that what they share is made once."""
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where specs and state files are."""
    return tmp_path_factory.mktemp("crashes")


def after_death(death: Death, begin: Standing, folder: Path) -> Ended:
    """How it ends where the program died and is run again."""
    world = death.left.opened(folder, death.calls)
    world.converge(begin.project)
    return finish(world, begin, death.hit if death.kind == "before" else None)


def after_loss(loss: Loss, begin: Standing, folder: Path) -> Ended:
    """How it ends where a reply is lost, and the program is run again until it has nothing to complain of, or to do."""
    world = begin.left.opened(folder)
    world.engine.fault, report = loss, None
    for _ in range(RUNS):
        calls = len(world.engine.calls)
        with contextlib.suppress(EngineUnreachableError):
            report = world.converge(begin.project)
        if report and (report.succeeded or calls == len(world.engine.calls)):
            break
    assert report is not None, f"not one of {RUNS} runs came to its end"
    return finish(world, begin)


def finish(world: World, begin: Standing, undone: Call | None = None) -> Ended:
    """How it ended, now that one more run finds nothing to do; `undone` is a call that never reached the engine."""
    engine = world.engine
    calls, engine.fault = len(engine.calls), None
    again = world.converge(begin.project)
    assert [call.name for call in engine.calls[calls:]] == [], "one more run found something to do"
    done = [call for call in engine.calls if call is not undone]
    ended = _ended(world, begin.left.engine_state(), done, succeeded=again.succeeded)
    world.close()
    return ended


def _ended(world: World, begin: EngineState, done: list[Call], *, succeeded: bool) -> Ended:
    """How it is now; `done` are the calls that reached the engine."""
    memory = world.memory()
    return Ended(
        sorted(_container(world, row, begin.volumes) for row in world.rows()),
        _others(world.engine, begin),
        (sorted(memory.failures), sorted((name, kept.spec_hash) for name, kept in memory.stable.items())),
        succeeded,
        dict(_lowest(world.engine, begin, done)),
        _created(world.engine, begin, done),
        Counter(str(call.args[0]) for call in done if call.name in DRAINS),
    )


def _container(world: World, row: Mapping[str, Any], known: Mapping[str, Any]) -> tuple[Any, ...]:
    """A container without what differs from run to run: ids, the rollout's own hash, new anonymous volumes."""
    document = world.engine.inspect_container(row["Id"])
    networks = document["NetworkSettings"]["Networks"]
    own = document["Id"][:12]
    labels = {key: value for key, value in row["Labels"].items() if key != ROLLOUT_LABEL}
    return (
        re.sub(r"-[0-9a-f]{8}$", "", row["Names"][0]),
        row["State"],
        (document["State"].get("Health") or {}).get("Status", ""),
        document["RestartCount"],
        sorted(labels.items()),
        sorted((name, sorted(set(one.get("Aliases") or ()) - {own})) for name, one in networks.items()),
        sorted((mount["Destination"], mount["Name"] if mount["Name"] in known else "") for mount in row["Mounts"]),
    )


def _others(engine: SimulatedEngine, begin: EngineState) -> Mapping[str, Any]:
    """What is not ours, and what must never go: all of it as it is."""
    theirs = next(box.id for box in begin.containers.values() if box.name == "theirs")
    return {
        "container": engine.inspect_container(theirs)["State"],
        "networks": sorted(row["Name"] for row in engine.list_networks()),
        "lost volumes": begin.volumes.keys() - {row["Name"] for row in engine.list_volumes()},
    }


def _lowest(engine: SimulatedEngine, begin: EngineState, done: list[Call]) -> Iterator[tuple[str, int]]:
    """The fewest healthy replicas of each service at any moment, by the engine's own record."""
    services = {box.name: _labels(box.document).get(SERVICE, "") for box in begin.containers.values()}
    services |= {call.args[0]: _labels(call.args[1]).get(SERVICE, "") for call in _creates(done)}
    probed = {box.name for box in engine.world.containers.values() if "Health" in box.state}
    healthy = {box.name for box in begin.containers.values() if _serves(box.document["State"])}
    counts: dict[str, list[int]] = {name: [] for name in services.values() if name}

    def count() -> None:
        for service, found in counts.items():
            found.append(sum(services.get(name) == service for name in healthy))

    count()
    checked = {name for _, action, name in engine.event_log if action.startswith("health_status")} | probed
    for _, action, name in engine.event_log[len(begin.event_log) :]:
        if action == "health_status: healthy" or (action == "start" and name not in checked):
            healthy.add(name)
        elif action in {"die", "destroy", "pause"} or action.startswith("health_status"):
            healthy.discard(name)
        count()
    return ((service, min(found)) for service, found in counts.items())


def _serves(state: Mapping[str, Any]) -> bool:
    health: str = (state.get("Health") or {}).get("Status", "healthy")
    return (state["Status"], health) == ("running", "healthy")


def _created(engine: SimulatedEngine, begin: EngineState, done: list[Call]) -> Counter[tuple[str, ...]]:
    """How often a container of each service, slot and definition was made."""
    asked: dict[str, list[Mapping[str, str]]] = {}
    for call in _creates(done):
        asked.setdefault(call.args[0], []).append(_labels(call.args[1]))
    new = engine.event_log[len(begin.event_log) :]
    made = [_next(asked[name]) for _, action, name in new if action == "create"]
    return Counter((found[SERVICE], found[SLOT], found[HASH]) for found in made)


def _next(labels: list[Mapping[str, str]]) -> Mapping[str, str]:
    """What the next create of a name asked for: a name may be used again, and a lost create is asked for twice."""
    return labels.pop(0) if len(labels) > 1 else labels[0]


def _creates(done: list[Call]) -> list[Call]:
    return [call for call in done if call.name == "create_container"]


def _labels(document: Mapping[str, Any]) -> Mapping[str, str]:
    return document.get("Labels") or (document.get("Config") or {}).get("Labels") or {}


def complaints(scenario: Scenario, plain: Ended, found: Ended, hit: Call | None) -> Iterator[str]:
    """What is not as it would have been without the disturbance; `hit` is the call that took place unnoticed."""
    for name in ("containers", "others", "remembered", "succeeded"):
        expected, got = getattr(plain, name), getattr(found, name)
        if expected != got:
            yield f"{name}: {_difference(expected, got)}"
    for service, floor in scenario.floor.items():
        if found.lowest[service] < floor:
            yield f"{service}: {found.lowest[service]} healthy, {floor} are due"
    for key, times in found.created.items():
        if times > max(plain.created[key], scenario.tries):
            yield f"{key[0]}/{key[1]}: created {times} times"
    for container, times in found.drained.items():
        at_drain = hit and hit.name in DRAINS and hit.args[0] == container
        if times > (2 if at_drain else 1):
            yield f"{container[:12]}: drained {times} times"


def _difference(expected: Any, got: Any) -> str:
    if isinstance(expected, list):
        counts = f"{len(got)} instead of {len(expected)}"
        return f"{counts}, missing {_without(expected, got)}, found {_without(got, expected)}"
    return f"expected {expected}, found {got}"


def _without(some: list[Any], others: list[Any]) -> list[Any]:
    return [one for one in some if one not in others]


def test_the_undisturbed_run(name: str, folder: Path) -> None:
    """What the others are compared with holds what the scenario promises, and had something to do."""
    scenario, plain = SCENARIOS[name], undisturbed(name, folder).ended
    assert plain.succeeded == scenario.succeeds
    assert {
        service: plain.lowest[service] for service in scenario.floor if plain.lowest[service] < scenario.floor[service]
    } == {}
    assert plain.others["lost volumes"] == set()
    assert plain.created or name in {"scale down", "removed service"}
    assert bool(plain.drained) == name.startswith("drain")


def test_the_next_run_finishes_it(name: str, folder: Path) -> None:
    """The same end, never fewer healthy replicas than the update settings allow, nothing done twice, nothing lost."""
    begin, plain = standing(name, folder), undisturbed(name, folder)
    futures: dict[Left, Ended] = {}
    found: list[str] = []
    for death in plain.deaths:
        try:
            if death.left not in futures:
                futures[death.left] = after_death(death, begin, folder)
            hit = None if death.kind == "before" else death.hit
            found += [f"{death}: {text}" for text in complaints(SCENARIOS[name], plain.ended, futures[death.left], hit)]
        except AssertionError as error:
            found.append(f"{death}: {error}")
    assert {death.kind for death in plain.deaths} >= {"before", "after"}
    assert not found, "\n".join(found)


def test_a_lost_reply_is_survived(name: str, folder: Path) -> None:
    """The same where the program lives on, and every call that changes something gets its turn."""
    begin, plain = standing(name, folder), undisturbed(name, folder)
    found: list[str] = []
    for number in range(1, 1 + sum(death.kind == "after" for death in plain.deaths)):
        loss = Loss(number)
        try:
            ended = after_loss(loss, begin, folder)
            assert loss.hit, "no reply was lost"
            found += [f"{loss}: {text}" for text in complaints(SCENARIOS[name], plain.ended, ended, loss.hit)]
        except AssertionError as error:
            found.append(f"{loss}: {error}")
    assert not found, "\n".join(found)
