"""Volumes and mounts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import EngineError
from tests.support import image

if TYPE_CHECKING:
    from tests.contract.lab import Lab


def mounts(lab: Lab, container: str) -> dict[str, dict[str, Any]]:
    """The container's Mounts, by path."""
    return {mount["Destination"]: mount for mount in lab.inspect(container)["Mounts"]}


def volumes(lab: Lab) -> dict[str, dict[str, Any]]:
    """All volumes, by name."""
    return {volume["Name"]: volume for volume in lab.engine.list_volumes()}


def test_an_existing_volume_keeps_its_labels(lab: Lab) -> None:
    """Creating it again is success and changes nothing."""
    lab.engine.create_volume(lab.name("data"), {"Labels": {image.LABEL: "1", "k": "1"}})
    lab.engine.create_volume(lab.name("data"), {"Labels": {"k": "2"}})
    found = volumes(lab)[lab.name("data")]
    assert found["Labels"] == {image.LABEL: "1", "k": "1"}
    assert (found["Driver"], found["Scope"]) == ("local", "local")


def test_an_impossible_volume_name_is_refused(lab: Lab) -> None:
    """400."""
    with pytest.raises(EngineError, match="invalid characters") as caught:
        lab.engine.create_volume("rct v", {})
    assert caught.value.status == 400


def test_a_volume_is_removed_unless_a_container_mounts_it(lab: Lab) -> None:
    """409 while one does, be it one that never ran; afterwards it is gone, and gone is success."""
    lab.engine.create_volume(lab.name("data"), {"Labels": {image.LABEL: "1"}})
    container = lab.create("one", HostConfig={"Binds": [f"{lab.name('data')}:/data"]})
    with pytest.raises(EngineError, match="volume is in use") as caught:
        lab.engine.remove_volume(lab.name("data"))
    assert (caught.value.status, caught.value.retryable) == (409, False)
    assert lab.name("data") in volumes(lab)
    lab.engine.remove_container(container)
    lab.engine.remove_volume(lab.name("data"))
    assert lab.name("data") not in volumes(lab)
    lab.engine.remove_volume(lab.name("data"))


def test_what_volumes_hold_is_measured(lab: Lab) -> None:
    """By name, with the rest of the volume's row, and how many containers mount it."""
    lab.engine.create_volume(lab.name("data"), {"Labels": {image.LABEL: "1"}})
    lab.create("one", HostConfig={"Binds": [f"{lab.name('data')}:/data"]})
    found = {row["Name"]: row for row in lab.engine.volume_usage()}[lab.name("data")]
    assert found["UsageData"] == {"RefCount": 1, "Size": 0}
    assert (found["Labels"], found["Driver"]) == ({image.LABEL: "1"}, "local")
    assert found["CreatedAt"]


def test_a_mount_makes_the_volume_it_names(lab: Lab) -> None:
    """A bind of a volume's name and a mount of type volume; both are shown alike."""
    container = lab.create(
        "one",
        HostConfig={
            "Binds": [f"{lab.name('bound')}:/bound:ro"],
            "Mounts": [{"Type": "volume", "Source": lab.name("mounted"), "Target": "/mounted"}],
        },
    )
    found = mounts(lab, container)
    assert {lab.name("bound"), lab.name("mounted")} <= set(volumes(lab))
    assert (found["/bound"]["Type"], found["/bound"]["Name"], found["/bound"]["RW"]) == (
        "volume",
        lab.name("bound"),
        False,
    )
    assert (found["/mounted"]["Type"], found["/mounted"]["Name"], found["/mounted"]["RW"]) == (
        "volume",
        lab.name("mounted"),
        True,
    )


def test_an_images_volume_is_anonymous_and_outlives_its_container(lab: Lab) -> None:
    """Its name has 64 digits, each container has its own, and removing the container leaves it."""
    names = [mounts(lab, lab.create(name))["/data"]["Name"] for name in ("one", "two")]
    assert all(re.fullmatch(r"[0-9a-f]{64}", name) for name in names)
    assert len(set(names)) == 2
    assert set(names) <= set(volumes(lab))
    lab.engine.remove_container(lab.name("one"))
    assert names[0] in volumes(lab)
    # and is taken over by naming it
    heir = lab.create("three", HostConfig={"Binds": [f"{names[0]}:/data"]})
    assert mounts(lab, heir)["/data"]["Name"] == names[0]


def test_a_mount_of_ours_takes_the_place_of_the_images_volume(lab: Lab) -> None:
    """No anonymous volume is made for that path."""
    container = lab.create("one", HostConfig={"Binds": [f"{lab.name('data')}:/data"]})
    assert mounts(lab, container)["/data"]["Name"] == lab.name("data")
    assert len(lab.inspect(container)["Mounts"]) == 1


def test_binds_and_tmpfs_are_shown(lab: Lab) -> None:
    """A path of the host in either form, and memory."""
    container = lab.create(
        "one",
        HostConfig={
            "Binds": ["/tmp:/short"],
            "Mounts": [
                {"Type": "bind", "Source": "/tmp", "Target": "/long", "ReadOnly": True},
                {"Type": "tmpfs", "Target": "/memory"},
            ],
        },
    )
    found = mounts(lab, container)
    assert (found["/short"]["Type"], found["/short"]["Source"], found["/short"]["RW"]) == ("bind", "/tmp", True)
    assert (found["/long"]["Type"], found["/long"]["Source"], found["/long"]["RW"]) == ("bind", "/tmp", False)
    assert (found["/memory"]["Type"], found["/memory"]["Source"]) == ("tmpfs", "")


def test_mounts_stand_in_the_list_too(lab: Lab) -> None:
    """By type, name and path."""
    container = lab.create("one", HostConfig={"Binds": [f"{lab.name('data')}:/data"]})
    row = lab.row(container)["Mounts"]
    assert [(mount["Type"], mount["Name"], mount["Destination"]) for mount in row] == [
        ("volume", lab.name("data"), "/data")
    ]
