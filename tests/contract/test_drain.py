"""What is done to a running replica because its spec opted in: a signal, a command inside it, a request to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.engine.times import seconds
from reconciler.errors import EngineError
from tests.contract import drains

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.engine.protocol import Engine
    from tests.contract.lab import Lab
    from tests.support.programs import Program

ALWAYS = {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}}


def serve(lab: Lab, program: Program) -> str:
    """A running container of that program on a network, its program under way."""
    container = lab.run("one", program, HostConfig={"NetworkMode": lab.network("net")})
    lab.hands.wait(0.4)
    return container


def test_a_signal_that_nobody_handles_changes_nothing(lab: Lab) -> None:
    """The first process of a container ignores what it does not handle."""
    container = lab.run("one")
    before = lab.state(container)
    lab.engine.kill_container(container, "SIGUSR1")
    lab.hands.wait(0.3)
    assert lab.state(container) == before


def test_a_signal_reaches_the_process(lab: Lab) -> None:
    """One that ends by it has exited with its own code."""
    container = lab.run("one", drains.LEAVES)
    lab.hands.wait(0.3)
    lab.engine.kill_container(container, "SIGUSR1")
    assert lab.until_status(container, "exited")["State"]["ExitCode"] == 0


def test_after_its_stop_signal_no_policy_restarts_it(lab: Lab) -> None:
    """A kill with the container's own stop signal is a stop by hand."""
    container = lab.run("one", drains.LEAVES, StopSignal="SIGUSR1", HostConfig=ALWAYS)
    lab.hands.wait(0.3)
    lab.engine.kill_container(container, "USR1")
    lab.until_status(container, "exited")
    lab.hands.wait(0.5)
    assert lab.state(container)["Status"] == "exited"


def test_after_another_signal_its_policy_holds(lab: Lab) -> None:
    """Where the image names its stop signal, a process that ends by another one comes back."""
    container = lab.run("one", drains.LEAVES, HostConfig=ALWAYS)
    first = lab.state(container)["StartedAt"]
    lab.hands.wait(0.3)
    lab.engine.kill_container(container, "SIGUSR1")
    document = lab.until(container, 5, lambda found: found["State"]["StartedAt"] != first)
    assert seconds(document["State"]["StartedAt"]) > seconds(first)


def test_an_unknown_signal_is_refused(lab: Lab) -> None:
    """400, whatever it is called."""
    container = lab.run("one")
    with pytest.raises(EngineError, match=r"(?i)invalid signal: SIGBOGUS") as caught:
        lab.engine.kill_container(container, "SIGBOGUS")
    assert caught.value.status == 400


def signalled(engine: Engine, container: str) -> None:
    """A drain by signal."""
    engine.kill_container(container, "SIGUSR1")


def commanded(engine: Engine, container: str) -> None:
    """A drain by a command, which is not run."""
    assert engine.exec_in_container(container, drains.FAILS, 5.0) == (0, "")


def requested(engine: Engine, container: str) -> None:
    """A drain by request."""
    engine.http_post(container, drains.PORT, "/drain")


@pytest.mark.parametrize("drain", [signalled, commanded, requested])
def test_what_does_not_run_needs_no_drain(lab: Lab, drain: Callable[[Engine, str], None]) -> None:
    """Gone, never started, exited: success."""
    created, exited = lab.create("one", drains.UNABLE), lab.run("two", drains.UNABLE)
    lab.engine.stop_container(exited)
    before = [lab.state(container) for container in (created, exited)]
    for container in (created, exited, lab.name("none")):
        drain(lab.engine, container)
    assert [lab.state(container) for container in (created, exited)] == before


@pytest.mark.parametrize("drain", [commanded, requested])
def test_what_is_paused_needs_no_drain(lab: Lab, drain: Callable[[Engine, str], None]) -> None:
    """It takes no requests and can run no command."""
    container = lab.run("one", drains.UNABLE)
    lab.hands.pause(container)
    drain(lab.engine, container)
    assert lab.state(container)["Status"] == "paused"


def test_a_command_that_succeeds(lab: Lab) -> None:
    """Exit code 0; the container runs on."""
    container = lab.run("one")
    assert lab.engine.exec_in_container(container, ("true",), 5.0) == (0, "")
    assert lab.state(container)["Status"] == "running"


def test_a_command_that_fails(lab: Lab) -> None:
    """Its exit code and what it printed, both streams."""
    container = lab.run("one", drains.UNABLE)
    code, output = lab.engine.exec_in_container(container, drains.FAILS, 5.0)
    assert (code, sorted(output.splitlines())) == (7, ["gone", "one"])


def test_a_command_that_ends_its_container(lab: Lab) -> None:
    """It is killed with it, and has not failed."""
    container = lab.run("one", drains.QUITS)
    lab.hands.wait(0.3)
    assert lab.engine.exec_in_container(container, ("sh", "-c", "kill -TERM 1; sleep 5"), 5.0) == (0, "")
    assert lab.until_status(container, "exited")["State"]["ExitCode"] == 0


def test_a_command_has_a_time_limit(lab: Lab) -> None:
    """EngineError, not to be tried again; the container runs on."""
    container = lab.run("one", drains.SLOW)
    with pytest.raises(EngineError, match=r"sleep did not end within 0\.3 s") as caught:
        lab.engine.exec_in_container(container, drains.TAKES_LONG, 0.3)
    assert (caught.value.code, caught.value.retryable) == ("DrainTimedOut", False)
    assert "may go on" in str(caught.value)
    assert lab.state(container)["Status"] == "running"


def test_a_request_is_taken(lab: Lab) -> None:
    """Any 2xx."""
    container = serve(lab, drains.ACCEPTS)
    lab.engine.http_post(container, drains.PORT, "/drain?now=1")
    assert lab.state(container)["Status"] == "running"


@pytest.mark.parametrize(
    ("program", "reason"), [(drains.REFUSES, "it answered 503"), (drains.DEAF, "nothing listens there")]
)
def test_a_request_is_refused(lab: Lab, program: Program, reason: str) -> None:
    """EngineError that says what was asked of whom, and why it failed."""
    container = serve(lab, program)
    with pytest.raises(EngineError, match=rf"POST .*{drains.PORT}.*/drain failed: {reason}") as caught:
        lab.engine.http_post(container, drains.PORT, "/drain")
    assert caught.value.code == "DrainFailed"
