"""Properties of the planner over random projects, drift and faults, on the simulated engine and its virtual clock."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.engine.simulated import Behaviour, Call, Moment, SimulatedEngine, VirtualClock, outside
from reconciler.errors import EngineError
from reconciler.model.operation import Operation
from reconciler.model.project import (
    Attachment,
    Dependency,
    DependencyState,
    HostPort,
    Image,
    Network,
    Project,
    Rollout,
    Service,
)
from tests.support.world import START, World

NETWORK = Network("default", "shop_default")
CONDITIONS: tuple[DependencyState, ...] = ("service_started", "service_healthy")
READS = ("list", "inspect", "registry", "container_logs", "container_changes")
SEVERAL = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def services(draw: st.DrawFn, name: str, earlier: tuple[str, ...]) -> Service:
    """One service: a few of everything that changes how it is rolled out."""
    replicas = draw(st.integers(0, 3))
    body: dict[str, Any] = {"Cmd": [name], "Env": [f"V={draw(st.sampled_from('ab'))}"], "HostConfig": {}}
    if draw(st.booleans()):
        body["Healthcheck"] = {"Test": ["CMD", "true"], "Interval": 2_000_000_000}
    ports: tuple[HostPort, ...] = ()
    if replicas == 1 and draw(st.booleans()):
        number = 8000 + ord(name)
        body["HostConfig"]["PortBindings"] = {"80/tcp": [{"HostPort": str(number)}]}
        ports = (HostPort(number, number),)
    rollout = Rollout(draw(st.sampled_from([None, "start-first", "stop-first"])), draw(st.integers(0, 2)), 1.0)
    conditions = st.sampled_from(CONDITIONS)
    wanted = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
    return Service(
        name,
        Image(f"example/{name}:{draw(st.sampled_from(['1', '2']))}"),
        body,
        replicas=replicas,
        networks=(Attachment("default", NETWORK.name),),
        depends_on=tuple(Dependency(other, draw(conditions)) for other in wanted),
        container_name=f"the-{name}" if replicas == 1 and draw(st.integers(0, 4)) == 0 else None,
        ports=ports,
        rollout=rollout,
    )


@st.composite
def projects(draw: st.DrawFn) -> Project:
    """A project of up to four services, each depending on some before it."""
    names = draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True))
    made: list[Service] = []
    for name in names:
        made.append(draw(services(name, tuple(service.name for service in made))))
    return Project("shop", tuple(made), (NETWORK,), source="compose.yaml:1")


DRIFTS = st.lists(st.tuples(st.sampled_from(["die", "pause", "remove"]), st.integers(0, 20)), max_size=4)


def make_world() -> World:
    """A new world; the folder is never written to."""
    return World(Path(tempfile.gettempdir()), SimulatedEngine(VirtualClock(START)))


def drift(world: World, drifts: list[tuple[str, int]]) -> None:
    """Let each thing happen to one of the running containers."""
    for verb, number in drifts:
        running = [row for row in world.rows() if row["State"] == "running"]
        if running:
            getattr(outside, verb)(world.engine, running[number % len(running)]["Id"])


@SEVERAL
@given(projects(), projects(), DRIFTS)
def test_reaches_the_fixed_point(first: Project, second: Project, drifts: list[tuple[str, int]]) -> None:
    """From any project, through any drift, to any other: it converges, and then nothing is left to do."""
    world = make_world()
    assert world.converge(first).succeeded
    drift(world, drifts)
    report = world.converge(second)
    assert report.succeeded, report.conditions
    again = world.plan(second)
    assert again.operations == ()
    assert again.in_sync
    wanted = {
        f"{service.name}/{slot}": "running" for service in second.services for slot in range(1, service.replicas + 1)
    }
    assert world.states() == wanted


@SEVERAL
@given(projects(), projects(), DRIFTS)
def test_the_forecast_is_what_happens(first: Project, second: Project, drifts: list[tuple[str, int]]) -> None:
    """The operations of the plan are those of the converge, in the same order."""
    world = make_world()
    world.converge(first)
    drift(world, drifts)
    forecast = world.plan(second)
    assert names(world.converge(second).operations) == names(forecast.operations)


@SEVERAL
@given(projects(), projects())
def test_never_more_than_desired_and_surge(first: Project, second: Project) -> None:
    """While a service is replaced, no more containers of it run than replicas plus parallelism."""
    world = make_world()
    world.converge(first)
    peak: Counter[str] = Counter()

    def watch(_call: Call, moment: Moment) -> Exception | None:
        if moment == "after":
            running = Counter(
                key.partition("/")[0] for key, state in world.states().items() for _ in range(state.count("running"))
            )
            for name, count in running.items():
                peak[name] = max(peak[name], count)
        return None

    recursing = False

    def guard(call: Call, moment: Moment) -> Exception | None:
        nonlocal recursing
        if recursing or not call.name.startswith(("start", "stop")):
            return None
        recursing = True
        try:
            return watch(call, moment)
        finally:
            recursing = False

    world.engine.fault = guard
    assert world.converge(second).succeeded
    before = {service.name: service.replicas for service in first.services}
    for service in second.services:
        surge = service.rollout.parallelism or service.replicas
        most = max(service.replicas, before.get(service.name, 0)) + surge
        assert peak[service.name] <= most


@SEVERAL
@given(projects(), projects(), st.randoms())
def test_order_of_the_input_is_irrelevant(first: Project, second: Project, random: Any) -> None:
    """Services in any order give the same operations on every replica."""
    shuffled = list(second.services)
    random.shuffle(shuffled)
    world = make_world()
    world.converge(first)
    plain = world.plan(second).operations
    mixed = world.plan(replace(second, services=tuple(shuffled))).operations
    assert per_slot(plain) == per_slot(mixed)


@SEVERAL
@given(projects(), projects())
def test_foreign_containers_are_irrelevant(first: Project, second: Project) -> None:
    """Containers of others change nothing in the plan and are never touched."""
    world = make_world()
    world.converge(first)
    alone = per_slot(world.plan(second).operations)
    world.foreign("stranger", {"Image": "example/stranger:1", "Labels": {"io.reconciler.project": "another"}})
    assert per_slot(world.plan(second).operations) == alone
    assert world.converge(second).succeeded
    assert world.engine.inspect_container("stranger")["State"]["Status"] == "running"


@SEVERAL
@given(projects(), projects(), st.integers(0, 60), st.sampled_from(["before", "after"]))
def test_a_crash_anywhere_loses_nothing(first: Project, second: Project, at: int, moment: Moment) -> None:
    """Cut off before or after any call, the next run ends where an undisturbed one does."""
    world = make_world()
    world.converge(first)
    converge_until_cut_off(world, second, at, moment)
    assert world.converge(second).succeeded
    assert world.plan(second).operations == ()


@settings(SEVERAL, max_examples=15)
@given(projects(), st.integers(0, 40), st.sampled_from(["before", "after"]))
def test_a_crash_in_a_failing_rollout_loses_nothing(project: Project, at: int, moment: Moment) -> None:
    """Cut off while a definition fails, the next run brings it up where nobody saw it fail yet, else when asked to."""
    world = make_world()
    world.converge(project)
    changed = replace(project, services=tuple(with_environment(service, "V=bad") for service in project.services))
    bad = Behaviour(exit_after=0.1, exit_code=1)
    world.behaviours = lambda _image, config: bad if "V=bad" in (config.get("Env") or []) else Behaviour()
    converge_until_cut_off(world, changed, at, moment)
    world.behaviours = None
    report = world.converge(changed)
    if not report.succeeded:
        quarantined = {service for service, _ in world.memory().failures}
        assert quarantined
        for name in quarantined:
            assert world.retry(changed, name)
        report = world.converge(changed)
    assert report.succeeded, report.conditions
    assert world.plan(changed).operations == ()


def converge_until_cut_off(world: World, project: Project, at: int, moment: Moment) -> None:
    """Converge, and die before or after the call of that number."""
    calls = 0

    def crash(call: Call, when: Moment) -> Exception | None:
        nonlocal calls
        if when != moment or call.name.startswith(READS):
            return None
        calls += 1
        return KeyboardInterrupt() if calls > at else None  # type: ignore[return-value]

    world.engine.fault = crash
    with contextlib.suppress(KeyboardInterrupt):
        world.converge(project)
    world.engine.fault = None


@SEVERAL
@given(projects(), projects(), st.integers(0, 30))
def test_a_lost_reply_is_survived(first: Project, second: Project, at: int) -> None:
    """One call whose reply is lost, or that fails once, does not change the end."""
    world = make_world()
    world.converge(first)
    calls = 0

    def lose(call: Call, when: Moment) -> Exception | None:
        nonlocal calls
        if when != "after" or call.name.startswith(READS):
            return None
        calls += 1
        return EngineError("connection lost", retryable=True) if calls == at + 1 else None

    world.engine.fault = lose
    assert world.converge(second).succeeded
    assert world.plan(second).operations == ()


@SEVERAL
@given(projects(), projects(), st.sampled_from(["exits", "unhealthy", "no start"]))
def test_a_bad_version_leaves_the_old_one_serving(first: Project, second: Project, how: str) -> None:
    """Where the new definition does not come up, every service keeps as many running replicas as it had."""
    world = make_world()
    assert world.converge(first).succeeded
    before = running_slots(world)
    bad = {
        "exits": Behaviour(exit_after=0.1, exit_code=1),
        "unhealthy": Behaviour(exit_after=0.3, exit_code=1, healthy_after=None),
        "no start": Behaviour(start_error="exec: not found"),
    }[how]
    world.behaviours = lambda _image, config: bad if "V=bad" in (config.get("Env") or []) else Behaviour()
    changed = tuple(with_environment(service, "V=bad") for service in first.services)
    report = world.converge(replace(first, services=changed))
    started = any(service.replicas for service in first.services)
    assert report.succeeded is not started
    kept = running_slots(world)
    for service in first.services:
        assert kept[service.name] >= before[service.name], (service.name, world.states())
    world.behaviours = None
    assert world.converge(second).succeeded


def with_environment(service: Service, value: str) -> Service:
    """The service with another environment."""
    return replace(service, container={**service.container, "Env": [value]})


def running_slots(world: World) -> Counter[str]:
    """How many slots of each service have a running container."""
    return Counter(key.partition("/")[0] for key, state in world.states().items() if "running" in state)


def names(operations: tuple[Operation, ...]) -> list[str]:
    """Kind and replica of each operation: container ids, which a forecast makes up, aside."""
    return [f"{item.kind} {item.service}/{item.slot}" for item in operations]


def per_slot(operations: tuple[Operation, ...]) -> dict[str, list[str]]:
    """What happens to each replica or resource, in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for item in operations:
        key = f"{item.service}/{item.slot}" if item.slot else item.resource
        found[key].append(item.kind)
    return dict(found)
