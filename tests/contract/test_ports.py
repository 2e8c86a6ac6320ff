"""Published ports: bound at start, in the way of others until the container ends."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import EngineError

if TYPE_CHECKING:
    from tests.contract.lab import Lab


@pytest.fixture
def port() -> str:
    """A host port that is free now."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return str(probe.getsockname()[1])


def publish(host_port: str, host_ip: str = "", exposed: str = "80/tcp") -> dict[str, Any]:
    """The part of a create body that publishes one port on the default bridge."""
    binding = {"HostIp": host_ip, "HostPort": host_port}
    return {
        "ExposedPorts": {exposed: {}},
        "HostConfig": {"NetworkMode": "bridge", "PortBindings": {"80/tcp": [binding]}},
    }


def test_a_published_port_is_shown(lab: Lab, port: str) -> None:
    """On every address, in inspect and in the list; an exposed one without a host port is bare."""
    container = lab.run("one", **publish(port))
    ports = lab.inspect(container)["NetworkSettings"]["Ports"]
    assert {"HostIp": "0.0.0.0", "HostPort": port} in ports["80/tcp"]
    assert ports["90/udp"] is None
    rows = lab.row(container)["Ports"]
    assert {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": int(port), "Type": "tcp"} in rows
    assert {"PrivatePort": 90, "Type": "udp"} in rows


def test_a_port_in_use_fails_the_start(lab: Lab, port: str) -> None:
    """Create succeeds; start answers 500; the container stays created with exit code 128 and the reason."""
    lab.run("one", **publish(port))
    container = lab.create("two", **publish(port))
    with pytest.raises(EngineError, match="port is already allocated") as caught:
        lab.engine.start_container(container)
    assert (caught.value.status, caught.value.code, caught.value.retryable) == (500, "PortInUse", False)
    state = lab.state(container)
    assert (state["Status"], state["ExitCode"], state["Running"]) == ("created", 128, False)
    assert "port is already allocated" in state["Error"]


def test_a_stopped_container_gives_its_port_back(lab: Lab, port: str) -> None:
    """The next start of the other one succeeds, and clears its error."""
    first = lab.run("one", **publish(port))
    second = lab.create("two", **publish(port))
    with pytest.raises(EngineError):
        lab.engine.start_container(second)
    lab.engine.stop_container(first)
    assert lab.inspect(first)["NetworkSettings"]["Ports"] == {}
    lab.engine.start_container(second)
    state = lab.state(second)
    assert (state["Status"], state["ExitCode"], state["Error"]) == ("running", 0, "")


def test_two_addresses_can_have_one_port(lab: Lab, port: str) -> None:
    """A port is taken per address."""
    lab.run("one", **publish(port, "127.0.0.1"))
    container = lab.run("two", **publish(port, "127.0.0.2"))
    assert lab.inspect(container)["NetworkSettings"]["Ports"]["80/tcp"] == [{"HostIp": "127.0.0.2", "HostPort": port}]


def test_the_engine_chooses_a_port_where_none_is_named(lab: Lab) -> None:
    """A different one for each."""
    chosen = set()
    for name in ("one", "two"):
        container = lab.run(name, **publish(""))
        chosen.add(lab.inspect(container)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"])
    assert len(chosen) == 2
    assert all(int(port) > 1024 for port in chosen)


def test_a_binding_of_a_port_that_is_not_exposed_is_ignored(lab: Lab, port: str) -> None:
    """The body must name the port in ExposedPorts too (the image exposes 80, so 81 is bound here)."""
    body = publish(port)
    body["HostConfig"]["PortBindings"] = {"81/tcp": [{"HostPort": port}]}
    container = lab.run("one", **body)
    assert "81/tcp" not in lab.inspect(container)["NetworkSettings"]["Ports"]


def test_an_exposed_range_has_no_number(lab: Lab) -> None:
    """`expose: ["90-92"]` goes to the engine as written; the list shows it as port 0."""
    container = lab.run("one", ExposedPorts={"90-92": {}}, HostConfig={"NetworkMode": "bridge"})
    assert {"PrivatePort": 0, "Type": "tcp"} in lab.row(container)["Ports"]
