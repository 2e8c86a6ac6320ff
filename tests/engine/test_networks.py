"""A changed network on a real engine: made anew, with its users back on it under all their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command import Site

pytestmark = pytest.mark.engine


def write(site: Site, **network: Any) -> Site:
    """Two replicas that depend on one with an alias, on two networks of which one is as given."""
    front = {"front": {"aliases": ["www"]}, "back": {}}
    web = site.service(networks=front, scale=2, depends_on=["db"])
    top = {"networks": {"front": network, "back": {}}}
    return site.write(top, web=web, db=site.service(networks={"front": {"aliases": ["data"]}}))


def network_of(site: Site, key: str) -> dict[str, Any]:
    """The network's document."""
    found: dict[str, Any] = site.api.inspect_network(f"{site.name}_{key}")
    return found


def answered(site: Site, name: str) -> set[str]:
    """The addresses that db, which is on that network alone, gets for a name."""
    said = site.execute(next(iter(site.running("db"))), "nslookup", name).partition("Name:")[2]
    return {word for word in said.split() if word.count(".") == 3}


def addresses(site: Site, service: str) -> set[str]:
    """The addresses that the service's replicas have on the front network."""
    networks = (row["NetworkSettings"]["Networks"] for row in site.containers(service).values())
    return {found[f"{site.name}_front"]["IPAddress"] for found in networks}


def test_its_users_come_back_under_all_their_names(site: Site) -> None:
    """Names and aliases resolve on the new network; the other network is the same; one more run has nothing to do."""
    write(site).converge()
    before, back = network_of(site, "front"), network_of(site, "back")
    write(site, internal=True, labels={"tier": "edge"}).converge()
    front = network_of(site, "front")
    assert front["Id"] != before["Id"]
    assert (front["Internal"], front["Labels"]["tier"]) == (True, "edge")
    assert network_of(site, "back")["Id"] == back["Id"]
    assert len(site.containers()) == len(site.running()) == 3
    for service, name in (("web", "web"), ("web", "www"), ("db", "db"), ("db", "data")):
        assert addresses(site, service) <= answered(site, name), name
    kept = site.running()
    site.converge().says("nothing to do")
    assert site.running() == kept


def test_it_stays_while_somebody_else_is_on_it(site: Site) -> None:
    """Named, exit 1, nothing touched; once the stranger has left, it is made anew."""
    write(site).converge()
    before, running = network_of(site, "front")["Id"], site.running()
    stranger = site.outsider("stranger", HostConfig={"NetworkMode": f"{site.name}_front"})
    write(site, internal=True)
    site.run().expect(1).says("Blocked", f"{site.name}-stranger is attached and not ours")
    assert (network_of(site, "front")["Id"], site.running()) == (before, running)
    site.api.remove_container(stranger, force=True)
    site.converge()
    assert network_of(site, "front")["Id"] != before


def test_a_bind_source_that_has_to_be_there_is_missed_before_anything_starts(site: Site, tmp_path: Path) -> None:
    """Exit 1 with the path and its line, and nothing made; once it is there, all starts."""
    source = tmp_path / "data"
    mount = {"type": "bind", "source": str(source), "target": "/data", "bind": {"create_host_path": False}}
    site.write(web=site.service(volumes=[mount]), db=site.service())
    site.run().expect(1).says("BindSourceMissing", str(source), "compose.yaml:")
    assert (site.containers(), site.networks()) == ({}, set())
    source.mkdir()
    site.converge()
    assert len(site.running()) == 2
