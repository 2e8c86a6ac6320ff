"""What the program does not do by itself, and what it does when a person asks for it by name, on a real engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.model.suspension import Suspension
from reconciler.store import Store
from tests.support.command import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.store import ProjectStore
    from tests.support.command import Site

pytestmark = pytest.mark.engine

BY_ALICE = Suspension("I am looking at it", "alice", 1_780_000_000.0)
SIZE = 200_000


@pytest.fixture
def kept(site: Site) -> Iterator[ProjectStore]:
    """What another process writes to the state file."""
    with Store.open(site.state) as store:
        yield store.project(site.api.info()["ID"], "default", site.name)


def test_a_killed_container_stays_dead_while_its_service_is_suspended(site: Site, kept: ProjectStore) -> None:
    """The others are healed, it is no failure, and a resume heals it."""
    site.write(web=site.service(), db=site.service()).converge()
    kept.suspend("web", BY_ALICE)
    dead, other = (site.only(name)["Id"] for name in ("web", "db"))
    site.api.kill(dead)
    site.api.kill(other)
    site.converge().says("web: Suspended", "suspended by alice since 2026-05-28", "reconcile resume web")
    assert site.only("web")["Id"] == dead
    assert site.only("web")["State"]["Running"] is False
    assert len(site.running("db")) == 1
    row = next(
        item for item in site.run("status", "-o", "json").document["projects"][0]["services"] if item["name"] == "web"
    )
    assert (row["health"], row["sync"], row["running"]) == ("Suspended", "Modified", 0)
    kept.resume("web")
    site.converge()
    assert len(site.running("web")) == 1


def test_a_rollout_under_way_stops_where_it_is(site: Site, kept: ProjectStore) -> None:
    """What is in flight ends; the old replica goes on, and a later resume carries on."""
    slow = {"update_config": {"order": "start-first", "monitor": "3s"}}
    site.write(web=site.service(deploy=slow)).converge()
    (old,) = site.running("web")
    run = site.write(web=site.service(deploy=slow, environment={"V": "2"})).start()
    until(lambda: len(site.running("web")) == 2)
    kept.suspend("web", BY_ALICE)
    stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == 0, stdout + stderr
    assert "suspended by alice" in stdout
    assert old in site.running("web")
    assert len(site.running("web")) == 2
    kept.resume("web")
    site.converge()
    assert old not in site.containers("web")


def test_of_ten_services_four_do_not_go_at_once(site: Site) -> None:
    """Four of the files that make a project are gone: nothing is removed, everything else goes on."""
    site.write(**{f"s{number}": site.service() for number in range(6)})
    files = ["-f", "compose.yaml"]
    for number in range(6, 10):
        path = site.folder / f"s{number}.yaml"
        path.write_text(json.dumps({"services": {f"s{number}": site.service()}}))
        files += ["-f", path.name]
    site.converge(*files)
    before = site.running()
    assert len(before) == 10
    lost = site.only("s0")["Id"]
    site.api.kill(lost)
    site.run("-f", "compose.yaml").expect(1).says(
        "TooManyRemoved", "4 of 10 services are not in the spec any more (s6, s7, s8, s9)", "--allow-empty"
    )
    assert before.items() - site.running().items() == {(lost, before[lost])}
    assert len(site.running("s0")) == 1
    site.converge("-f", "compose.yaml", "--allow-empty")
    assert len(site.running()) == 6


def stateful(site: Site) -> Site:
    """A project with a named volume, an anonymous one, and something in the first."""
    write = ["sh", "-c", f"head -c {SIZE} /dev/zero > /data/file; sleep 600"]
    site.write(
        {"volumes": {"data": {}}},
        db=site.service(command=write, volumes=["data:/data", "/hidden"]),
        web=site.service(),
    ).converge()
    return site


def volumes(site: Site) -> dict[str, dict[str, Any]]:
    """The project's volumes, as the program lists them."""
    found = site.run("volumes", "-o", "json").expect(0).document["volumes"]
    return {row["name"]: row for row in found if row["project"] == site.name}


def left(site: Site) -> set[str]:
    """The names of all volumes on the engine."""
    return {row["Name"] for row in site.api.volumes()["Volumes"] or []}


