"""What must never happen on somebody's engine, tried by the command line on a real one."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.engine.docker_connect import resolve_target
from reconciler.lock import lock_directory
from tests.support.command import SLOT, Ran, finish, until
from tests.support.proxy import tapped
from tests.support.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import APIClient

    from tests.support.command import Site
    from tests.support.proxy import Tap

pytestmark = pytest.mark.engine

PASSWORD = "hunter2-correct-horse"  # noqa: S105  invented, and looked for in outputs
URL_PASSWORD = "s3cr3t-in-url"  # noqa: S105  as above


@dataclass(frozen=True)
class Engine:
    """Everything that a run could change, by id or name."""

    containers: dict[str, tuple[str, str]]
    images: dict[str, tuple[str, ...]]
    networks: dict[str, str]
    volumes: set[str]


def seen(api: APIClient, prefix: str) -> Engine:
    """What the engine has now under names that start with the prefix: others may be using the engine as well."""
    containers = {
        row["Id"]: api.inspect_container(row["Id"]) for row in api.containers(all=True) if _named(row, prefix)
    }
    return Engine(
        {key: (row["State"]["Status"], row["State"]["StartedAt"]) for key, row in containers.items()},
        {row["Id"]: tuple(sorted(row["RepoTags"] or [])) for row in api.images() if _tagged(row, prefix)},
        {row["Id"]: row["Name"] for row in api.networks() if row["Name"].startswith(prefix)},
        {row["Name"] for row in api.volumes()["Volumes"] or [] if row["Name"].startswith(prefix)},
    )


def _named(row: dict[str, Any], prefix: str) -> bool:
    return any(name.startswith(f"/{prefix}") for name in row["Names"] or [])


def _tagged(row: dict[str, Any], prefix: str) -> bool:
    return any(tag.startswith(prefix) for tag in row["RepoTags"] or [])


def locks(site: Site) -> list[str]:
    """Lock files of the project."""
    return [path.name for path in lock_directory().glob(f"*-{site.name}.lock")]


# --- a dry-run writes nothing -----------------------------------------------------------------------------------------


def test_a_dry_run_writes_nothing(site: Site, api: APIClient) -> None:
    """No image, network, volume, container, lock or file appears, in any format, before a project and within it."""
    (site.folder / "Dockerfile").write_text(f"FROM {site.image}\nLABEL made=1\n")
    web = site.service(volumes=["data:/data"])
    for services in ({"web": web}, {"web": {**web, "environment": {"A": "1"}}, "page": {"build": "."}}):
        site.write({"volumes": {"data": {}}}, **services)
        files = sorted(site.folder.rglob("*"))
        before, locked = seen(api, site.name), locks(site)
        for output in ("text", "json", "markdown"):
            assert site.run("--dry-run", "--exit-code", "-o", output).code == 2
        site.run("status").expect(0)
        assert seen(api, site.name) == before
        assert locks(site) == locked
        assert sorted(site.folder.rglob("*")) == files
        site.write({"volumes": {"data": {}}}, web=web).converge()


def test_plans_are_the_same_bytes_twice(site: Site) -> None:
    """The same spec and engine give the same plan, byte for byte, in JSON and Markdown; status too."""
    site.write(web=site.service(scale=2), db=site.service()).converge()
    site.write(web=site.service(scale=3, environment={"A": "1"}), api=site.service())
    for arguments in (("--dry-run", "-o", "json"), ("--dry-run", "-o", "markdown"), ("status", "-o", "json")):
        first = site.run(*arguments).expect(0)
        assert first.stdout == site.run(*arguments).stdout
        assert site.name in first.stdout
    kinds = site.run("--dry-run", "-o", "json").document["summary"]
    assert kinds["container.create"] == 4


def test_what_is_planned_is_what_is_done(site: Site) -> None:
    """The operations that a converge reports are those that the plan before it named."""
    site.write(web=site.service(scale=2)).converge()
    site.write(web=site.service(scale=2, environment={"A": "1"}), api=site.service())
    planned = site.run("--dry-run", "-o", "json").document["projects"][0]
    done = site.run("-o", "json").expect(0).document["projects"][0]
    assert {item["id"] for item in done["operations"]} == {item["id"] for item in planned["operations"]}
    status = site.run("status", "-o", "json").document["projects"][0]
    assert (status["sync"], status["health"]) == ("Synced", "Healthy")
    assert {row["name"]: row["running"] for row in status["services"]} == {"web": 2, "api": 1}


@pytest.fixture
def tap(site: Site, tmp_path: Path) -> Iterator[Tap]:
    """A socket that the program takes for the engine's, on which every request is seen."""
    host = resolve_target(None, None, os.environ).host
    if not host.startswith(("unix://", "http+unix://")):
        pytest.skip("the engine does not listen on a socket of this machine")
    with tapped(host.partition("://")[2], tmp_path / "tap.sock") as found:
        site.environment["DOCKER_HOST"] = found.host
        yield found


