from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.engine.simulated import FREE, Behaviour, SimulatedEngine, Snapshot, VirtualClock, outside
from reconciler.engine.times import timestamp
from reconciler.errors import EngineError
from reconciler.model.observed import RegistryAnswer
from tests.unit.simulated.bench import START, Bench, probe

if TYPE_CHECKING:
    from collections.abc import Mapping

FOREIGN: dict[str, Any] = {
    "Id": "f" * 64,
    "Names": ["/theirs"],
    "Image": "nginx:1",
    "ImageID": "sha256:" + "a" * 64,
    "Command": "nginx -g off",
    "Created": 900_000,
    "Ports": [
        {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"PrivatePort": 443, "Type": "tcp"},
    ],
    "Labels": {"theirs": "yes"},
    "State": "running",
    "Status": "Up 3 weeks",
    "HostConfig": {"NetworkMode": "default"},
    "NetworkSettings": {"Networks": {}},
    "Mounts": [],
}


def snapshot(engine: SimulatedEngine, **changed: Any) -> Snapshot:
    """Everything that an engine says."""
    rows = engine.list_containers()
    read = Snapshot(
        engine.info(),
        containers=rows,
        inspects={row["Id"]: engine.inspect_container(row["Id"]) for row in rows},
        networks=engine.list_networks(),
        volumes=engine.list_volumes(),
        images=engine.list_images(),
        image_inspects={row["Id"]: engine.inspect_image(row["Id"]) for row in engine.list_images()},
    )
    return replace(read, **changed)


def seeded(read: Snapshot, now: float = START, behaviour: Behaviour | None = None) -> SimulatedEngine:
    """An engine that continues from there."""

    def behave(_image: str, _config: Mapping[str, Any]) -> Behaviour:
        return behaviour or Behaviour()

    return SimulatedEngine.seeded(read, VirtualClock(now), costs=FREE, behaviours=behave)


def health(engine: SimulatedEngine) -> str:
    """The health of container one."""
    return str(engine.inspect_container("one")["State"]["Health"]["Status"])


def test_an_empty_snapshot_is_an_engine_with_its_own_networks() -> None:
    """Whatever a snapshot leaves out, an engine has bridge, host and none."""
    engine = seeded(Snapshot(SimulatedEngine().info()))
    assert {row["Name"] for row in engine.list_networks()} == {"bridge", "host", "none"}
    assert engine.list_containers() == engine.list_images() == engine.list_volumes() == []


