"""Which answers of the engine are believed, and for how long."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.engine.simulated import Call, Moment, outside
from reconciler.errors import EngineError
from reconciler.model.files import Content
from reconciler.observation import container_from_inspect, row_name
from tests.support.planning import project, service
from tests.unit.loop.slow import Stage

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.observer import Observer


@pytest.fixture
def stage() -> Stage:
    made = Stage()
    assert made.run().succeeded
    return made


def only(stage: Stage) -> str:
    return str(stage.engine.list_containers()[0]["Id"])


def states(observer: Observer) -> list[str]:
    return [container.status for container in observer.observed().containers]


def test_an_older_inspection_does_not_replace_a_newer_one(stage: Stage) -> None:
    """The end of an operation may be heard of after a read that was made later."""
    observer = stage.observer()
    observer.resync()
    before = stage.engine.inspect_container(only(stage))
    seen_at = stage.executor.now()
    stage.engine.advance_to(seen_at + 1)
    outside.die(stage.engine, only(stage))
    observer.resync()
    observer.learn(before["Id"], before, seen_at)
    assert states(observer) == ["exited"]


def test_only_what_changed_is_inspected_again(stage: Stage) -> None:
    """A second look at an unchanged engine costs lists alone."""
    observer = stage.observer()
    observer.resync()
    inspected: list[Call] = []

    def note(call: Call, moment: Moment) -> None:
        inspected.extend([call] if call.name == "inspect_container" and moment == "before" else [])

    stage.engine.fault = note
    observer.resync()
    assert inspected == []
    outside.pause(stage.engine, only(stage))
    observer.resync()
    assert [call.args for call in inspected] == [(only(stage),)]
    assert states(observer) == ["paused"]


def test_a_failed_read_changes_nothing(stage: Stage) -> None:
    """Half a read is none: what was known before is still known, and the next whole read is believed."""
    observer = stage.observer()
    observer.resync()
    outside.pause(stage.engine, only(stage))
    stage.engine.fault = lambda call, _moment: EngineError("no") if call.name == "inspect_container" else None
    with pytest.raises(EngineError):
        observer.resync()
    assert (states(observer), observer.observed().foreign) == (["running"], ())
    stage.engine.fault = None
    observer.resync()
    assert states(observer) == ["paused"]


def test_what_vanishes_between_list_and_inspect_is_gone(stage: Stage) -> None:
    """It is neither ours any more nor somebody else's."""
    observer = stage.observer()
    stage.engine.fault = vanish(stage, only(stage))
    observer.resync()
    assert (states(observer), observer.observed().foreign) == ([], ())
    observer.resync()
    assert observer.known == set()


def vanish(stage: Stage, container: str) -> Any:
    def fault(call: Call, moment: Moment) -> None:
        if call.name == "inspect_container" and moment == "before":
            stage.engine.fault = None
            outside.remove(stage.engine, container)

    return fault


def test_a_renamed_container_is_somebody_elses(stage: Stage) -> None:
    """Its labels no longer say its name, and a name is the one thing that cannot be copied."""
    observer = stage.observer()
    outside.rename(stage.engine, only(stage), "mine")
    observer.resync()
    assert [(item.name, item.claims) for item in observer.observed().foreign] == [("mine", "shop")]
    observer.learn(only(stage), stage.engine.inspect_container(only(stage)), stage.executor.now())
    assert observer.known == set()


def test_an_image_that_vanishes_is_not_inspected(stage: Stage) -> None:
    """Listed and gone a moment later: without its config, the rest is as before."""
    observer = stage.observer()

    def fault(call: Call, _moment: Moment) -> Exception | None:
        return EngineError("gone", status=404) if call.name == "inspect_image" else None

    stage.engine.fault = fault
    observer.resync()
    assert observer.observed().images[0].config == {}
    stage.engine.fault = lambda call, _moment: EngineError("no", status=500) if call.name == "inspect_image" else None
    with pytest.raises(EngineError):
        observer.resync()
    with pytest.raises(EngineError):
        observer.observed()


def test_secrets_in_what_a_container_prints_are_hidden() -> None:
    """A health check or a failed start may repeat a password of the container's own environment."""
    raw = {
        "Id": "1",
        "Config": {"Env": ["DB_PASSWORD=hunter22"]},
        "State": {
            "Error": "exec: hunter22",
            "Health": {"Status": "unhealthy", "Log": [{"Output": "tried hunter22\n"}]},
        },
    }
    made = container_from_inspect(raw, 0.0)
    assert (made.error, made.health_output) == ("exec: ***", "tried ***")


def test_a_secret_that_came_later_is_hidden_too(stage: Stage, tmp_path: Path) -> None:
    """In what was read before and in what is read after, by the observer that a service keeps for months."""
    (tmp_path / "one").write_text("hunter22")
    observer = stage.observer()
    observer.resync()
    raw = stage.engine.inspect_container(only(stage))
    raw["State"] |= {"Error": "exec: hunter22"}
    observer.learn(raw["Id"], raw, stage.executor.now())
    assert [item.error for item in observer.observed().containers] == ["exec: hunter22"]
    secret = Content("secrets.s:/run/secrets/s", "1", path=str(tmp_path / "one"))
    observer.retarget(project(service(contents=(secret,))), dict, {})
    observer.resync()
    assert [item.error for item in observer.observed().containers] == ["exec: ***"]
    (tmp_path / "one").write_text("hunter33")
    observer.retarget(project(service(contents=(replace(secret, digest="2"),))), dict, {})
    raw["State"] |= {"Error": "exec: hunter33"}
    observer.learn(raw["Id"], raw, stage.executor.now())
    assert [item.error for item in observer.observed().containers] == ["exec: ***"]


def test_a_rows_own_name_is_not_a_link() -> None:
    """Old links add names with a second slash."""
    assert row_name({"Names": ["/other/alias", "/mine"]}) == "mine"
    assert row_name({"Names": ["/a/b"]}) == "a/b"
    assert row_name({}) == ""
