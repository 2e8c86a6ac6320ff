"""Operations that touch a running container: what they call, how their ends are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.engine.docker_connect import Target
from reconciler.engine.docker_drain import http_post
from reconciler.engine.docker_transport import Transport
from reconciler.engine.simulated import Behaviour, SimulatedEngine, VirtualClock
from reconciler.errors import EngineError
from reconciler.executor import Finished, execute
from reconciler.model.operation import Kind, Operation
from tests.support.planning import unguarded

PAYLOADS: dict[Kind, dict[str, Any]] = {
    "container.kill": {"signal": "SIGUSR1"},
    "container.exec": {"command": ("drain", "--token=hush"), "timeout": 5.0},
    "container.http": {"port": 80, "path": "/drain"},
    "network.disconnect": {"network": "net"},
}


def end_of(kind: Kind, behaviour: Behaviour | None = None, mode: str = "net", **payload: Any) -> Finished:
    """How that operation ends on a running container."""
    engine = SimulatedEngine(VirtualClock(), behaviours=lambda _image, _config: behaviour or Behaviour())
    engine.pull_image("app:1", None, lambda _line: None)
    engine.create_network("net", {"IPAM": {"Config": [{"Subnet": "10.1.2.0/24"}]}})
    body = {"Image": "app:1", "Env": ["TOKEN=hush-hush-1"], "HostConfig": {"NetworkMode": mode}}
    container = engine.create_container("one", body)
    engine.start_container(container)
    operation = Operation("op", kind, "one", "shop", target=container, payload=PAYLOADS.get(kind, {}) | payload)
    return execute(engine, operation, lambda _text: None, engine.clock.now, unguarded)


@pytest.mark.parametrize("kind", list(PAYLOADS))
def test_it_ends_well_at_the_engines_time(kind: Kind) -> None:
    """With the container it was about."""
    finished = end_of(kind)
    assert finished.error is None
    assert finished.container == finished.operation.target
    assert finished.ended_at == finished.seen_at > 0


@pytest.mark.parametrize("kind", ["container.kill", "container.exec", "network.disconnect"])
def test_what_may_have_changed_is_looked_at_again(kind: Kind) -> None:
    """The container as it is afterwards."""
    inspected = end_of(kind).inspected
    assert inspected is not None
    assert ("net" in inspected["NetworkSettings"]["Networks"]) is (kind != "network.disconnect")


def test_a_command_that_fails_is_an_error_without_its_arguments() -> None:
    """Program, exit code, last line of output; no secret of the container's; not to be run again."""
    said = "one\ntwo: hush-hush-1 expired\n"
    error = end_of("container.exec", Behaviour(drain_code=7, drain_output=said)).error
    assert error is not None
    assert error.message.startswith("drain exited with 7: two: ")
    assert "hush" not in str(error)
    assert (error.code, error.retryable) == ("DrainFailed", False)


def test_a_command_that_says_nothing_fails_too() -> None:
    """Then there is no last line."""
    error = end_of("container.exec", Behaviour(drain_code=1)).error
    assert error is not None
    assert error.message == "drain exited with 1"


def test_a_request_that_fails_is_an_error() -> None:
    """Not to be sent again."""
    error = end_of("container.http", Behaviour(http_status=500)).error
    assert error is not None
    assert (error.code, error.retryable) == ("DrainFailed", False)


def test_a_refused_connect_is_looked_at_too() -> None:
    """It may have left something behind."""
    endpoint = {"IPAMConfig": {"IPv4Address": "10.1.2.1"}}
    finished = end_of("network.connect", mode="bridge", network="net", endpoint=endpoint)
    assert isinstance(finished.error, EngineError)
    assert finished.error.status == 403
    assert finished.inspected is not None


@pytest.mark.parametrize("host", ["tcp://engine.example:2376", "ssh://me@engine.example"])
def test_a_remote_engines_containers_cannot_be_reached(host: str) -> None:
    """Said before anything is tried, with what to do instead."""
    transport = Transport(Target(host, "test", Path("/nowhere")), "1.41")
    with pytest.raises(EngineError, match="on another machine") as caught:
        http_post(transport, "one", 80, "/drain")
    assert "exec or signal" in str(caught.value)
