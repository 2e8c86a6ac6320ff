"""Signals, drain commands and requests, writes and what others do, on a virtual clock."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.engine.simulated import Behaviour, SimulatedEngine, Snapshot, VirtualClock, outside
from reconciler.errors import EngineError
from tests.unit.simulated.bench import START, Bench, probe


@pytest.mark.parametrize("by", ["signal", "exec", "http"])
def test_an_app_that_finishes_ends_by_itself(bench: Bench, by: str) -> None:
    """`drained_after` seconds after it was told, with 0, whatever it would have ended with otherwise."""
    bench.behaviour = Behaviour(exit_after=100, exit_code=3, drained_after=4)
    bench.run(StopSignal="SIGTERM")
    bench.at(10)
    if by == "signal":
        bench.engine.kill_container("one", "SIGUSR1")
    elif by == "exec":
        assert bench.engine.exec_in_container("one", ("drain",), 5) == (0, "")
    else:
        bench.engine.http_post("one", 80, "/drain")
    bench.at(13.9)
    assert bench.state()["Status"] == "running"
    bench.at(14)
    assert (bench.state()["Status"], bench.state()["ExitCode"]) == ("exited", 0)


def test_the_next_start_has_forgotten_the_drain(bench: Bench) -> None:
    """It ends as its behaviour says again."""
    bench.behaviour = Behaviour(exit_after=100, exit_code=3, drained_after=4)
    bench.run()
    bench.engine.kill_container("one", "SIGUSR1")
    bench.at(50)
    bench.engine.start_container("one")
    bench.at(149)
    assert bench.state()["Status"] == "running"
    bench.at(150)
    assert bench.state()["ExitCode"] == 3


@pytest.mark.parametrize(("stop_after", "ends"), [(2.0, 2.0), (None, None)])
def test_the_stop_signal_ends_what_obeys_it(bench: Bench, stop_after: float | None, ends: float | None) -> None:
    """After `stop_after`, and nobody kills it later."""
    bench.behaviour = Behaviour(stop_after=stop_after)
    bench.run()
    bench.engine.kill_container("one", "15")
    assert bench.engine.next_event_at() == (None if ends is None else START + ends)
    bench.at(100)
    assert bench.state()["ExitCode"] == (0 if ends is None else 143)


def test_sigkill_is_at_once(bench: Bench) -> None:
    """137, and no policy restarts it."""
    bench.run(HostConfig={"RestartPolicy": {"Name": "always"}})
    bench.engine.kill_container("one", "KILL")
    bench.at(5)
    assert (bench.state()["Status"], bench.state()["ExitCode"]) == ("exited", 137)


def test_a_command_takes_its_time_and_no_more_than_allowed(bench: Bench) -> None:
    """Others live on meanwhile."""
    bench.run("two", **probe())
    bench.behaviour = Behaviour(drain_seconds=3, drain_code=2, drain_output="busy\n")
    bench.run()
    assert bench.engine.exec_in_container("one", ("drain", "--all"), 10) == (2, "busy\n")
    assert bench.time == 3
    assert (1.0, "health_status: healthy") in bench.log()
    with pytest.raises(EngineError, match="drain did not end within 2 s"):
        bench.engine.exec_in_container("one", ("drain", "--all"), 2)
    assert bench.time == 5


def test_a_signal_no_process_can_get_is_refused_only_of_one_that_runs(bench: Bench) -> None:
    """400, for names and numbers."""
    bench.run()
    for name in ("SIGBOGUS", "99"):
        with pytest.raises(EngineError) as caught:
            bench.engine.kill_container("one", name)
        assert caught.value.status == 400
    bench.engine.stop_container("one")
    bench.engine.kill_container("one", "SIGBOGUS")


def test_drain_calls_are_recorded(bench: Bench) -> None:
    """In order, with what was asked."""
    bench.run()
    bench.engine.calls.clear()
    bench.engine.exec_in_container("one", ["drain"], 5)
    bench.engine.http_post("one", 80, "/drain")
    bench.engine.kill_container("one", "SIGUSR1")
    bench.engine.disconnect_network("bridge", "one")
    assert [(call.name, call.args) for call in bench.engine.calls] == [
        ("exec_in_container", ("one", ("drain",), 5)),
        ("http_post", ("one", 80, "/drain")),
        ("kill_container", ("one", "SIGUSR1")),
        ("disconnect_network", ("bridge", "one")),
    ]


def test_what_somebody_writes_is_added_to_what_it_wrote(bench: Bench) -> None:
    """Folders above are changed, unless they were added."""
    bench.behaviour = Behaviour(writes=("/var/app", "/var/app/state"))
    bench.run()
    outside.write(bench.engine, "one", "/var/app/log/today")
    assert bench.engine.container_changes("one") == [
        {"Path": "/var", "Kind": 0},
        {"Path": "/var/app", "Kind": 1},
        {"Path": "/var/app/log", "Kind": 0},
        {"Path": "/var/app/log/today", "Kind": 1},
        {"Path": "/var/app/state", "Kind": 1},
    ]


def test_docker_update_changes_it_in_place(bench: Bench) -> None:
    """It runs on, with other limits and another policy."""
    bench.run()
    before = bench.state()
    outside.update(bench.engine, "one", Memory=1 << 26, RestartPolicy={"Name": "always", "MaximumRetryCount": 0})
    document = bench.engine.inspect_container("one")
    assert (document["HostConfig"]["Memory"], document["HostConfig"]["RestartPolicy"]["Name"]) == (1 << 26, "always")
    assert bench.state() == before
    outside.die(bench.engine, "one", 1)
    assert bench.state()["Status"] == "restarting"


def test_somebody_else_connects_it(bench: Bench) -> None:
    """Under the names that they like."""
    bench.engine.create_network("net", {})
    bench.run()
    outside.connect(bench.engine, "net", "one", Aliases=["web"])
    endpoints = bench.engine.inspect_container("one")["NetworkSettings"]["Networks"]
    assert endpoints["net"]["Aliases"][0] == "web"


def test_what_waits_to_be_restarted_keeps_its_networks(bench: Bench) -> None:
    """500 for leaving, 404 for joining: there is nothing to join with yet."""
    bench.engine.create_network("net", {})
    bench.run(HostConfig={"NetworkMode": "bridge", "RestartPolicy": {"Name": "always"}})
    outside.die(bench.engine, "one", 1)
    for call, network, status in (("disconnect_network", "bridge", 500), ("connect_network", "net", 404)):
        arguments: tuple[Any, ...] = (network, "one") if status == 500 else (network, "one", {})
        with pytest.raises(EngineError) as caught:
            getattr(bench.engine, call)(*arguments)
        assert caught.value.status == status


def test_a_seeded_engine_moves_containers_as_the_live_one_does() -> None:
    """Aliases, addresses and who holds them continue; so does what was written."""
    live = SimulatedEngine(VirtualClock(START))
    live.pull_image("app:1", None, lambda _line: None)
    live.create_network("net", {"IPAM": {"Config": [{"Subnet": "10.1.2.0/24"}]}})
    for name in ("one", "two"):
        live.create_container(name, {"Image": "app:1", "HostConfig": {"NetworkMode": "net"}})
        live.start_container(name)
    outside.write(live, "one", "/etc/new")
    rows = live.list_containers()
    snapshot = Snapshot(
        live.info(),
        containers=rows,
        inspects={row["Id"]: live.inspect_container(row["Id"]) for row in rows if row["Names"] == ["/one"]},
        networks=live.list_networks(),
        images=live.list_images(),
        changes={live.inspect_container("one")["Id"]: live.container_changes("one")},
    )
    seeded = SimulatedEngine.seeded(snapshot, VirtualClock(START))
    for engine in (live, seeded):
        engine.disconnect_network("net", "one")
        with pytest.raises(EngineError, match="already in use"):
            engine.connect_network("net", "one", {"IPAMConfig": {"IPv4Address": "10.1.2.3"}})
        engine.connect_network("net", "one", {"IPAMConfig": {"IPv4Address": "10.1.2.2"}, "Aliases": ["slot"]})
    ends = [engine.inspect_container("one")["NetworkSettings"]["Networks"]["net"] for engine in (live, seeded)]
    assert {one.pop("EndpointID") != "" for one in ends} == {True}
    assert ends[0] == ends[1]
    assert seeded.container_changes("one") == live.container_changes("one")
