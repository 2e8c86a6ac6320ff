"""Whenever the program dies, the next run ends where an undisturbed one would have, and nobody notices in between.

On the simulated engine, at every call that changes something: before it, after it (the reply is never read), and with
the reply lost while the program lives on; and at every look while it only waits. What the next run knows is what the
state file kept.
"""

from __future__ import annotations

import copy
import re
import shutil
from collections import Counter
from dataclasses import dataclass
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

Kind = Literal["before", "after", "lost", "waiting"]
KINDS: tuple[Kind, ...] = ("before", "after", "lost", "waiting")
DRAINS = {"kill_container", "exec_in_container", "http_post"}
CHANGES = re.compile("create_|start_|stop_|remove_|connect_|disconnect_|kill_|exec_|http_|pull_|tag_|build_")
PROJECT, SERVICE, SLOT, HASH = (f"io.reconciler.{name}" for name in ("project", "service", "slot", "spec-hash"))
ROLLOUT_LABEL = "io.reconciler.rollout"
RUNS = 4


class Killed(BaseException):
    """The program is no more."""


@dataclass
class Death:
    """Lets the program die, or lose a reply, at one call of those that its kind is about; `hit` is it once it came."""

    number: int
    kind: Kind
    seen: int = 0
    hit: Call | None = None
    quiet: bool = False

    def __call__(self, call: Call, moment: Moment) -> Exception | None:
        """What the engine is to raise there (SimulatedEngine.fault)."""
        if self.hit or not self._concerns(call, moment):
            return None
        self.seen += 1
        if self.seen < self.number:
            return None
        self.hit = call
        if self.kind == "lost":
            return EngineUnreachableError("the connection was lost", retryable=True)
        raise Killed

    def _concerns(self, call: Call, moment: Moment) -> bool:
        if self.kind != "waiting":
            return bool(CHANGES.match(call.name)) and moment == ("before" if self.kind == "before" else "after")
        if moment == "after":
            return False
        waited, self.quiet = self.quiet, not CHANGES.match(call.name)
        return waited and call.name == "list_containers"


@dataclass(frozen=True)
class Standing:
    """What a scenario begins with: the engine's state, the state file, and what is asked for."""

    state: EngineState
    kept: bytes
    project: Project


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


@cache
def undisturbed(name: str, folder: Path) -> Ended:
    """How the scenario ends where nothing goes wrong."""
    return run(standing(name, folder), folder)


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
    world.close()
    return Standing(world.engine.world, (folder / "state/state.db").read_bytes(), project)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where specs and state files are."""
    return tmp_path_factory.mktemp("crashes")


def run(begin: Standing, folder: Path, death: Death | None = None) -> Ended:
    """Converge, with a death on the way where there is one, and go on until a run comes to its end."""
    state = folder / "now"
    state.mkdir(exist_ok=True)
    for old in state.iterdir():
        old.unlink()
    (state / "state.db").write_bytes(begin.kept)
    engine = SimulatedEngine()
    engine.world = copy.deepcopy(begin.state)
    engine.fault = death
    world = World(folder, engine, behaviours=behave, state=state)
    report = None
    for _ in range(RUNS):
        try:
            report = world.converge(begin.project)
        except (Killed, EngineUnreachableError):
            world.reopen()
            continue
        if report.succeeded or not death or death.kind != "lost":
            break
    assert report is not None, f"not one of {RUNS} runs came to its end"
    calls, engine.fault = len(engine.calls), None
    again = world.converge(begin.project)
    assert [call.name for call in engine.calls[calls:]] == [], "one more run found something to do"
    done = [call for call in engine.calls if not (death and death.kind == "before" and call is death.hit)]
    ended = _ended(world, begin, done, succeeded=again.succeeded)
    world.close()
    return ended


def _ended(world: World, begin: Standing, done: list[Call], *, succeeded: bool) -> Ended:
    """How it is now; `done` are the calls that reached the engine."""
    memory = world.memory()
    return Ended(
        sorted(_container(world, row, begin.state.volumes) for row in world.rows()),
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


def _others(engine: SimulatedEngine, begin: Standing) -> Mapping[str, Any]:
    """What is not ours, and what must never go: all of it as it is."""
    theirs = next(box.id for box in begin.state.containers.values() if box.name == "theirs")
    return {
        "container": engine.inspect_container(theirs)["State"],
        "networks": sorted(row["Name"] for row in engine.list_networks()),
        "lost volumes": begin.state.volumes.keys() - {row["Name"] for row in engine.list_volumes()},
    }


def _lowest(engine: SimulatedEngine, begin: Standing, done: list[Call]) -> Iterator[tuple[str, int]]:
    """The fewest healthy replicas of each service at any moment, by the engine's own record."""
    services = {box.name: _labels(box.document).get(SERVICE, "") for box in begin.state.containers.values()}
    services |= {call.args[0]: _labels(call.args[1]).get(SERVICE, "") for call in _creates(done)}
    probed = {box.name for box in engine.world.containers.values() if "Health" in box.state}
    healthy = {box.name for box in begin.state.containers.values() if _serves(box.document["State"])}
    counts: dict[str, list[int]] = {name: [] for name in services.values() if name}

    def count() -> None:
        for service, found in counts.items():
            found.append(sum(services.get(name) == service for name in healthy))

    count()
    checked = {name for _, action, name in engine.event_log if action.startswith("health_status")} | probed
    for _, action, name in engine.event_log[len(begin.state.event_log) :]:
        if action == "health_status: healthy" or (action == "start" and name not in checked):
            healthy.add(name)
        elif action in {"die", "destroy", "pause"} or action.startswith("health_status"):
            healthy.discard(name)
        count()
    return ((service, min(found)) for service, found in counts.items())