def test_reading_commands_only_read(site: Site, tap: Tap) -> None:
    """Plan and status send the engine nothing but GET and HEAD, whatever there is to do."""
    site.write(web=site.service()).converge()
    site.write(web=site.service(environment={"A": "1"}), new=site.service(image="rce-absent:1"))
    tap.asked.clear()
    site.run("--dry-run")
    site.run("status")
    assert tap.asked
    assert tap.writes == []


def test_a_converge_never_mutates(site: Site, tap: Tap) -> None:
    """The only verbs are create, start, stop, remove (and connect before the first start): no update, rename, kill."""
    networks: dict[str, Any] = {"networks": {"front": {}, "back": {}}}
    fields = {"networks": ["front", "back"], "scale": 2}
    site.write(networks, web=site.service(**fields), old=site.service()).converge()
    site.api.pause(min(site.containers("web")))
    site.write(networks, web=site.service(**fields, environment={"A": "1"})).converge()
    site.write(web=site.service(command=["false"])).run().expect(1)
    allowed = re.compile(
        r"POST /containers/(create|[^/]+/(start|stop))|DELETE /(containers|networks)/[^/]+"
        r"|POST /networks/(create|[^/]+/connect)"
    )
    assert [line for line in tap.writes if not allowed.fullmatch(line)] == []
    assert any(line.startswith("DELETE /containers/") for line in tap.writes)


def test_a_failed_read_removes_nothing(site: Site, tap: Tap) -> None:
    """Where the engine fails to answer one of the reads, nothing is removed or made: unknown is not absent."""
    site.write(web=site.service(), old=site.service()).converge()
    before = site.running()
    site.write(web=site.service(), new=site.service())
    tap.asked.clear()
    for lost in ("containers/json", "networks", "volumes", "images/json", "containers/.{64}/json"):
        tap.refuse = re.compile(f"^GET /{lost}$")
        site.run().expect(1).says("the test says no")
        assert tap.writes == []
    assert site.running() == before


# --- what is not ours -------------------------------------------------------------------------------------------------


def test_a_foreign_container_on_the_port_blocks(site: Site, api: APIClient) -> None:
    """Exit 1 naming the container and the line; it runs on, and so does what we ran before."""
    site.write(web=site.service()).converge()
    before = site.running()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    binding = {"PortBindings": {"80/tcp": [{"HostPort": str(port)}]}}
    site.outsider("theirs", HostConfig=binding, ExposedPorts={"80/tcp": {}})
    engine = seen(api, site.name)
    site.write(web=site.service(ports=[f"{port}:80"]))
    for arguments in (("--dry-run",), ()):
        site.run(*arguments).expect(1).says(str(port), f"{site.name}-theirs", "compose.yaml:")
    assert seen(api, site.name) == engine
    assert site.running() == before


def test_a_foreign_container_of_the_name_blocks(site: Site, api: APIClient) -> None:
    """A `container_name` that somebody else has is not taken from them."""
    site.outsider("app")
    engine = seen(api, site.name)
    site.write(web=site.service(container_name=f"{site.name}-app"))
    site.run().expect(1).says(f"{site.name}-app", "not ours", "compose.yaml:")
    assert seen(api, site.name) == engine


def test_a_foreign_network_of_our_name_blocks(site: Site, api: APIClient) -> None:
    """A network of the project's name that somebody else made is neither used nor removed."""
    api.create_network(f"{site.name}_default")
    engine = seen(api, site.name)
    site.write(web=site.service())
    site.run().expect(1).says(f"{site.name}_default", "not ours")
    assert seen(api, site.name) == engine


def test_a_compose_project_of_our_name_is_left_alone(site: Site, api: APIClient) -> None:
    """What `docker compose` runs under the project's name is not converged, and the message says how to go on."""
    labels = {
        "com.docker.compose.project": site.name,
        "com.docker.compose.service": "web",
        "com.docker.compose.container-number": "1",
        "com.docker.compose.oneoff": "False",
    }
    site.outsider("web-1", Labels=labels)
    engine = seen(api, site.name)
    site.write(web=site.service())
    site.run().expect(1).says(f"{site.name}-web-1", "docker compose", "-p")
    site.write_text("name: NAME\nservices: {}\n")
    site.run("--allow-empty")
    assert seen(api, site.name) == engine


def test_copied_labels_do_not_make_it_ours(site: Site) -> None:
    """A container with all labels of one of ours is left alone, whether it runs beside it or after it."""
    site.write(web=site.service()).converge()
    (ours,) = site.running()
    copy = site.outsider("copy", Labels=site.only("web")["Config"]["Labels"])
    both = site.running()
    site.converge()
    assert site.running() == both
    site.write(web=site.service(environment={"A": "1"})).converge()
    assert ours not in site.containers()
    assert site.running()[copy] == both[copy]
    assert len(site.running()) == 2


# --- one controller, and being stopped --------------------------------------------------------------------------------


SLOW = {"test": ["CMD-SHELL", "test -e /ready"], "interval": "100ms", "retries": 100}


def rolling(site: Site, ready_after: float = 0.4, **fields: Any) -> Site:
    """A spec of three replicas, each of which takes its time (in seconds) to become healthy."""
    command = ["sh", "-c", f"sleep {ready_after}; touch /ready; sleep 600"]
    return site.write(web=site.service(scale=3, command=command, healthcheck=SLOW, **fields))


