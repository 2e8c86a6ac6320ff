"""Files that are put into a container before its first start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.errors import EngineError
from reconciler.model.files import CopiedFile
from tests.contract import drains

if TYPE_CHECKING:
    from tests.contract.lab import Lab

FILES = (CopiedFile("/srv/new/app.conf", "hello", 0o440, 5, 6), CopiedFile("/srv/empty", ""))


def test_files_are_added_with_the_folders_above(lab: Lab) -> None:
    """Once more changes nothing; the container starts with them."""
    container = lab.create("one", drains.WRITES)
    lab.engine.copy_files(container, FILES)
    lab.engine.copy_files(container, FILES)
    changes = {one["Path"] for one in lab.engine.container_changes(container)}
    assert {"/srv", "/srv/new", "/srv/new/app.conf", "/srv/empty"} <= changes
    lab.engine.start_container(container)
    assert lab.inspect(container)["State"]["Status"] == "running"


def test_what_is_copied_into_a_volume_is_not_in_the_layer(lab: Lab) -> None:
    """The volume has it."""
    container = lab.create("one", HostConfig={"Mounts": [{"Type": "volume", "Target": "/srv/data"}]})
    lab.engine.copy_files(container, (CopiedFile("/srv/data/app.conf", "hello"),))
    assert "/srv/data/app.conf" not in {one["Path"] for one in lab.engine.container_changes(container)}


def test_a_read_only_container_takes_none(lab: Lab) -> None:
    """Refused, nothing written."""
    container = lab.create("one", HostConfig={"ReadonlyRootfs": True})
    with pytest.raises(EngineError) as caught:
        lab.engine.copy_files(container, FILES)
    assert "read-only" in caught.value.message


def test_a_container_that_is_gone_takes_none(lab: Lab) -> None:
    """404."""
    with pytest.raises(EngineError) as caught:
        lab.engine.copy_files(lab.name("none"), FILES)
    assert caught.value.status == 404
