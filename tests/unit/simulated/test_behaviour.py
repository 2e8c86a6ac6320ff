from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from reconciler.engine.simulated import Behaviour, SimulatedEngine, VirtualClock, outside
from reconciler.errors import EngineError
from tests.unit.simulated.bench import SECOND, START, Bench, probe

ALWAYS: dict[str, Any] = {"HostConfig": {"RestartPolicy": {"Name": "always"}}}


def test_an_image_nobody_described_stays_up(bench: Bench) -> None:
    """Without a check, nothing will ever change by itself."""
    bench.run()
    assert bench.engine.next_event_at() is None
    bench.at(1000)
    assert bench.state()["Status"] == "running"


def test_it_is_healthy_after_one_interval_and_then_settled(bench: Bench) -> None:
    """Only probes that decide something are due: a fixed point has none."""
    bench.run(**probe())
    assert bench.engine.next_event_at() == START + 1
    bench.at(1)
    assert bench.state()["Health"]["Status"] == "healthy"
    assert bench.engine.next_event_at() is None


def test_the_default_interval_is_the_engines(bench: Bench) -> None:
    """30 s, three retries."""
    bench.behaviour = Behaviour(healthy_after=None)
    bench.run(Healthcheck={"Test": ["CMD", "true"]})
    bench.at(89.9)
    assert bench.state()["Health"]["Status"] == "starting"
    bench.at(90)
    assert bench.state()["Health"]["Status"] == "unhealthy"
    assert bench.engine.next_event_at() is None


def test_slow_images_fail_probes_until_they_are_up(bench: Bench) -> None:
    """`healthy_after` counts from the start; unhealthy in between if the retries run out."""
    bench.behaviour = Behaviour(healthy_after=4.5)
    bench.run(**probe(Retries=2))
    bench.at(20)
    healths = [entry for entry in bench.log() if entry[1].startswith("health")]
    assert healths == [(2.0, "health_status: unhealthy"), (5.0, "health_status: healthy")]


def test_a_start_period_forgives(bench: Bench) -> None:
    """Failures inside it do not count."""
    bench.behaviour = Behaviour(healthy_after=4.5)
    bench.run(**probe(Retries=2, StartPeriod=4 * SECOND))
    bench.at(20)
    assert [entry for entry in bench.log() if entry[1].startswith("health")] == [(5.0, "health_status: healthy")]


def test_health_can_be_lost(bench: Bench) -> None:
    """From `unhealthy_after` on probes fail, and as many as retries count."""
    bench.behaviour = Behaviour(unhealthy_after=10)
    bench.run(**probe(Retries=3))
    bench.at(5)
    assert bench.engine.next_event_at() == START + 10
    bench.at(11)
    assert (bench.state()["Health"]["Status"], bench.state()["Health"]["FailingStreak"]) == ("healthy", 2)
    bench.at(12)
    assert bench.state()["Health"]["Status"] == "unhealthy"
    assert bench.engine.next_event_at() is None


def test_the_probe_log_keeps_five(bench: Bench) -> None:
    """As an engine does, with what the probe printed."""
    bench.behaviour = Behaviour(healthy_after=None, probe_output="no\n")
    bench.run(**probe(Retries=8))
    bench.at(8)
    log = bench.state()["Health"]["Log"]
    assert [(entry["ExitCode"], entry["Output"]) for entry in log] == [(1, "no\n")] * 5


def test_start_interval_needs_api_1_44() -> None:
    """Older engines ignore it."""
    for api, first in (("1.43", 30.0), ("1.44", 2.0)):
        info = SimulatedEngine().info()
        engine = SimulatedEngine(VirtualClock(START), info=type(info)(info.name, info.id, info.version, api))
        engine.pull_image("app:1", None, lambda _line: None)
        check = {"Test": ["CMD", "true"], "StartPeriod": 60 * SECOND, "StartInterval": 2 * SECOND}
        engine.start_container(engine.create_container("one", {"Image": "app:1", "Healthcheck": check}))
        started = engine.clock.now()
        assert engine.next_event_at() == pytest.approx(started + first, abs=1e-3)


def test_a_job_ends_by_itself(bench: Bench) -> None:
    """`exit_after` and `exit_code`."""
    bench.behaviour = Behaviour(exit_after=3, exit_code=4)
    bench.run()
    assert bench.engine.next_event_at() == START + 3
    bench.at(3)
    assert (bench.state()["Status"], bench.state()["ExitCode"]) == ("exited", 4)
    assert bench.engine.next_event_at() is None


def test_restarts_back_off_and_double(bench: Bench) -> None:
    """100 ms, 200 ms, 400 ms ... for a process that dies at once."""
    bench.behaviour = Behaviour(exit_after=0, exit_code=1)
    bench.run(**ALWAYS)
    bench.at(1.6)
    assert [at for at, action in bench.log() if action == "start"] == [0.0, 0.1, 0.3, 0.7, 1.5]
    assert bench.engine.inspect_container("one")["RestartCount"] == 5


