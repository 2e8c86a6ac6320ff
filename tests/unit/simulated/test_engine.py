from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reconciler.engine.simulated import Call, Costs, SimulatedEngine, VirtualClock
from reconciler.errors import EngineError, EngineUnreachableError
from reconciler.model import labels
from reconciler.model.project import Build
from tests.unit.simulated.bench import START, Bench

if TYPE_CHECKING:
    from reconciler.engine.protocol import Engine
    from reconciler.engine.simulated import Moment

LOST = EngineUnreachableError("connection reset")


def nothing(_line: str) -> None:
    """Progress that nobody watches."""


def test_it_is_an_engine() -> None:
    """The type checker holds it to the protocol; it stands for an engine with a name and an API version."""
    engine: Engine = SimulatedEngine()
    assert engine.info().api == "1.41"
    assert engine.clone().list_containers() == []
    assert list(engine.events()) == []


def test_calls_that_change_something_are_recorded(bench: Bench) -> None:
    """With their arguments, whether they succeed or not; reads are not."""
    bench.engine.calls.clear()
    bench.engine.create_volume("data", {})
    bench.engine.list_volumes()
    with pytest.raises(EngineError):
        bench.engine.start_container("none")
    assert bench.engine.calls == [Call("create_volume", ("data", {})), Call("start_container", ("none",))]


@pytest.mark.parametrize(("moment", "made"), [("before", False), ("after", True)])
def test_a_fault_comes_before_or_after_the_effect(bench: Bench, moment: Moment, made: bool) -> None:
    """Before: nothing happened. After: it happened, and the reply was lost."""
    bench.engine.fault = lambda call, when: LOST if (call.name, when) == ("create_volume", moment) else None
    with pytest.raises(EngineUnreachableError):
        bench.engine.create_volume("data", {})
    assert bool(bench.engine.list_volumes()) is made


def test_reads_can_fail_too(bench: Bench) -> None:
    """A list that fails is not an empty list."""
    bench.engine.fault = lambda call, _when: LOST if call.name == "list_containers" else None
    with pytest.raises(EngineUnreachableError):
        bench.engine.list_containers()
    bench.engine.fault = None
    assert bench.engine.list_containers() == []


def test_calls_take_their_time() -> None:
    """Each by its cost, on the virtual clock."""
    costs = Costs(create=1, start=2, stop=4, remove=8, network=16, volume=32, pull=64, build=128)
    engine = SimulatedEngine(VirtualClock(START), costs=costs)
    engine.pull_image("app:1", None, nothing)
    engine.build_image(Build("/src", "/src/Dockerfile"), ("built:1",), None, nothing)
    engine.create_volume("data", {})
    engine.create_network("net", {})
    engine.create_container("one", {"Image": "app:1"})
    engine.start_container("one")
    engine.stop_container("one")
    engine.remove_container("one")
    assert engine.clock.now() == START + 255


def test_time_that_passed_elsewhere_is_caught_up_with(bench: Bench) -> None:
    """A clock moved by its owner: what was due happens before the next answer, at its own time."""
    bench.run(Healthcheck={"Test": ["CMD", "true"], "Interval": 1_000_000_000})
    bench.engine.clock.advance(60)
    assert bench.state()["Health"]["Status"] == "healthy"
    assert (1.0, "health_status: healthy") in bench.log()


def test_the_same_calls_give_the_same_bytes() -> None:
    """Ids, addresses and times are no accident."""

    def told() -> str:
        engine = SimulatedEngine()
        engine.pull_image("app:1", None, nothing)
        engine.create_network("net", {})
        engine.create_container("one", {"Image": "app:1", "HostConfig": {"NetworkMode": "net"}, "Volumes": {"/d": {}}})
        engine.start_container("one")
        return json.dumps([engine.list_containers(), engine.inspect_container("one"), engine.list_networks()])

    assert told() == told()


def test_events_are_logged_in_order(bench: Bench) -> None:
    """The container actions of GET /events, with the container's name."""
    bench.run()
    bench.engine.stop_container("one")
    bench.engine.remove_container("one")
    assert [action for _, action, name in bench.engine.event_log if name == "one"] == [
        "create",
        "start",
        "die",
        "stop",
        "destroy",
    ]


def test_without_a_registry_every_reference_exists() -> None:
    """On `simulated://` any spec can be tried: the digest is made of the reference, the hub's full name included."""
    engine = SimulatedEngine()
    digest = engine.registry_digest("nginx")
    assert digest == engine.registry_digest("docker.io/library/nginx:latest") != engine.registry_digest("nginx:1")
    engine.pull_image("nginx", None, nothing)
    found = engine.inspect_image(f"nginx:latest@{digest}")
    assert (found["RepoTags"], found["RepoDigests"]) == (["nginx:latest"], [f"nginx@{digest}"])
    assert found["Predicted"] is True


def test_a_predicted_image_runs_whatever_its_command(bench: Bench) -> None:
    """What it declares is known after the pull only, so `No command specified` would be a guess."""
    bench.run()
    assert bench.state()["Status"] == "running"


def test_a_build_gives_the_same_image_for_the_same_key() -> None:
    """Another key, another image; the tags move; the labels are the build's, and its key."""
    engine = SimulatedEngine()
    one, two = (Build("/src", "/src/Dockerfile", labels=(("a", "b"),), key=key) for key in ("1" * 64, "2" * 64))
    engine.build_image(one, ("app:1",), None, nothing)
    first = engine.inspect_image("app:1")
    engine.build_image(two, ("app:1", "app:2"), None, nothing)
    second = engine.inspect_image("app:1")["Id"]
    engine.build_image(one, ("app:1",), None, nothing)
    assert engine.inspect_image("app:1")["Id"] == first["Id"] != second == engine.inspect_image("app:2")["Id"]
    assert (first["Config"]["Labels"], first["Predicted"]) == ({"a": "b", labels.BUILD_KEY: "1" * 64}, True)


def test_an_untagged_image_is_listed_as_the_engine_does() -> None:
    """`<none>`, once its only tag has moved on."""
    engine = SimulatedEngine()
    for key in ("1" * 64, "2" * 64):
        engine.build_image(Build("/src", "/src/Dockerfile", key=key), ("app:1",), None, nothing)
    tags = [row["RepoTags"] for row in engine.list_images()]
    assert tags == [["app:1"], ["<none>:<none>"]]


def test_an_unambiguous_beginning_of_an_id_is_enough(bench: Bench) -> None:
    """Where it fits two containers, it names none."""
    containers = [bench.run(f"c-{number}") for number in range(40)]
    firsts = [container[0] for container in containers]
    shared = next(digit for digit in firsts if firsts.count(digit) > 1)
    with pytest.raises(EngineError, match="No such container"):
        bench.engine.inspect_container(shared)


def test_a_bind_source_that_is_missing_fails_the_create(bench: Bench) -> None:
    """Unless it is to be made, which engines can since API 1.42."""
    bench.engine.world.missing_paths = frozenset({"/lost"})
    mount = {"Type": "bind", "Source": "/lost", "Target": "/data"}
    made = {**mount, "BindOptions": {"CreateMountpoint": True}}
    for one in (mount, made):
        with pytest.raises(EngineError, match="bind source path does not exist: /lost"):
            bench.run("web", HostConfig={"Mounts": [one]})
    assert bench.engine.missing_paths(["/lost", "/there"]) == {"/lost"}
