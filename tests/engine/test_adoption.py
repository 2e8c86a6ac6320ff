"""Taking over what docker compose made on a real engine, and Compose's own commands on it afterwards."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from docker import APIClient

    from tests.support.command import Site

pytestmark = pytest.mark.engine

COMPOSE = "com.docker.compose."


def compose(site: Site, *arguments: str) -> str:
    """What docker compose prints; skips where there is none."""
    binary = [found] if (found := os.environ.get("COMPOSE")) else ["docker", "compose"]
    if subprocess.run([*binary, "version"], capture_output=True, check=False).returncode:
        pytest.skip("no docker compose here (COMPOSE names a binary)")
    ran = subprocess.run([*binary, *arguments], cwd=site.folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def labels(site: Site, **more: str) -> dict[str, str]:
    """Compose's labels, by their last words."""
    own = {"project": site.name, "project.working_dir": str(site.folder), "version": "2.40.3", **more}
    return {COMPOSE + key.replace("_", "-"): value for key, value in own.items()}


def by_hand(site: Site, service: str, number: int, **body: Any) -> str:
    """A running container in the shape in which Compose makes it; its id."""
    network, name = f"{site.name}_default", f"{site.name}-{service}-{number}"
    own = labels(site, service=service, container_number=str(number), oneoff="False", config_hash="0" * 64)
    endpoint = {"Aliases": [name, service]}
    made = {
        "Cmd": ["sleep", "600"],
        "Labels": own,
        "HostConfig": {"NetworkMode": network, **body.pop("HostConfig", {})},
        "NetworkingConfig": {"EndpointsConfig": {network: endpoint}},
    }
    return site.outsider(f"{service}-{number}", **made, **body)


def shop(site: Site, **web: Any) -> None:
    """A spec of two replicas and a database with a volume."""
    db = site.service(volumes=["data:/data"])
    replicas = {**site.service()["deploy"], "replicas": 2}
    site.write({"volumes": {"data": {}}}, web=site.service(deploy=replicas, **web), db=db)


def composed(site: Site, api: APIClient) -> set[str]:
    """That project as Compose makes it; the ids of the replicas of web."""
    api.create_network(f"{site.name}_default", driver="bridge", labels=labels(site, network="default"))
    api.create_volume(f"{site.name}_data", labels=labels(site, volume="data"))
    db = by_hand(site, "db", 1, HostConfig={"Binds": [f"{site.name}_data:/data:rw"]})
    site.execute(db, "touch", "/data/kept")
    return {by_hand(site, "web", number) for number in (1, 2)}


def running(site: Site) -> dict[str, str]:
    """Ids of the project's running containers, by Compose's labels, and their services."""
    rows = site.api.containers(filters={"label": f"{COMPOSE}project={site.name}"})
    return {row["Id"]: row["Labels"][f"{COMPOSE}service"] for row in rows}


def test_what_matches_is_kept(site: Site, api: APIClient) -> None:
    """Blocked until told; then nothing is touched, by that run or by any after it."""
    composed(site, api)
    shop(site)
    before = running(site)
    site.run().expect(1).says("NotOurs", "`--adopt` takes over what it made")
    site.run("--dry-run", "--adopt").expect(0).says("db/1, web/1, web/2 adopted as they are (3 replicas)")
    site.run().expect(1)
    site.converge("--adopt").says("3 to adopt; no container is touched")
    site.converge().says("in sync, nothing to do")
    assert running(site) == before


def test_what_differs_is_rolled_and_data_is_kept(site: Site, api: APIClient) -> None:
    """Two replicas with another variable are replaced; the database, its volume and the network stay."""
    old = composed(site, api)
    network = api.inspect_network(f"{site.name}_default")["Id"]
    shop(site, environment={"MODE": "new"})
    site.converge("--adopt").says("environment.MODE", "rolling, start-first", "1 to adopt, 2 to replace")
    found = running(site)
    assert sorted(found.values()) == ["db", "web", "web"]
    assert not old & found.keys()
    db = next(key for key, service in found.items() if service == "db")
    assert site.execute(db, "ls", "/data") == "kept"
    assert api.inspect_network(f"{site.name}_default")["Id"] == network
    site.converge().says("in sync, nothing to do")


def test_compose_and_the_program_take_turns(site: Site) -> None:
    """What real docker compose made is kept; its ls, ps, logs and down work on that and on what replaced some of it."""
    shop(site)
    compose(site, "up", "-d")
    before = running(site)
    site.converge("--adopt").says("3 replicas", f"network {site.name}_default, volume {site.name}_data kept")
    assert running(site) == before
    shop(site, command=["sh", "-c", "echo hello; sleep 600"])
    site.converge().says("2 replaced")
    assert site.name in compose(site, "ls", "-q")
    assert set(compose(site, "ps", "-q").split()) == running(site).keys()
    assert compose(site, "logs", "--no-log-prefix", "web").split() == ["hello", "hello"]
    compose(site, "down")
    assert (running(site), site.networks(), site.volumes()) == ({}, set(), {f"{site.name}_data"})