def test_a_second_controller_is_refused(site: Site) -> None:
    """While one run converges a project another one ends with exit 1 and says who has it; the first one succeeds."""
    rolling(site, ready_after=4)
    first = site.start()
    until(site.containers)
    site.run().expect(1).says("is being converged by another process", str(first.pid))
    site.run("--dry-run").expect(0)
    finish(first).expect(0)
    assert len(site.running()) == 3
    site.converge()


def test_an_interrupt_stops_cleanly(site: Site) -> None:
    """Ctrl-C (or SIGTERM) during a rollout: exit 1 in a moment, nothing torn down; the next run finishes it."""
    rolling(site).converge()
    for number in (signal.SIGINT, signal.SIGTERM):
        old = site.running()
        rolling(site, environment={"STOPPED_BY": str(number)})
        process = site.start()
        until(lambda: len(site.containers()) > 3)
        process.send_signal(number)
        asked = time.monotonic()
        finish(process).expect(1).says("stopping after the operations in flight")
        assert time.monotonic() - asked < 5
        assert len(site.running()) >= 3
        site.converge()
        finished(site, old)


def test_a_second_interrupt_abandons(site: Site) -> None:
    """Pressed again while an operation takes its time, it ends at once, with exit 1 and in a word; nothing is lost."""
    command = ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]
    slow = {"command": command, "stop_signal": "SIGTERM", "stop_grace_period": "4s"}
    site.write(web=site.service(**slow)).converge()
    (old,) = site.running()
    site.write(web=site.service(**slow, environment={"RELEASE": "2"}))
    process = site.start()
    with Watch(site, "web") as watch:
        until(lambda: "kill" in watch.actions)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        finish(process).expect(1).says("stopping after the operations in flight", "interrupted")
        assert time.monotonic() - asked < 2
    site.converge()
    assert len(site.running()) == 1
    assert old not in site.containers()


def test_a_killed_run_is_finished_by_the_next(site: Site) -> None:
    """Killed by -9 at any moment: the wanted replicas run on, and the next run finishes with nothing doubled."""
    rolling(site).converge()
    chance = random.Random(2)  # noqa: S311  moments, not secrets
    for release in range(2):
        old = site.running()
        rolling(site, environment={"RELEASE": str(release)})
        process = site.start()
        time.sleep(chance.uniform(0.6, 1.8))
        process.kill()
        finish(process)
        assert len(site.running()) >= 3
        site.converge()
        finished(site, old)


def finished(site: Site, old: dict[str, str]) -> None:
    """Exactly the three new replicas are there, one of each slot."""
    containers = site.containers()
    assert sorted(row["Config"]["Labels"][SLOT] for row in containers.values()) == ["1", "2", "3"]
    assert {row["State"]["Status"] for row in containers.values()} == {"running"}
    assert not containers.keys() & old.keys()


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_secrets_never_appear(site: Site) -> None:
    """Neither a variable that is called like a secret nor a password in a URL is ever printed, whatever happens."""
    leak = "echo connecting with $$DB_PASSWORD to $$DATABASE_URL; exit 1"

    def spec(generation: str, script: str, **fields: Any) -> Site:
        environment = {
            "DB_PASSWORD": PASSWORD + generation,
            "DATABASE_URL": f"postgres://app:{URL_PASSWORD}{generation}@db/shop",
        }
        return site.write(web=site.service(environment=environment, command=["sh", "-c", script], **fields))

    runs: list[Ran] = []
    spec("", "sleep 600")
    runs.append(site.converge())
    spec("-2", "sleep 601")
    runs += [site.run("--dry-run", "-o", output) for output in ("text", "json", "markdown")]
    assert "DB_PASSWORD" in runs[-1].stdout
    runs.append(site.run("-o", "json").expect(0))
    runs += [site.run("status"), site.run("status", "-o", "json")]
    spec("-3", leak)
    runs.append(site.run("--log-level", "debug").expect(1).says("connecting with ***"))
    probe = {"test": ["CMD-SHELL", leak], "interval": "100ms", "retries": 1}
    spec("-4", "sleep 602", healthcheck=probe)
    runs.append(site.run("-o", "json").expect(1).says("connecting with ***"))
    runs.append(site.run("-o", "markdown", "--log-format", "json").expect(1).says("connecting with"))
    for run in runs:
        assert PASSWORD not in run.text, run.text
        assert URL_PASSWORD not in run.text, run.text


def test_a_secret_given_to_the_command_is_hidden_too(site: Site) -> None:
    """The value of a secret variable is a secret wherever the spec repeats it: `--requirepass ${PASSWORD}`."""
    secret = {"environment": {"DB_PASSWORD": PASSWORD}}
    site.write(web=site.service(**secret)).converge()
    site.write(web=site.service(**secret, command=["sh", "-c", f"echo {PASSWORD}; sleep 600"]))
    for output in ("text", "json", "markdown"):
        run = site.run("--dry-run", "-o", output).expect(0).says("command")
        assert PASSWORD not in run.text, run.text