def test_a_listed_container_is_listed_the_same_and_in_the_way() -> None:
    """A foreign container is known from its row alone: its name, its ports and its labels count."""
    engine = seeded(Snapshot(SimulatedEngine().info(), containers=[FOREIGN]))
    assert engine.list_containers() == [FOREIGN]
    document = engine.inspect_container("theirs")
    assert (document["Id"], document["State"]["Status"]) == (FOREIGN["Id"], "running")
    assert document["Config"]["Labels"] == {"theirs": "yes"}
    engine.world.registry = None
    engine.pull_image("app:1", None, lambda _line: None)
    with pytest.raises(EngineError, match="already in use by container"):
        engine.create_container("theirs", {"Image": "app:1"})
    host_config = {"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}}
    engine.create_container("ours", {"Image": "app:1", "ExposedPorts": {"80/tcp": {}}, "HostConfig": host_config})
    with pytest.raises(EngineError, match="port is already allocated"):
        engine.start_container("ours")


def test_a_seeded_engine_leaves_the_snapshot_as_it_was(bench: Bench) -> None:
    """Forecasts change copies."""
    bench.run()
    read, again = snapshot(bench.engine), snapshot(bench.engine)
    engine = seeded(read)
    engine.stop_container("one")
    engine.remove_container("one")
    assert read == again


def test_starting_health_is_decided_at_the_next_probe(bench: Bench) -> None:
    """On the live container's own schedule; what was due already is due now."""
    bench.run(**probe(Interval=10_000_000_000))
    read = snapshot(bench.engine)
    assert seeded(read, START + 4).next_event_at() == START + 10
    late = seeded(read, START + 25)
    assert late.next_event_at() == START + 25
    late.advance_to(START + 25)
    assert health(late) == "healthy"


def test_what_is_unhealthy_now_is_not_assumed_to_recover(bench: Bench) -> None:
    """A forecast believes what it sees; what it starts itself is a new life."""
    bench.behaviour = Behaviour(healthy_after=None)
    bench.run(**probe(Retries=1))
    bench.at(1)
    engine = seeded(snapshot(bench.engine), START + 1)
    engine.advance_to(START + 1000)
    assert health(engine) == "unhealthy"
    engine.stop_container("one")
    engine.start_container("one")
    engine.advance_to(START + 1002)
    assert health(engine) == "healthy"


def test_a_running_job_ends_when_it_would_have(bench: Bench) -> None:
    """Counted from its real start."""
    bench.run()
    engine = seeded(snapshot(bench.engine), START + 2, Behaviour(exit_after=5))
    assert engine.next_event_at() == START + 5
    engine.advance_to(START + 5)
    assert engine.inspect_container("one")["State"]["Status"] == "exited"


def test_status_texts_grow_old(bench: Bench) -> None:
    """The same as read at first, in the engine's words later."""
    bench.run()
    engine = seeded(snapshot(bench.engine))
    assert engine.list_containers()[0]["Status"] == "Up Less than a second"
    engine.advance_to(START + 7)
    assert engine.list_containers()[0]["Status"] == "Up 7 seconds"


def test_new_containers_stand_first(bench: Bench) -> None:
    """The list is newest first, whatever was seeded."""
    bench.run("one")
    bench.run("two")
    engine = seeded(snapshot(bench.engine))
    engine.create_container("three", {"Image": "app:1"})
    assert [row["Names"][0] for row in engine.list_containers()] == ["/three", "/two", "/one"]


def test_ids_of_new_things_are_new(bench: Bench) -> None:
    """Repeating what was done before on a simulated engine makes other objects, although ids are no accident."""
    old = bench.run("one")
    engine = seeded(snapshot(bench.engine))
    outside.rename(engine, "one", "old")
    new = engine.create_container("one", {"Image": "app:1"})
    assert [row["Id"] for row in engine.list_containers()] == [new, old]
    assert new != old


def test_the_registry_is_what_was_asked_before() -> None:
    """A digest needs no registry; an answer counts under every way to write its reference; no answer is none."""
    digest = "sha256:" + "d" * 64
    registry = {"docker.io/library/app": RegistryAnswer(digest), "gone:1": RegistryAnswer(error="denied")}
    engine = seeded(Snapshot(SimulatedEngine().info(), registry=registry))
    assert engine.registry_digest("app:latest") == digest
    engine.pull_image(f"other:1@{digest}", None, lambda _line: None)
    assert engine.inspect_image(f"other@{digest}")["RepoDigests"] == [f"other@{digest}"]
    for reference, message in (("gone:1", "denied"), ("unknown:1", "manifest unknown")):
        with pytest.raises(EngineError, match=message):
            engine.pull_image(reference, None, lambda _line: None)


def test_a_listed_image_can_be_run() -> None:
    """An image that was not inspected is known by names and labels only, and that is enough to create from it."""
    row = {
        "Id": "sha256:" + "a" * 64,
        "RepoTags": ["app:1"],
        "RepoDigests": None,
        "Labels": {"a": "b"},
        "Created": 900_000,
    }
    engine = seeded(Snapshot(SimulatedEngine().info(), images=[row]))
    assert engine.list_images() == [row]
    container = engine.create_container("one", {"Image": "app:1"})
    assert engine.inspect_container(container)["Config"]["Labels"] == {"a": "b"}
    assert engine.inspect_container(container)["Image"] == row["Id"]


def test_a_snapshot_of_a_seeded_engine_seeds_the_same_engine(bench: Bench) -> None:
    """Seeding is faithful in both directions."""
    bench.run(Volumes={"/data": {}}, Created=timestamp(START))
    first = seeded(snapshot(bench.engine))
    second = seeded(snapshot(first))
    assert snapshot(second) == snapshot(first) == snapshot(bench.engine)
