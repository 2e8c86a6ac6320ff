"""Creating, finding, listing and removing containers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import EngineError
from tests.support import image, programs

if TYPE_CHECKING:
    from tests.contract.lab import Lab


def test_a_created_container_is_listed_as_created(lab: Lab) -> None:
    """Create answers a 64-digit id, under which the list has the container, never started."""
    container = lab.create("one")
    assert re.fullmatch(r"[0-9a-f]{64}", container)
    row = lab.row(container)
    assert row["Names"] == [f"/{lab.name('one')}"]
    assert (row["State"], row["Status"], row["Ports"]) == ("created", "Created", [])
    assert row["Image"] == image.NAME
    assert row["ImageID"] == lab.engine.inspect_image(image.NAME)["Id"]
    assert row["Labels"][image.LABEL] == "1"
    assert row["Command"] == "sleep 600"


def test_a_name_in_use_is_refused_naming_its_holder(lab: Lab) -> None:
    """Names are unique: 409, and the message holds the short id of the container that has the name."""
    holder = lab.create("one")
    with pytest.raises(EngineError, match="already in use by container") as caught:
        lab.create("one")
    assert caught.value.status == 409
    assert holder[:12] in caught.value.message


@pytest.mark.parametrize(
    ("reference", "named"),
    [
        ("rct-none:1", "rct-none:1"),
        ("rct-none", "rct-none:latest"),
        ("sha256:" + "0" * 64, "sha256:" + "0" * 64),
        ("rct-none:1@sha256:" + "0" * 64, "rct-none:1@sha256:" + "0" * 64),
    ],
)
def test_an_image_that_is_not_there_is_refused_by_name(lab: Lab, reference: str, named: str) -> None:
    """Create never pulls: 404 `No such image`, with the default tag filled in."""
    with pytest.raises(EngineError, match=f"No such image: {named}$") as caught:
        lab.create("one", Image=reference)
    assert caught.value.status == 404


@pytest.mark.parametrize("name", ["r ct", "-rct", "x", "rct/one"])
def test_an_impossible_name_is_refused(lab: Lab, name: str) -> None:
    """Names are [a-zA-Z0-9][a-zA-Z0-9_.-]+, else 400."""
    with pytest.raises(EngineError, match="Invalid container name") as caught:
        lab.engine.create_container(name, lab.body())
    assert caught.value.status == 400


def test_an_unknown_restart_policy_is_refused(lab: Lab) -> None:
    """Restart policies are a closed set, else 400."""
    with pytest.raises(EngineError, match="invalid restart policy") as caught:
        lab.create("one", HostConfig={"RestartPolicy": {"Name": "sometimes"}})
    assert caught.value.status == 400


def test_a_container_is_found_by_id_short_id_and_name(lab: Lab) -> None:
    """Every call takes the id, an unambiguous beginning of it, or the name."""
    container = lab.create("one")
    for reference in (container, container[:12], lab.name("one")):
        assert lab.inspect(reference)["Id"] == container


def test_a_container_that_is_not_there_is_not_found(lab: Lab) -> None:
    """Inspect and start answer 404 `No such container`."""
    for call in (lab.engine.inspect_container, lab.engine.start_container):
        with pytest.raises(EngineError, match="No such container") as caught:
            call(lab.name("none"))
        assert caught.value.status == 404


def test_stopping_or_removing_what_is_not_there_is_success(lab: Lab) -> None:
    """What should not run or exist, and does not, is as it should be."""
    lab.engine.stop_container(lab.name("none"))
    lab.engine.remove_container(lab.name("none"))


def test_a_removed_container_is_gone_and_its_name_free(lab: Lab) -> None:
    """After remove, neither list nor inspect has it; removing it again is success."""
    container = lab.create("one")
    lab.engine.remove_container(container)
    assert container not in {row["Id"] for row in lab.engine.list_containers()}
    with pytest.raises(EngineError):
        lab.inspect(container)
    lab.engine.remove_container(container)
    assert lab.create("one") != container


def test_a_running_container_is_not_removed(lab: Lab) -> None:
    """Remove never forces: 409 while it runs, and it goes on running."""
    container = lab.run("one")
    with pytest.raises(EngineError) as caught:
        lab.engine.remove_container(container)
    assert caught.value.status == 409
    assert lab.state(container)["Running"] is True


def test_what_somebody_else_removed_is_gone(lab: Lab) -> None:
    """A running container that was removed by force is in no list any more."""
    container = lab.run("one")
    lab.hands.remove(container)
    assert container not in {row["Id"] for row in lab.engine.list_containers()}


def test_rows_and_documents_are_the_callers_own(lab: Lab) -> None:
    """Changing an answer changes nothing on the engine."""
    container = lab.create("one")
    lab.row(container)["Labels"].clear()
    lab.inspect(container)["Config"]["Labels"].clear()
    assert lab.row(container)["Labels"][image.LABEL] == "1"
    assert lab.inspect(container)["Config"]["Labels"][image.LABEL] == "1"


def test_logs_are_the_last_lines_in_order(lab: Lab) -> None:
    """Both streams together; `tail` counts lines."""
    container = lab.run("one", programs.TALK)
    lab.until(container, 5, lambda _document: lab.engine.container_logs(container, 10).count("\n") == 3)
    assert lab.engine.container_logs(container, 1) == "three\n"
    assert sorted(lab.engine.container_logs(container, 10).split()) == ["one", "three", "two"]
