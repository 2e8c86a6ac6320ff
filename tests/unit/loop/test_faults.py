"""What may go wrong while a project converges, on the simulated engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.engine.simulated import Behaviour, Call, Moment, outside
from reconciler.errors import EngineError
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WEB = 'services:\n  web: {{image: "example/web:1.0", environment: {{V: "{}"}}}}\n'


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def on_call(world: World, name: str, act: Callable[[], Exception | None], moment: Moment = "before") -> None:
    """Let something happen once, around the next call of that name."""

    def fault(call: Call, when: Moment) -> Exception | None:
        if call.name != name or when != moment:
            return None
        world.engine.fault = None
        return act()

    world.engine.fault = fault


def test_a_container_that_took_the_name_first_is_never_touched(world: World) -> None:
    """A create refused because of the name does not make the holder of that name ours, whatever its labels say."""
    labels = {"io.reconciler.service": "web", "io.reconciler.slot": "1", "io.reconciler.project": "other"}

    def take_name() -> None:
        world.foreign("front", {"Image": "example/web:1.0", "Labels": labels})

    on_call(world, "create_container", take_name)
    report = world.converge(world.project('services:\n  web: {image: "example/web:1.0", container_name: front}\n'))
    assert not report.succeeded
    assert world.engine.inspect_container("front")["State"]["Status"] == "running"


def test_copied_labels_do_not_make_a_container_ours(world: World) -> None:
    """A copy with all our labels is left alone, also when the container it was copied from is long gone."""
    world.converge(world.project(WEB.format(1)))
    labels = world.engine.inspect_container(world.container("web/1"))["Config"]["Labels"]
    others = {key: value for key, value in labels.items() if not key.startswith("com.docker.compose.")}
    world.foreign("copy", {"Image": "example/web:1.0", "Labels": others})
    for version in (2, 3):
        assert world.converge(world.project(WEB.format(version))).succeeded
    assert world.engine.inspect_container("copy")["State"]["Status"] == "running"


def test_a_crash_after_a_new_container_died_is_recovered(world: World) -> None:
    """A dead container that holds the name of the next one is removed first."""
    world.converge(world.project(WEB.format(1)))
    on_call(world, "start_container", crash, "after")
    with pytest.raises(KeyboardInterrupt):
        world.converge(world.project(WEB.format(2)))
    outside.die(world.engine, world.container("web/1"))
    report = world.converge(world.project(WEB.format(2)))
    assert report.succeeded, report.conditions
    assert world.states() == {"web/1": "running"}


def crash() -> Exception | None:
    raise KeyboardInterrupt


def test_a_failed_pull_leaves_what_holds_the_port(world: World) -> None:
    """A removed service yields its port only to one that has its image, networks and dependencies."""
    spec = 'services:\n  {}: {{image: "example/{}:1.0", ports: ["8080:80"]}}\n'
    world.converge(world.project(spec.format("old", "old")))
    on_call(world, "pull_image", lambda: EngineError("manifest unknown"))
    assert not world.converge(world.project(spec.format("new", "new"))).succeeded
    assert world.states() == {"old/1": "running"}


def test_services_that_swap_ports_are_told_not_forgotten(world: World) -> None:
    """Two services that wait for each other's port are no success: it is said, and both run on."""
    spec = 'services:\n  a: {{image: "e/a:1", ports: ["{}:80"]}}\n  b: {{image: "e/b:1", ports: ["{}:80"]}}\n'
    world.converge(world.project(spec.format(8080, 8081)))
    report = world.converge(world.project(spec.format(8081, 8080)))
    assert not report.succeeded
    assert {condition.service for condition in report.conditions} == {"a", "b"}
    assert all("8080" in item.message or "8081" in item.message for item in report.conditions)
    assert world.states() == {"a/1": "running", "b/1": "running"}


def test_anonymous_volumes_follow_a_container_name(world: World) -> None:
    """The old container is removed first, and still its successor has its anonymous volumes."""
    spec = 'services:\n  db: {{image: "e/db:1", container_name: db, volumes: [/data], environment: {{V: "{}"}}}}\n'
    assert world.converge(world.project(spec.format(1))).succeeded
    before = volume_at_data(world)
    assert world.converge(world.project(spec.format(2))).succeeded
    assert volume_at_data(world) == before


def volume_at_data(world: World) -> str:
    mounts: list[dict[str, Any]] = world.engine.inspect_container("db")["Mounts"]
    return next(str(mount["Name"]) for mount in mounts if mount["Destination"] == "/data")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_inspection_that_fails_after_a_create_changes_nothing(world: World, moment: Moment) -> None:
    """The operation succeeded: not being able to look at its result once is no failure of it."""

    def fail_next_inspect() -> None:
        on_call(world, "inspect_container", lambda: EngineError("busy"), moment)

    on_call(world, "create_container", fail_next_inspect, "after")
    report = world.converge(world.project(WEB.format(1)))
    assert report.succeeded, report.conditions
    assert report.failed_operations == ()


def test_an_operation_without_effect_is_not_repeated_for_ever(world: World) -> None:
    """What was carried out several times and is still wanted is said to have no effect."""
    world.converge(world.project('services:\n  web: {image: "example/web:1.0"}\n  old: {image: "example/web:1.0"}\n'))
    world.engine.stop_container = lambda container: None  # type: ignore[method-assign]  # noqa: ARG005
    report = world.converge(world.project('services:\n  web: {image: "example/web:1.0"}\n'))
    assert not report.succeeded
    assert len(world.engine.calls) < 100
    assert [(item.reason, item.service) for item in report.conditions] == [("RemoveFailed", "old")]


def test_a_surplus_replica_that_cannot_be_removed_is_told(world: World) -> None:
    """Scaling down is done when the replica is gone."""
    spec = 'services:\n  web: {{image: "example/web:1.0", scale: {}}}\n'
    world.converge(world.project(spec.format(2)))
    on_call(world, "remove_container", lambda: EngineError("driver failed to remove root filesystem"))
    report = world.converge(world.project(spec.format(1)))
    assert not report.succeeded
    assert [condition.reason for condition in report.conditions] == ["RemoveFailed"]


def test_secrets_in_engine_messages_are_hidden(world: World) -> None:
    """Neither a refused call nor a health check's output shows the value of a variable that looks secret."""
    world.behaviours = lambda _image, _config: Behaviour(start_error="exec: hunter22: not found")
    spec = 'services:\n  web: {image: "example/web:1.0", environment: {DB_PASSWORD: hunter22}}\n'
    report = world.converge(world.project(spec))
    assert not report.succeeded
    assert "hunter22" not in str((report.conditions, report.failures, report.failed_operations, report.services))
    assert "hunter22" not in str([activity.text for activity in world.activities])


def test_a_service_of_no_replicas_needs_no_image(world: World) -> None:
    """Nothing is pulled for what is not to run, and an image nobody has is no failure of it."""
    world.engine.world.registry = {}
    report = world.converge(world.project('services:\n  web: {image: "example/gone:1", scale: 0}\n'))
    assert report.succeeded, report.conditions
    assert report.operations == () or [item.kind for item in report.operations] == ["network.create"]
    assert report.services[0].sync == "Synced"