def test_a_project_is_taken_down_without_its_spec_and_its_data_stays(site: Site) -> None:
    """A dry-run changes nothing, nobody is asked without a terminal, and a stranger's network stays."""
    stateful(site)
    names = set(volumes(site))
    site.spec.unlink()
    before = site.containers()
    site.run("down", site.name, "--dry-run").expect(0).says("db/1 remove", "web/1 remove", f"{site.name}_default")
    site.run("down", site.name).expect(64).says("pass --yes")
    assert site.containers().keys() == before.keys()
    site.outsider("stranger", HostConfig={"NetworkMode": f"{site.name}_default"})
    site.run("down", site.name, "--yes").expect(0).says(
        "2 removed", f"{site.name}-stranger is attached to it: left alone"
    )
    assert site.containers() == {}
    assert site.networks() == {f"{site.name}_default"}
    assert len(names) == 2
    assert names <= left(site)
    site.run("down", site.name, "--yes").expect(0).says("nothing of it is here")
    past = site.run("history", "-p", site.name, "-o", "json").document["projects"][0]
    assert [(item["action"], bool(item["by"])) for item in past["actions"]] == [("down", True)]
    site.run("volumes", "rm", *names, "--yes").expect(0).says("2 volumes deleted")
    assert not names & left(site)


def test_a_project_is_taken_down_with_its_data(site: Site) -> None:
    """The named volume and the anonymous one of its slot; as JSON, with their sizes."""
    stateful(site)
    done = site.run("down", site.name, "--volumes", "--yes", "-o", "json").expect(0).document
    sizes = {row["anonymous"]: row["bytes"] for row in done["volumes"]}
    assert sizes[False] >= SIZE
    assert sizes[True] == 0
    assert (site.containers(), site.networks()) == ({}, set())
    assert not {row["name"] for row in done["volumes"]} & left(site)
    actions = site.run("history", "-p", site.name, "-o", "json").document["projects"][0]["actions"]
    assert [item["action"] for item in actions] == ["down", "volume.remove", "volume.remove"]


def test_volumes_are_listed_and_kept_from_mistakes(site: Site) -> None:
    """Whose, how large, used until when; one that is mounted or not ours stays, and with it all that were named."""
    stateful(site)
    data = f"{site.name}_data"
    row = volumes(site)[data]
    assert (row["services"], row["in_use"], row["ours"]) == (["db"], True, True)
    assert row["bytes"] >= SIZE
    (hidden,) = (item for item in volumes(site).values() if item["anonymous"])
    assert hidden["services"] == ["db/1"]
    site.api.stop(site.only("db")["Id"], timeout=1)
    ended = site.only("db")["State"]["FinishedAt"][:19]
    assert volumes(site)[data]["last_used"].startswith(ended)
    site.api.create_volume(f"{site.name}-theirs")
    refused = site.run("volumes", "rm", f"{site.name}-theirs", data, "--yes").expect(1)
    refused.says("was not made by this instance", f"{data} is mounted by {site.name}-db-1-", "nothing was removed")
    assert {data, f"{site.name}-theirs"} <= left(site)
    site.run("volumes").expect(0).says(data, "VOLUME PROJECT SERVICE SIZE")


def test_what_a_container_writes_to_its_own_file_does_not_replace_it_for_ever(site: Site) -> None:
    """Twice, and then it is told; the way out that it names works."""
    file = site.folder / "app.ini"
    file.write_text("a=1\n")
    own = site.service(command=["sh", "-c", "echo x >> /etc/app.ini; sleep 600"], volumes=["./app.ini:/etc/app.ini"])
    site.write(web=own)
    seen = []
    for _ in range(3):
        site.converge()
        seen.append(site.only("web")["Id"])
    assert len(set(seen)) == 3
    site.run().expect(1).says("WritesItsOwnFile", "./app.ini", "x-reconcile.mutation.allow: [/etc/app.ini]")
    assert site.only("web")["Id"] == seen[-1]
    rules = {**own["x-reconcile"], "mutation": {"allow": ["/etc/app.ini"]}}
    site.write(web={**own, "x-reconcile": rules}).converge()
    last = site.only("web")["Id"]
    site.converge()
    assert site.only("web")["Id"] == last
