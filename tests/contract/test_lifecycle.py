"""Starting, stopping, exits and restart policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.engine.times import seconds
from reconciler.errors import EngineError
from tests.support import programs

if TYPE_CHECKING:
    from tests.contract.lab import Lab


def policy(name: str, most: int = 0) -> dict[str, object]:
    """A HostConfig with that restart policy."""
    return {"RestartPolicy": {"Name": name, "MaximumRetryCount": most}}


def test_a_started_container_runs(lab: Lab) -> None:
    """State, times and the list's text after start."""
    container = lab.run("one")
    state = lab.state(container)
    assert (state["Status"], state["Running"], state["ExitCode"], state["Error"]) == ("running", True, 0, "")
    assert state["Pid"] > 0
    assert seconds(state["StartedAt"]) > 0
    assert (lab.row(container)["State"], lab.row(container)["Status"][:3]) == ("running", "Up ")


def test_starting_again_changes_nothing(lab: Lab) -> None:
    """Started already (304) is success, and StartedAt stays."""
    container = lab.run("one")
    before = lab.state(container)["StartedAt"]
    lab.engine.start_container(container)
    assert lab.state(container)["StartedAt"] == before


def test_a_stopped_container_has_exited(lab: Lab) -> None:
    """The image's SIGKILL ends it: 137; stopping again is success and changes nothing."""
    container = lab.run("one")
    lab.engine.stop_container(container)
    state = lab.state(container)
    assert (state["Status"], state["Running"], state["ExitCode"], state["Pid"]) == ("exited", False, 137, 0)
    assert seconds(state["FinishedAt"]) >= seconds(state["StartedAt"])
    assert lab.row(container)["Status"].startswith("Exited (137) ")
    lab.engine.stop_container(container)
    assert lab.state(container) == state


def test_stopping_what_never_ran_leaves_it_created(lab: Lab) -> None:
    """Nothing to stop is success."""
    container = lab.create("one")
    lab.engine.stop_container(container)
    assert lab.state(container)["Status"] == "created"


def test_a_stopped_container_starts_again(lab: Lab) -> None:
    """With a new StartedAt, its exit code forgotten and its last end remembered."""
    container = lab.run("one")
    first = lab.state(container)["StartedAt"]
    lab.engine.stop_container(container)
    ended = lab.state(container)["FinishedAt"]
    lab.engine.start_container(container)
    state = lab.state(container)
    assert (state["Status"], state["ExitCode"], state["FinishedAt"]) == ("running", 0, ended)
    assert seconds(state["StartedAt"]) > seconds(first)


def test_a_process_that_obeys_ends_with_its_own_code(lab: Lab) -> None:
    """Stop sends the container's own signal and waits."""
    container = lab.run("one", programs.OBEY, StopSignal="SIGTERM", StopTimeout=5)
    lab.hands.wait(0.3)
    lab.engine.stop_container(container)
    assert lab.state(container)["ExitCode"] == 5


def test_a_process_that_ignores_its_signal_is_killed(lab: Lab) -> None:
    """When the container's own grace period is over: 137."""
    container = lab.run("one", programs.STUBBORN, StopSignal="SIGTERM", StopTimeout=1)
    lab.hands.wait(0.3)
    began = seconds(lab.state(container)["StartedAt"])
    lab.engine.stop_container(container)
    state = lab.state(container)
    assert state["ExitCode"] == 137
    assert seconds(state["FinishedAt"]) - began >= 1.0


def test_a_command_that_does_not_exist_fails_the_start(lab: Lab) -> None:
    """The container stays created with exit code 127 and the reason; no policy tries again."""
    container = lab.create("one", programs.ABSENT, HostConfig=policy("always"))
    with pytest.raises(EngineError, match="no such file or directory"):
        lab.engine.start_container(container)
    state = lab.state(container)
    assert (state["Status"], state["ExitCode"], state["Running"]) == ("created", 127, False)
    assert "no such file or directory" in state["Error"]