def _serves(state: Mapping[str, Any]) -> bool:
    health: str = (state.get("Health") or {}).get("Status", "healthy")
    return (state["Status"], health) == ("running", "healthy")


def _created(engine: SimulatedEngine, begin: Standing, done: list[Call]) -> Counter[tuple[str, ...]]:
    """How often a container of each service, slot and definition was made."""
    asked: dict[str, list[Mapping[str, str]]] = {}
    for call in _creates(done):
        asked.setdefault(call.args[0], []).append(_labels(call.args[1]))
    new = engine.event_log[len(begin.state.event_log) :]
    made = [_next(asked[name]) for _, action, name in new if action == "create"]
    return Counter((found[SERVICE], found[SLOT], found[HASH]) for found in made)


def _next(labels: list[Mapping[str, str]]) -> Mapping[str, str]:
    """What the next create of a name asked for: a name may be used again, and a lost create is asked for twice."""
    return labels.pop(0) if len(labels) > 1 else labels[0]


def _creates(done: list[Call]) -> list[Call]:
    return [call for call in done if call.name == "create_container"]


def _labels(document: Mapping[str, Any]) -> Mapping[str, str]:
    return document.get("Labels") or (document.get("Config") or {}).get("Labels") or {}


def complaints(scenario: Scenario, plain: Ended, found: Ended, death: Death) -> Iterator[str]:
    """What is not as it would have been without the death."""
    for field in ("containers", "others", "remembered", "succeeded"):
        expected, got = getattr(plain, field), getattr(found, field)
        if expected != got:
            yield f"{field}: {_difference(expected, got)}"
    for service, floor in scenario.floor.items():
        if found.lowest[service] < floor:
            yield f"{service}: {found.lowest[service]} healthy, {floor} are due"
    for key, times in found.created.items():
        if times > max(plain.created[key], scenario.tries):
            yield f"{key[0]}/{key[1]}: created {times} times"
    for container, times in found.drained.items():
        at_drain = death.kind != "before" and death.hit and death.hit.name in DRAINS and death.hit.args[0] == container
        if times > (2 if at_drain else 1):
            yield f"{container[:12]}: drained {times} times"


def _difference(expected: Any, got: Any) -> str:
    if isinstance(expected, list):
        counts = f"{len(got)} instead of {len(expected)}"
        return f"{counts}, missing {_without(expected, got)}, found {_without(got, expected)}"
    return f"expected {expected}, found {got}"


def _without(some: list[Any], others: list[Any]) -> list[Any]:
    return [one for one in some if one not in others]


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_undisturbed_run(name: str, folder: Path) -> None:
    """What the others are compared with holds what the scenario promises, and had something to do."""
    scenario, plain = SCENARIOS[name], undisturbed(name, folder)
    assert plain.succeeded == scenario.succeeds
    assert {
        service: plain.lowest[service] for service in scenario.floor if plain.lowest[service] < scenario.floor[service]
    } == {}
    assert plain.others["lost volumes"] == set()
    assert plain.created or name in {"scale down", "removed service"}
    assert bool(plain.drained) == name.startswith("drain")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_next_run_finishes_it(name: str, kind: Kind, folder: Path) -> None:
    """The same end, never fewer healthy replicas than the update settings allow, nothing done twice, nothing lost."""
    scenario, begin = SCENARIOS[name], standing(name, folder)
    plain, number = undisturbed(name, folder), 0
    found: list[str] = []
    while True:
        number += 1
        death = Death(number, kind)
        try:
            ended = run(begin, folder, death)
            if death.hit is None:
                break
            found += [
                f"{kind} call {number}, {death.hit.name}: {text}" for text in complaints(scenario, plain, ended, death)
            ]
        except AssertionError as error:
            found.append(f"{kind} call {number}, {death.hit and death.hit.name}: {error}")
    assert number > 1 or kind == "waiting"
    assert not found, "\n".join(found)
