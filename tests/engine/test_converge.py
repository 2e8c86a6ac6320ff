"""Converging by the command line on a real engine: what is made, replaced, kept and removed."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.engine.times import seconds
from tests.support.command import HEALTHY, SLOT
from tests.support.watch import Watch

if TYPE_CHECKING:
    from docker import APIClient

    from tests.support.command import Site

pytestmark = pytest.mark.engine


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# --- making and leaving alone -----------------------------------------------------------------------------------------


def test_a_second_run_changes_nothing(site: Site) -> None:
    """Network, volume and replicas are made as written; the next run leaves every container as it is, and says so."""
    site.write(
        {"volumes": {"data": {}}},
        web=site.service(deploy={"replicas": 2}, healthcheck=HEALTHY),
        db=site.service(volumes=["data:/var/db"]),
    )
    site.converge()
    before = site.running()
    assert len(before) == 3
    assert site.networks() == {f"{site.name}_default"}
    assert site.volumes() == {f"{site.name}_data"}
    site.converge().says("in sync")
    assert site.running() == before
    assert site.run("--dry-run", "--exit-code").code == 0


def test_scale_up_and_down_touch_no_other_replica(site: Site) -> None:
    """Two more replicas are added beside the one that runs; scaling down removes the highest slots."""
    site.write(web=site.service(scale=1)).converge()
    first = site.running()
    site.write(web=site.service(scale=3)).converge()
    grown = site.running()
    assert len(grown) == 3
    assert first.items() <= grown.items()
    site.write(web=site.service(scale=1)).converge()
    assert site.running() == first
    assert len(site.containers()) == 1


@pytest.mark.parametrize("meddle", ["kill", "remove", "pause", "stop"])
def test_what_somebody_took_down_is_recreated(site: Site, api: APIClient, meddle: str) -> None:
    """A replica that died, went away, was paused or was stopped by hand runs again; the other one is left alone."""
    site.write(web=site.service(scale=2)).converge()
    hurt, kept = sorted(site.running())
    verbs = {"kill": api.kill, "pause": api.pause, "stop": api.stop}
    if meddle == "remove":
        api.remove_container(hurt, force=True)
    else:
        verbs[meddle](hurt)
    site.converge()
    running = site.running()
    assert len(running) == 2
    assert kept in running
    assert hurt not in running
    assert len(site.containers()) == 2


# --- replacing --------------------------------------------------------------------------------------------------------


def test_an_update_rolls_start_first(site: Site) -> None:
    """While three replicas are replaced one after the other, never fewer than three run and never more than four."""
    site.write(web=site.service(scale=3, healthcheck=HEALTHY)).converge()
    old = site.running()
    site.write(web=site.service(scale=3, healthcheck=HEALTHY, environment={"RELEASE": "2"}))
    with Watch(site, "web") as watch:
        site.converge().says("RELEASE")
    assert (min(watch.running), max(watch.running)) == (3, 4)
    assert len(site.containers()) == 3
    assert not old.keys() & site.running().keys()


def test_parallelism_two_replaces_two_at_once(site: Site) -> None:
    """`update_config.parallelism: 2` lets two more than wanted run, and not three."""
    deploy = {"replicas": 4, "update_config": {"parallelism": 2}}
    site.write(web=site.service(deploy=deploy)).converge()
    site.write(web=site.service(deploy=deploy, environment={"RELEASE": "2"}))
    with Watch(site, "web") as watch:
        site.converge()
    assert min(watch.running) == 4
    assert max(watch.running) in {5, 6}
    assert len(site.running()) == 4


def test_a_fixed_host_port_is_replaced_stop_first(site: Site) -> None:
    """Two cannot bind one host port: the old one ends first, the plan says why, and one gap is all there is."""
    port = free_port()
    site.write(web=site.service(ports=[f"127.0.0.1:{port}:80"])).converge()
    site.write(web=site.service(ports=[f"127.0.0.1:{port}:80"], environment={"RELEASE": "2"}))
    planned = site.run("--dry-run", "-o", "json").expect(0).document
    assert {item["impact"] for item in planned["projects"][0]["operations"]} == {"gap"}
    with Watch(site, "web") as watch:
        site.converge()
    assert watch.running == [1, 0, 1]
    assert site.only("web")["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"] == str(port)


def test_asked_for_stop_first_is_obeyed(site: Site) -> None:
    """`order: stop-first` never runs more than wanted, though nothing forbids it."""
    deploy = {"replicas": 2, "update_config": {"order": "stop-first"}}
    site.write(web=site.service(deploy=deploy)).converge()
    site.write(web=site.service(deploy=deploy, environment={"RELEASE": "2"}))
    with Watch(site, "web") as watch:
        site.converge()
    assert (min(watch.running), max(watch.running)) == (1, 2)
    assert len(site.running()) == 2


# --- removing ---------------------------------------------------------------------------------------------------------


def test_a_removed_service_goes_and_its_volume_stays(site: Site) -> None:
    """Containers and network of a service that left the spec are removed; its named volume is not."""
    web = site.service(networks=["front"])
    old = site.service(networks=["back"], volumes=["data:/data"])
    site.write({"networks": {"front": {}, "back": {}}, "volumes": {"data": {}}}, web=web, old=old).converge()
    kept = {key: value for key, value in site.running().items() if key in site.containers("web")}
    site.write({"networks": {"front": {}}}, web=web).converge()
    assert site.running() == kept
    assert len(site.containers()) == 1
    assert site.networks() == {f"{site.name}_front"}
    assert site.volumes() == {f"{site.name}_data"}
    assert site.run("--dry-run", "--exit-code").code == 0


def test_no_prune_keeps_it_and_says_so(site: Site) -> None:
    """With --no-prune a service that left the spec runs on, and is named."""
    site.write(web=site.service(), old=site.service()).converge()
    before = site.running()
    site.write(web=site.service())
    site.converge("--no-prune").says("old", "--no-prune")
    assert site.running() == before


def test_a_spec_without_services_removes_nothing_unasked(site: Site) -> None:
    """An emptied spec stops nothing; only --allow-empty removes the whole project."""
    site.write(web=site.service()).converge()
    before = site.running()
    site.write_text("name: NAME\nservices: {}\n")
    site.run().expect(1).says("--allow-empty")
    assert site.running() == before
    site.converge("--allow-empty")
    assert not site.containers()


# --- order ------------------------------------------------------------------------------------------------------------


def test_a_job_runs_once_and_dependents_wait(site: Site) -> None:
    """A service whose completion is waited for runs to its end before its dependent starts, and not again."""
    job = site.service(command=["sh", "-c", "sleep 0.7; exit 0"])
    web = site.service(depends_on={"migrate": {"condition": "service_completed_successfully"}})
    site.write(migrate=job, web=web).converge()
    done, started = site.only("migrate"), site.only("web")
    assert (done["State"]["Status"], done["State"]["ExitCode"]) == ("exited", 0)
    assert done["State"]["FinishedAt"] <= started["Created"]
    site.converge()
    assert site.only("migrate")["State"]["StartedAt"] == done["State"]["StartedAt"]
    assert site.only("web")["Id"] == started["Id"]


def test_a_failed_job_fails_the_run(site: Site) -> None:
    """Exit 1 with the job's exit code and its log; what depends on it is not started."""
    job = site.service(command=["sh", "-c", "echo no such table: orders; exit 4"])
    web = site.service(depends_on={"migrate": {"condition": "service_completed_successfully"}})
    site.write(migrate=job, web=web)
    site.run().expect(1).says("migrate", "exited (4)", "no such table: orders")
    assert not site.containers("web")


