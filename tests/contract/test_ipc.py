"""Containers that join another one's IPC namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import EngineError

if TYPE_CHECKING:
    from tests.contract.lab import Lab


def joining(container: str) -> dict[str, Any]:
    """The part of a create body that joins that container's IPC namespace."""
    return {"HostConfig": {"IpcMode": f"container:{container}"}}


@pytest.mark.parametrize("mode", ["", "private", "none"])
def test_a_private_namespace_cannot_be_joined(lab: Lab, mode: str) -> None:
    """400 (500 before API 1.45) at start; it stays created and says why."""
    owner = lab.run("owner", HostConfig={"IpcMode": mode})
    guest = lab.create("guest", **joining(owner))
    with pytest.raises(EngineError, match="non-shareable IPC") as caught:
        lab.engine.start_container(guest)
    assert caught.value.status == (400 if lab.engine.info().supports("1.45") else 500)
    state = lab.state(guest)
    assert (state["Status"], state["ExitCode"]) == ("created", 128)
    assert f"container {owner}: non-shareable IPC" in state["Error"]


@pytest.mark.parametrize("mode", ["shareable", "host"])
def test_a_shared_namespace_can_be_joined(lab: Lab, mode: str) -> None:
    """Also through one that has joined it."""
    owner = lab.run("owner", HostConfig={"IpcMode": mode})
    guest = lab.run("guest", **joining(owner))
    lab.until_status(lab.run("guests-guest", **joining(guest)), "running")
    assert lab.state(guest)["Status"] == "running"


def test_the_owner_must_run(lab: Lab) -> None:
    """409 (500 before API 1.45)."""
    owner = lab.create("owner", HostConfig={"IpcMode": "shareable"})
    guest = lab.create("guest", **joining(owner))
    with pytest.raises(EngineError, match=r"IPC.*: container [0-9a-f]+ is not running") as caught:
        lab.engine.start_container(guest)
    assert caught.value.status == (409 if lab.engine.info().supports("1.45") else 500)
    lab.engine.start_container(owner)
    lab.engine.start_container(guest)
    assert lab.state(guest)["Status"] == "running"
