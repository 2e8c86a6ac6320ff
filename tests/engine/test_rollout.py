"""A new version that does not come up: the old one serves on, the run fails and says why, the next one goes out."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command import UNHEALTHY
from tests.support.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.command import Site

pytestmark = pytest.mark.engine


@dataclass(frozen=True)
class Bad:
    """Fields that break a service, and what has to be said of it."""

    fields: dict[str, Any]
    says: tuple[str, ...]


EXITS = Bad(
    {"command": ["sh", "-c", "echo config.toml is missing >&2; exit 9"]}, ("exited (9)", "config.toml is missing")
)
BAD = {
    "exits": EXITS,
    "unhealthy": Bad({"healthcheck": UNHEALTHY}, ("unhealthy", "the probe says no")),
    "never healthy": Bad(
        {
            "command": ["sh", "-c", "echo still loading; sleep 600"],
            "healthcheck": {"test": ["CMD", "false"], "interval": "100ms", "start_period": "10m"},
            "x-reconcile": {"rollout": {"progress_deadline": "1500ms"}},
        },
        ("not healthy within 1.5 s", "still loading"),
    ),
    "cannot start": Bad({"command": ["/no/such/program"]}, ("/no/such/program", "no such file or directory")),
    "crash loop": Bad(
        {"restart": "always", "command": ["sh", "-c", "echo cannot bind; exit 3"]}, ("restarting", "cannot bind")
    ),
}


@pytest.fixture(scope="module")
def standing(new_site: Callable[[], Site]) -> Site:
    """A project of two replicas that runs well, and has to go on doing so."""
    site = new_site()
    site.write(web=site.service(scale=2)).converge()
    return site


@pytest.mark.parametrize("name", BAD)
def test_a_bad_version_leaves_the_old_one_serving(standing: Site, name: str) -> None:
    """Exit 1, the reason and the container's own words; the old replicas never stop, and nothing else is left."""
    site, bad = standing, BAD[name]
    before = site.running()
    site.write(web=site.service(scale=2, **bad.fields))
    with Watch(site, "web") as watch:
        site.run().expect(1).says("web", *bad.says)
    assert site.running() == before
    assert site.containers().keys() == before.keys()
    assert min(watch.running) == 2


def test_the_next_good_version_goes_out(site: Site) -> None:
    """After a failed rollout a repaired spec converges at once."""
    site.write(web=site.service()).converge()
    before = site.running()
    site.write(web=site.service(**EXITS.fields))
    site.run().expect(1)
    site.write(web=site.service(environment={"FIXED": "1"})).converge()
    assert not site.running().keys() & before.keys()
    assert site.only("web")["Config"]["Env"][0] == "FIXED=1"


def test_a_bad_first_version_fails(site: Site) -> None:
    """Where nothing ran before, the run still ends with exit 1 and the container's words, not in an endless retry."""
    site.write(web=site.service(**EXITS.fields))
    site.run().expect(1).says(*EXITS.says)


def test_a_bad_stop_first_version_brings_the_old_one_back(site: Site) -> None:
    """Where the old one had to stop first it is started again, the very same container."""
    deploy = {"update_config": {"order": "stop-first"}}
    site.write(web=site.service(deploy=deploy)).converge()
    (old,) = site.running()
    site.write(web=site.service(deploy=deploy, **EXITS.fields))
    site.run().expect(1).says(*EXITS.says)
    assert list(site.running()) == [old]
    assert list(site.containers()) == [old]


def test_a_bad_version_under_a_fixed_name_is_rolled_back(site: Site) -> None:
    """A `container_name` makes room by removing the old one: after the failure its definition runs again."""
    name = {"container_name": f"{site.name}-fixed"}
    site.write(web=site.service(**name, environment={"RELEASE": "1"})).converge()
    site.write(web=site.service(**name, **EXITS.fields))
    site.run().expect(1).says(*EXITS.says)
    row = site.only("web")
    assert row["State"]["Status"] == "running"
    assert "RELEASE=1" in row["Config"]["Env"]


def test_a_bad_job_leaves_its_dependents_serving(site: Site) -> None:
    """Where a migration fails, the old version of what depends on it runs on, and the next good one goes out."""

    def release(number: int, code: int) -> Site:
        job = site.service(command=["sh", "-c", f"echo migration {number}; exit {code}"])
        after = {"migrate": {"condition": "service_completed_successfully"}}
        return site.write(migrate=job, web=site.service(environment={"R": str(number)}, depends_on=after))

    release(1, 0).converge()
    before = site.running()
    release(2, 5).run().expect(1).says("exited (5)", "migration 2", "web is not touched because migrate failed")
    assert site.running() == before
    release(3, 0).converge()
    assert site.only("web")["Config"]["Env"][0] == "R=3"


def test_not_converged_in_time(site: Site) -> None:
    """`--timeout` ends a run that waits for health with exit 1, and the next run carries on."""
    waiting = {"test": ["CMD", "false"], "interval": "100ms", "start_period": "10m"}
    site.write(web=site.service(healthcheck=waiting)).run("--timeout", "1s").expect(1).says("--timeout", "web 1/1")
    site.write(web=site.service()).converge()
    assert len(site.containers()) == 1


def test_a_bad_service_does_not_stop_the_others(site: Site) -> None:
    """One service's failed rollout leaves the good change of another one through."""
    site.write(web=site.service(), api=site.service()).converge()
    old_web, old_api = site.only("web")["Id"], site.only("api")["Id"]
    site.write(web=site.service(**EXITS.fields), api=site.service(environment={"A": "1"}))
    site.run().expect(1).says("config.toml is missing")
    assert site.only("web")["Id"] == old_web
    assert site.only("api")["Id"] != old_api


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port of this machine that a process outside Docker listens on."""
    with socket.socket() as listening:
        listening.bind(("0.0.0.0", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_a_port_taken_outside_docker_fails_the_start(site: Site, taken_port: int) -> None:
    """Only the start can tell: exit 1 naming the port; the version without it, which had to stop first, is back."""
    site.write(web=site.service()).converge()
    (old,) = site.running()
    site.write(web=site.service(ports=[f"{taken_port}:80"]))
    site.run().expect(1).says(str(taken_port), "address already in use")
    assert list(site.running()) == [old]
    assert list(site.containers()) == [old]