def test_a_dependent_waits_for_health(site: Site) -> None:
    """`service_healthy`: the dependent is created only when the probe has passed."""
    slow = {"test": ["CMD-SHELL", "test -e /ready"], "interval": "100ms", "retries": 100}
    db = site.service(command=["sh", "-c", "sleep 2; touch /ready; sleep 600"], healthcheck=slow)
    site.write(db=db, web=site.service(depends_on={"db": {"condition": "service_healthy"}})).converge()
    started, created = site.only("db")["State"]["StartedAt"], site.only("web")["Created"]
    assert seconds(created) - seconds(started) >= 2


# --- data -------------------------------------------------------------------------------------------------------------


def test_an_anonymous_volume_follows_its_slot(site: Site) -> None:
    """Each replica's successor finds what that replica wrote; nothing is mixed up between slots."""
    fields = {"scale": 2, "volumes": ["/data"]}
    site.write(web=site.service(**fields)).converge()
    for key, row in site.containers().items():
        site.execute(key, "sh", "-c", f"echo slot {row['Config']['Labels'][SLOT]} > /data/mark")
    old = site.running()
    site.write(web=site.service(**fields, environment={"RELEASE": "2"})).converge()
    new = site.containers()
    assert not new.keys() & old.keys()
    marks = {row["Config"]["Labels"][SLOT]: site.execute(key, "cat", "/data/mark") for key, row in new.items()}
    assert marks == {"1": "slot 1", "2": "slot 2"}


