"""What containers wrote to their writable layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.errors import EngineError
from tests.contract import drains

if TYPE_CHECKING:
    from tests.contract.lab import Lab

WRITTEN = [
    {"Path": "/srv", "Kind": 0},
    {"Path": "/srv/sub", "Kind": 1},
    {"Path": "/srv/sub/new", "Kind": 1},
]


def test_what_was_written_is_listed_with_the_folders_above(lab: Lab) -> None:
    """Kind 1 is added; a folder that was there is only changed. It stays after the end of the process."""
    container = lab.run("one", drains.WRITES)
    lab.hands.wait(0.3)
    below = [one for one in lab.engine.container_changes(container) if one["Path"].startswith("/srv")]
    assert sorted(below, key=lambda one: one["Path"]) == WRITTEN
    lab.engine.stop_container(container)
    assert [one for one in lab.engine.container_changes(container) if one in WRITTEN]


def test_who_writes_nothing_changes_nothing_of_its_own(lab: Lab) -> None:
    """No null, whether it ran or not."""
    for container in (lab.create("one"), lab.run("two")):
        assert [one for one in lab.engine.container_changes(container) if one["Path"].startswith("/srv")] == []


def test_what_is_gone_has_no_changes(lab: Lab) -> None:
    """404."""
    with pytest.raises(EngineError) as caught:
        lab.engine.container_changes(lab.name("none"))
    assert caught.value.status == 404
