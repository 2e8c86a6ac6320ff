"""What a container inherits from its image, and the engine's defaults: raw inspect JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support import image, programs

if TYPE_CHECKING:
    from tests.contract.lab import Lab


def config(lab: Lab, **body: Any) -> dict[str, Any]:
    """Config of a container made with exactly this body, image and test label added."""
    container = lab.engine.create_container(lab.name("one"), {"Image": image.NAME, **body})
    found: dict[str, Any] = lab.inspect(container)["Config"]
    return found


def test_the_image_is_what_stands_in_for_nothing(lab: Lab) -> None:
    """A body with no more than an image gets the image's whole configuration."""
    found = config(lab)
    assert found["Image"] == image.NAME
    for field in ("Env", "Cmd", "Entrypoint", "Healthcheck", "ExposedPorts", "Volumes", "StopSignal", "Labels"):
        assert found[field] == image.CONFIG[field], field
    assert (found["User"], found["WorkingDir"]) == ("0:0", "/srv")


def test_our_environment_comes_first_and_replaces_by_name(lab: Lab) -> None:
    """Env is ours as written, then what the image has under other names."""
    assert config(lab, Env=["B=9", "C=3", "A"])["Env"] == ["B=9", "C=3", "A", "PATH=/bin"]


def test_a_command_of_ours_keeps_the_images_entrypoint(lab: Lab) -> None:
    """Cmd replaces Cmd only."""
    found = config(lab, Cmd=["5"])
    assert (found["Entrypoint"], found["Cmd"]) == (["sleep"], ["5"])


def test_an_entrypoint_of_ours_drops_the_images_command(lab: Lab) -> None:
    """The image's Cmd was meant for the image's Entrypoint."""
    found = config(lab, Entrypoint=["sh"])
    assert (found["Entrypoint"], found["Cmd"]) == (["sh"], None)


@pytest.mark.parametrize(("asked", "got"), [([], []), ([""], None)])
def test_an_empty_entrypoint_drops_the_images(lab: Lab, asked: list[str], got: list[str] | None) -> None:
    """Without an entrypoint the command is the program."""
    container = lab.engine.create_container(
        lab.name("one"), {"Image": image.NAME, "Entrypoint": asked, "Cmd": ["sleep", "5"]}
    )
    document = lab.inspect(container)
    assert (document["Config"]["Entrypoint"], document["Path"], document["Args"]) == (got, "sleep", ["5"])


def test_labels_and_ports_are_united(lab: Lab) -> None:
    """Ours are added to the image's; of one name ours counts."""
    found = config(lab, Labels={"two": "22", "three": "3"}, ExposedPorts={"81/tcp": {}})
    assert found["Labels"] == {"one": "1", "two": "22", "three": "3", image.LABEL: "1"}
    assert found["ExposedPorts"] == {"80/tcp": {}, "81/tcp": {}, "90/udp": {}}


def test_a_health_check_is_filled_up_from_the_image(lab: Lab) -> None:
    """Each field that we leave out is the image's."""
    found = config(lab, Healthcheck={"Retries": 5})["Healthcheck"]
    assert found == {**image.CONFIG["Healthcheck"], "Retries": 5}


def test_user_directory_and_signal_of_ours_count(lab: Lab) -> None:
    """Single values replace the image's."""
    found = config(lab, User="7:8", WorkingDir="/tmp", StopSignal="SIGINT", StopTimeout=3)
    assert (found["User"], found["WorkingDir"], found["StopSignal"], found["StopTimeout"]) == (
        "7:8",
        "/tmp",
        "SIGINT",
        3,
    )


def test_the_host_name_is_the_short_id(lab: Lab) -> None:
    """Unless the body names one."""
    container = lab.create("one")
    assert lab.inspect(container)["Config"]["Hostname"] == container[:12]
    assert lab.inspect(lab.create("two", Hostname="me"))["Config"]["Hostname"] == "me"


def test_host_defaults_are_the_engines(lab: Lab) -> None:
    """What HostConfig says of a container that asked for nothing."""
    container = lab.engine.create_container(lab.name("one"), {"Image": image.NAME})
    found = lab.inspect(container)["HostConfig"]
    assert found["LogConfig"] == {"Type": "json-file", "Config": {}}
    assert found["ShmSize"] == 67108864
    assert found["IpcMode"] == "private"
    assert found["NetworkMode"] in {"default", "bridge"}
    assert found["RestartPolicy"]["Name"] in {"", "no"}
    assert (found["Memory"], found["NanoCpus"], found["CpuShares"], found["MemorySwap"]) == (0, 0, 0, 0)
    assert (found["Privileged"], found["ReadonlyRootfs"], found["AutoRemove"]) == (False, False, False)
    for field in (
        "Binds",
        "PortBindings",
        "CapAdd",
        "CapDrop",
        "ExtraHosts",
        "Dns",
        "Devices",
        "Ulimits",
        "SecurityOpt",
    ):
        assert found[field] is None, field


def test_a_memory_limit_allows_as_much_swap_again(lab: Lab) -> None:
    """MemorySwap 0 beside a limit is shown as twice the limit."""
    host_config = {"Memory": 67108864, "ShmSize": 1048576, "CapAdd": ["NET_ADMIN"]}
    found = lab.inspect(lab.create("one", HostConfig=host_config))["HostConfig"]
    assert (found["Memory"], found["MemorySwap"]) == (67108864, 134217728)
    assert (found["ShmSize"], found["CapAdd"]) == (1048576, ["NET_ADMIN"])


def test_bindings_are_filled_up(lab: Lab) -> None:
    """Each port binding shows both fields, empty where not asked for."""
    bindings = {"80/tcp": [{"HostPort": "18931"}], "81/tcp": [{"HostIp": "127.0.0.1"}], "82/tcp": [{}]}
    found = lab.inspect(lab.create("one", HostConfig={"PortBindings": bindings}))["HostConfig"]["PortBindings"]
    assert found == {
        "80/tcp": [{"HostIp": "", "HostPort": "18931"}],
        "81/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}],
        "82/tcp": [{"HostIp": "", "HostPort": ""}],
    }


def test_a_new_container_has_never_run(lab: Lab) -> None:
    """State before the first start: zero times, no health."""
    state = lab.state(lab.create("one", programs.STAY, Healthcheck=programs.PASSING))
    assert (state["Status"], state["Running"], state["ExitCode"], state["Error"]) == ("created", False, 0, "")
    assert state["StartedAt"] == state["FinishedAt"] == "0001-01-01T00:00:00Z"
    assert "Health" not in state