def test_a_named_volume_survives_everything(site: Site) -> None:
    """Its content is there after a replacement, after the service was removed, and when it comes back."""
    top: dict[str, Any] = {"volumes": {"data": {}}}
    site.write(top, db=site.service(volumes=["data:/data"])).converge()
    site.execute(site.only("db")["Id"], "sh", "-c", "echo kept > /data/mark")
    site.write(top, db=site.service(volumes=["data:/data"], environment={"RELEASE": "2"})).converge()
    assert site.execute(site.only("db")["Id"], "cat", "/data/mark") == "kept"
    site.write(web=site.service()).converge()
    assert not site.containers("db")
    site.write(top, db=site.service(volumes=["data:/data"])).converge()
    assert site.execute(site.only("db")["Id"], "cat", "/data/mark") == "kept"


# --- networks ---------------------------------------------------------------------------------------------------------


def test_two_networks_with_aliases_and_an_address(site: Site, api: APIClient) -> None:
    """A replica is on both networks with its aliases and its fixed address before it runs for the first time."""
    number = int(site.name[-4:], 16)
    subnet = f"10.{200 + number % 50}.{number // 256 % 250}"
    networks: dict[str, Any] = {
        "front": {"aliases": ["shop"]},
        "back": {"aliases": ["store"], "ipv4_address": f"{subnet}.9"},
    }
    top: dict[str, Any] = {"networks": {"front": {}, "back": {"ipam": {"config": [{"subnet": f"{subnet}.0/24"}]}}}}
    script = "ip -4 addr > /seen; sleep 600"
    site.write(top, web=site.service(networks=networks, command=["sh", "-c", script])).converge()
    row = site.only("web")
    found = row["NetworkSettings"]["Networks"]
    assert found.keys() == {f"{site.name}_front", f"{site.name}_back"}
    assert {"shop", "web", f"{site.name}-web-1"} <= set(found[f"{site.name}_front"]["Aliases"])
    assert {"store", "web"} <= set(found[f"{site.name}_back"]["Aliases"])
    assert found[f"{site.name}_back"]["IPAddress"] == f"{subnet}.9"
    assert f"{subnet}.9" in site.execute(row["Id"], "cat", "/seen")
    before = site.running()
    site.converge()
    assert site.running() == before
    networks["back"]["aliases"] = ["warehouse"]
    site.write(top, web=site.service(networks=networks, command=["sh", "-c", script])).converge()
    row = site.only("web")
    assert row["Id"] not in before
    assert "warehouse" in row["NetworkSettings"]["Networks"][f"{site.name}_back"]["Aliases"]
    assert row["NetworkSettings"]["Networks"][f"{site.name}_back"]["IPAddress"] == f"{subnet}.9"


def test_a_shared_network_follows_its_owner(site: Site) -> None:
    """`network_mode: service:x` joins x's container, and joins the new one when x is replaced."""
    site.write(web=site.service(), side=site.service(network_mode="service:web")).converge()
    assert site.only("side")["HostConfig"]["NetworkMode"] == f"container:{site.only('web')['Id']}"
    first = site.only("side")["Id"]
    site.write(web=site.service(environment={"A": "1"}), side=site.service(network_mode="service:web")).converge()
    assert site.only("side")["HostConfig"]["NetworkMode"] == f"container:{site.only('web')['Id']}"
    assert site.only("side")["Id"] != first
    assert len(site.running()) == 2


def test_a_network_removed_by_hand_comes_back_with_its_replicas(site: Site, api: APIClient) -> None:
    """A run that succeeds leaves every replica on its networks, also where somebody removed one meanwhile."""
    site.write(web=site.service()).converge()
    network = f"{site.name}_default"
    api.disconnect_container_from_network(site.only("web")["Id"], network)
    api.remove_network(network)
    site.converge()
    assert network in site.only("web")["NetworkSettings"]["Networks"]


def test_a_guest_keeps_a_network_of_a_removed_service(site: Site) -> None:
    """A network that left the spec is not removed under a container that is not ours; the run succeeds and says so."""
    web = site.service(networks=["front"])
    top: dict[str, Any] = {"networks": {"front": {}, "back": {}}}
    site.write(top, web=web, old=site.service(networks=["back"])).converge()
    guest = site.outsider("guest", HostConfig={"NetworkMode": f"{site.name}_back"})
    site.write({"networks": {"front": {}}}, web=web).converge().says(f"{site.name}_back", f"{site.name}-guest")
    assert site.networks() == {f"{site.name}_front", f"{site.name}_back"}
    assert site.api.inspect_container(guest)["State"]["Running"]