@pytest.mark.parametrize(("program", "code"), [(programs.EXIT_0, 0), (programs.EXIT_3, 3)])
def test_without_a_policy_an_exit_is_the_end(lab: Lab, program: programs.Program, code: int) -> None:
    """The exit code stays to be read."""
    container = lab.run("one", program)
    document = lab.until_status(container, "exited")
    assert (document["State"]["ExitCode"], document["RestartCount"]) == (code, 0)


def test_on_failure_leaves_a_success_alone(lab: Lab) -> None:
    """Exit 0 is no failure."""
    container = lab.run("one", programs.EXIT_0, HostConfig=policy("on-failure"))
    document = lab.until_status(container, "exited")
    assert (document["State"]["ExitCode"], document["RestartCount"]) == (0, 0)


def test_on_failure_gives_up_after_its_retries(lab: Lab) -> None:
    """RestartCount says how often it was tried again."""
    container = lab.run("one", programs.EXIT_3, HostConfig=policy("on-failure", 2))
    document = lab.until(
        container, 5, lambda found: found["State"]["Status"] == "exited" and found["RestartCount"] == 2
    )
    assert document["State"]["ExitCode"] == 3


@pytest.mark.parametrize("name", ["always", "unless-stopped"])
def test_a_crash_loop_is_running_or_restarting(lab: Lab, name: str) -> None:
    """Between its lives it is `restarting`, Running, with the last exit code; each life has its own StartedAt."""
    container = lab.run("one", programs.BRIEF, HostConfig=policy(name))
    first = lab.state(container)["StartedAt"]
    document = lab.until(container, 10, lambda found: found["RestartCount"] >= 2)
    document = lab.until_status(container, "restarting")
    state = document["State"]
    assert (state["Running"], state["Restarting"], state["ExitCode"]) == (True, True, 7)
    document = lab.until_status(container, "running")
    assert seconds(document["State"]["StartedAt"]) > seconds(first)


def test_a_restarting_container_can_be_stopped_and_not_removed(lab: Lab) -> None:
    """Remove answers 409; stop ends the loop for good and keeps the last exit code; a start counts from 0 again."""
    container = lab.run("one", programs.EXIT_3, HostConfig=policy("always"))
    lab.until(container, 5, lambda found: found["RestartCount"] >= 3 and found["State"]["Status"] == "restarting")
    with pytest.raises(EngineError) as caught:
        lab.engine.remove_container(container)
    assert caught.value.status == 409
    lab.engine.stop_container(container)
    document = lab.inspect(container)
    assert (document["State"]["Status"], document["State"]["ExitCode"]) == ("exited", 3)
    lab.hands.wait(1.0)
    assert lab.state(container)["Status"] == "exited"
    lab.engine.start_container(container)
    assert lab.inspect(container)["RestartCount"] < 3


def test_what_was_stopped_or_killed_by_hand_is_not_restarted(lab: Lab) -> None:
    """Whatever the policy says."""
    stopped, killed = (lab.run(name, HostConfig=policy("always")) for name in ("one", "two"))
    lab.engine.stop_container(stopped)
    lab.hands.kill(killed)
    lab.until_status(killed, "exited")
    lab.hands.wait(0.5)
    assert {lab.state(stopped)["Status"], lab.state(killed)["Status"]} == {"exited"}


def test_a_paused_container_is_neither_started_nor_removed_but_stopped(lab: Lab) -> None:
    """Both answer 409; the list says `(Paused)`; stop ends it."""
    container = lab.run("one")
    lab.hands.pause(container)
    state = lab.state(container)
    assert (state["Status"], state["Running"], state["Paused"]) == ("paused", True, True)
    assert lab.row(container)["Status"].endswith("(Paused)")
    for call in (lab.engine.start_container, lab.engine.remove_container):
        with pytest.raises(EngineError) as caught:
            call(container)
        assert caught.value.status == 409
    lab.engine.stop_container(container)
    assert lab.state(container)["Status"] == "exited"
