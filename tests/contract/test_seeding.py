"""A simulated engine seeded with what an engine says, says the same: the base of every forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.engine.simulated import SimulatedEngine, Snapshot, VirtualClock
from reconciler.errors import EngineError
from tests.support import image, programs

if TYPE_CHECKING:
    from tests.contract.lab import Lab


def snapshot(lab: Lab) -> Snapshot:
    """Everything that the engine says: containers of others listed, ours inspected, our image inspected."""
    engine = lab.engine
    rows = engine.list_containers()
    ours = [row["Id"] for row in rows if row["Names"][0].startswith(f"/{lab.prefix}")]
    return Snapshot(
        engine.info(),
        containers=rows,
        inspects={container: engine.inspect_container(container) for container in ours},
        networks=engine.list_networks(),
        volumes=engine.list_volumes(),
        images=engine.list_images(),
        image_inspects={image.NAME: engine.inspect_image(image.NAME)},
    )


@pytest.fixture
def living(lab: Lab) -> Lab:
    """An engine with a container in every state that lasts."""
    network = lab.network("net")
    on: dict[str, Any] = {"HostConfig": {"NetworkMode": network}}
    lab.create("created", **on)
    lab.run("running", **on, Healthcheck={**programs.PASSING, "Interval": 30_000_000_000})
    lab.engine.stop_container(lab.run("stopped", **on))
    lab.hands.pause(lab.run("paused"))
    lab.until_status(lab.run("exited", programs.EXIT_3), "exited")
    return lab


def test_it_lists_and_inspects_the_same(living: Lab) -> None:
    """Rows, documents, networks, volumes and images, byte for byte."""
    before = snapshot(living)
    seeded = SimulatedEngine.seeded(before, VirtualClock())
    assert seeded.info() == before.info
    assert seeded.list_containers() == before.containers
    assert {key: seeded.inspect_container(key) for key in before.inspects} == before.inspects
    assert seeded.list_networks() == before.networks
    assert seeded.list_volumes() == before.volumes
    assert seeded.list_images() == before.images
    assert seeded.inspect_image(image.NAME) == before.image_inspects[image.NAME]


def test_it_goes_on_from_there(living: Lab) -> None:
    """Every verb does to the seeded engine what it does to the engine it was read from."""
    before = snapshot(living)
    seeded = SimulatedEngine.seeded(before, VirtualClock())
    names = [living.name(name) for name in ("created", "running", "stopped", "paused")]
    verbs = ("start_container", "stop_container", "remove_container")
    for verb in verbs:
        for name in names:
            assert _outcome(seeded, verb, name) == _outcome(living.engine, verb, name), (verb, name)
    with pytest.raises(EngineError):
        seeded.inspect_container(living.name("created"))


def test_its_names_networks_and_ports_are_taken(living: Lab) -> None:
    """A name in use is refused; a network in use stays."""
    seeded = SimulatedEngine.seeded(snapshot(living), VirtualClock())
    with pytest.raises(EngineError, match="already in use by container"):
        seeded.create_container(living.name("running"), living.body())
    with pytest.raises(EngineError, match="active endpoints"):
        seeded.remove_network(living.name("net"))


def _outcome(engine: Any, verb: str, name: str) -> tuple[Any, ...]:
    """The answer's status, and the state afterwards, without times and process ids."""
    try:
        getattr(engine, verb)(name)
        status = None
    except EngineError as error:
        status = error.status
    try:
        state = engine.inspect_container(name)["State"]
    except EngineError as error:
        return status, error.status
    return status, state["Status"], state["Running"], state["ExitCode"], state["Error"]