def test_the_longest_wait_is_a_minute(bench: Bench) -> None:
    """However long it loops."""
    bench.behaviour = Behaviour(exit_after=0)
    bench.run(**ALWAYS)
    bench.at(1000)
    starts = [at for at, action in bench.log() if action == "start"]
    assert max(b - a for a, b in pairwise(starts)) == pytest.approx(60)


def test_the_wait_starts_over_after_ten_seconds_up(bench: Bench) -> None:
    """A process that stayed up for 10 s is restarted after 100 ms again."""
    bench.behaviour = Behaviour(exit_after=10)
    bench.run(**ALWAYS)
    bench.at(31)
    assert [at for at, action in bench.log() if action == "start"] == [0.0, 10.1, 20.2, 30.3]


def test_a_restart_that_cannot_have_its_port_stays_exited(bench: Bench) -> None:
    """Nobody called, so nobody is told: State.Error says why."""
    body: dict[str, Any] = {
        "ExposedPorts": {"80/tcp": {}},
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}},
    }
    bench.behaviour = Behaviour(exit_after=1)
    bench.run("one", ExposedPorts=body["ExposedPorts"], HostConfig={**body["HostConfig"], **ALWAYS["HostConfig"]})
    bench.at(1.05)
    bench.behaviour = Behaviour()
    bench.run("two", **body)
    bench.at(5)
    assert bench.state()["Status"] == "exited"
    assert "port is already allocated" in bench.state()["Error"]


def test_a_behaviour_can_change_between_starts(bench: Bench) -> None:
    """It is asked for at each start."""
    bench.behaviour = Behaviour(start_error="no such file or directory")
    with pytest.raises(EngineError) as caught:
        bench.run()
    assert caught.value.status == 400
    bench.behaviour = Behaviour()
    bench.engine.start_container("one")
    assert (bench.state()["Status"], bench.state()["Error"]) == ("running", "")


@pytest.mark.parametrize(
    ("behaviour", "timeout", "took", "code"),
    [
        (Behaviour(), None, 0.0, 143),
        (Behaviour(stop_after=2, stop_code=0), None, 2.0, 0),
        (Behaviour(stop_after=None), None, 10.0, 137),
        (Behaviour(stop_after=None), 3, 3.0, 137),
        (Behaviour(stop_after=5, stop_code=0), 3, 3.0, 137),
    ],
)
def test_stopping_takes_what_the_process_takes(
    bench: Bench, behaviour: Behaviour, timeout: int | None, took: float, code: int
) -> None:
    """At most StopTimeout (10 s unless set), then it is killed."""
    bench.behaviour = behaviour
    bench.run(StopTimeout=timeout)
    bench.engine.stop_container("one")
    assert (bench.time, bench.state()["ExitCode"]) == (took, code)


def test_others_live_on_while_one_is_stopped(bench: Bench) -> None:
    """What is due during a long call happens at its own time."""
    bench.run("two", **probe())
    bench.behaviour = Behaviour(stop_after=None)
    bench.run("one")
    bench.engine.stop_container("one")
    assert (1.0, "health_status: healthy") in bench.log()


def test_a_paused_process_does_not_end(bench: Bench) -> None:
    """Its remaining time runs on after unpause."""
    bench.behaviour = Behaviour(exit_after=5)
    bench.run()
    bench.at(2)
    outside.pause(bench.engine, "one")
    bench.at(60)
    assert bench.state()["Status"] == "paused"
    outside.unpause(bench.engine, "one")
    bench.at(62.9)
    assert bench.state()["Status"] == "running"
    bench.at(63)
    assert bench.state()["Status"] == "exited"


def test_an_engine_restart_starts_what_its_policy_says(bench: Bench) -> None:
    """`always` even after a stop by hand; `unless-stopped` only what ran; never what was not started before."""
    for policy in ("always", "unless-stopped", "no"):
        for stopped in ("", "-stopped"):
            bench.run(policy + stopped, HostConfig={"RestartPolicy": {"Name": policy}})
    for policy in ("always", "unless-stopped", "no"):
        bench.engine.stop_container(f"{policy}-stopped")
    bench.engine.create_container("new", {"Image": "app:1", **ALWAYS})
    outside.restart_engine(bench.engine)
    running = {row["Names"][0] for row in bench.engine.list_containers() if row["State"] == "running"}
    assert running == {"/always", "/always-stopped", "/unless-stopped"}


def test_a_crash_is_answered_by_the_policy(bench: Bench) -> None:
    """`die` is an exit by itself, unlike a kill."""
    bench.run(**ALWAYS)
    outside.die(bench.engine, "one", 1)
    assert bench.state()["Status"] == "restarting"
    bench.at(1)
    assert (bench.state()["Status"], bench.engine.inspect_container("one")["RestartCount"]) == ("running", 1)


def test_a_renamed_container_keeps_its_id(bench: Bench) -> None:
    """And its old name is free."""
    container = bench.run()
    outside.rename(bench.engine, "one", "other")
    assert bench.engine.inspect_container("other")["Id"] == container
    assert bench.run("one") != container
