"""The service as an installation has it: `reconcile serve --config FILE`, a forge or a folder, and a real engine.

What only takes time is not asserted here but measured (`tests/bench/serving.py`); what the service decides on a
simulated engine stands in tests/simulation.
"""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.service.surroundings import LOOKERS
from tests.support.command import UNHEALTHY
from tests.support.daemon import Daemon, daemon
from tests.support.git_server import Repository, certificate, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.command import Site
    from tests.support.git_server import Forge

pytestmark = pytest.mark.engine

TOKEN = "a-token-of-the-tests"  # noqa: S105 - nobody else's
MEBIBYTE = 1024 * 1024


def compose(site: Site, top: dict[str, Any] | None = None, /, **services: Any) -> bytes:
    """A compose file of the site's project, each field on a line of its own."""
    return json.dumps({"name": site.name, "services": services, **(top or {})}, indent=1).encode() + b"\n"


@dataclass
class Shop:
    """A repository on a forge, and the service that follows it."""

    site: Site
    repository: Repository
    forge: Forge
    daemon: Daemon

    def push(self, subject: str = "Change", files: dict[str, bytes] | None = None, /, **services: Any) -> str:
        """A commit of a compose file with these services, and of other files; its name."""
        specs = {"compose.yaml": compose(self.site, **services)} if services else {}
        return self.repository.commit({**specs, **(files or {})}, subject)

    def running(self, value: str) -> bool:
        """Whether `web` runs, and is all that does, with that value of V."""
        found = self.site.containers("web").values()
        return [row["State"]["Status"] for row in found] == ["running"] and all(
            f"V={value}" in row["Config"]["Env"] for row in found
        )

    def web(self, value: str, **fields: Any) -> dict[str, Any]:
        """A service with that value of V."""
        return self.site.service(environment={"V": value}, **fields)


@contextmanager
def shop(site: Site, tmp_path: Path, files: dict[str, bytes] | None = None, /, **services: Any) -> Iterator[Shop]:
    """The service follows a repository over https, which has such a commit."""
    authority, key = certificate(tmp_path)
    token = tmp_path / "token"
    token.write_text(TOKEN)
    repository = Repository.new(tmp_path / "repositories" / "shop.git")
    repository.commit({"compose.yaml": compose(site, **services), **(files or {})}, "First")
    with serving(tmp_path / "repositories", (authority, key)) as forge:
        forge.token = TOKEN
        source = {"git": f"{forge.url}/shop.git", "interval": "1s", "token_file": str(token), "ca_file": str(authority)}
        with daemon(site, source) as service:
            yield Shop(site, repository, forge, service)
            assert TOKEN not in service.said


@contextmanager
def folder(site: Site, top: dict[str, Any] | None = None, /, **services: Any) -> Iterator[Daemon]:
    """The service follows the site's folder, and has converged these services."""
    specs = site.folder / "specs"
    specs.mkdir(exist_ok=True)
    (specs / "shop.yaml").write_bytes(compose(site, top, **services))
    with daemon(site, {"directory": str(specs)}) as service:
        service.until(lambda: service.settled)
        yield service


def test_a_push_is_deployed_and_history_knows_its_commit(site: Site, tmp_path: Path) -> None:
    """The commit with its author and subject is in status and history, for programs and for people."""
    with shop(site, tmp_path, web=site.service(environment={"V": "1"})) as there:
        there.daemon.until(lambda: there.running("1"))
        commit = there.push("Greet twice", web=there.web("2"))
        there.daemon.until(lambda: there.running("2"))
        there.daemon.until(lambda: there.daemon.settled)
        (project,) = there.daemon.run("history", "-o", "json").expect(0).document["projects"]
        assert project["rollouts"][-1]["source_revision"] == commit
        there.daemon.run("history").expect(0).says(commit[:7], "Greet twice")
        (shown,) = there.daemon.run("status", "-o", "json").expect(0).document["projects"]
        assert (shown["revision"]["commit"], shown["revision"]["subject"]) == (commit, "Greet twice")


def test_what_people_do_by_hand_is_undone(site: Site) -> None:
    """A killed container is back, a removed one too, and `docker update` has no effect that lasts."""
    limits = {"limits": {"memory": "64m"}}
    web = site.service(deploy={"resources": limits, "update_config": {"monitor": "300ms"}})
    with folder(site, web=web, db=site.service()) as service:
        before = site.running("web")
        site.api.kill(site.only("web")["Id"])
        service.until(lambda: len(site.running("web")) == 1 and site.running("web") != before)
        site.api.remove_container(site.only("db")["Id"], force=True)
        service.until(lambda: len(site.running("db")) == 1)
        site.api.update_container(site.only("web")["Id"], mem_limit=32 * MEBIBYTE, memswap_limit=64 * MEBIBYTE)
        service.until(
            lambda: (
                [row["HostConfig"]["Memory"] for row in site.containers("web").values()] == [64 * MEBIBYTE]
                and len(site.running("web")) == 1
            )
        )


def test_a_bad_commit_changes_nothing_and_the_next_one_heals(site: Site, tmp_path: Path) -> None:
    """What was good stays in force and is kept up, over a restart too; status says what is wrong, and where."""
    with shop(site, tmp_path, web=site.service(environment={"V": "1"})) as there:
        there.daemon.until(lambda: there.running("1") and there.daemon.settled)
        there.push("Break it", {"compose.yaml": b"services:\n  web: [\n"})
        there.daemon.until(lambda: there.daemon.errors)
        there.daemon.run("status").expect(3).says("compose.yaml:")
        site.api.kill(site.only("web")["Id"])
        there.daemon.until(lambda: there.running("1"))
        there.daemon.stop()
        site.api.remove_container(site.only("web")["Id"], force=True)
        there.daemon.start()
        there.daemon.until(lambda: there.running("1"))
        there.daemon.run("status").expect(3).says("compose.yaml:")
        there.push("Mend it", web=there.web("2"))
        there.daemon.until(lambda: there.running("2"))
        assert there.daemon.errors == {}


def test_a_commit_that_breaks_the_policy_is_refused(site: Site, tmp_path: Path) -> None:
    """`standard` holds for a repository without a word in the settings; what runs stays, and a good commit heals."""
    with shop(site, tmp_path, web=site.service(environment={"V": "1"})) as there:
        there.daemon.until(lambda: there.running("1") and there.daemon.settled)
        before = site.running()
        there.push("Take the host", web=there.web("2", privileged=True))
        there.daemon.until(lambda: there.daemon.errors)
        there.daemon.run("status").says("policy rule privileged", "compose.yaml:")
        assert site.running() == before
        site.api.kill(site.only("web")["Id"])
        there.daemon.until(lambda: there.running("1"))
        there.push("Be modest", web=there.web("3"))
        there.daemon.until(lambda: there.running("3"))
        assert there.daemon.errors == {}


def test_a_restart_without_the_forge_goes_on_from_the_last_checkout(site: Site, tmp_path: Path) -> None:
    """What was read last is in force again at once: status says what is wrong, and containers are kept up."""
    with shop(site, tmp_path, web=site.service(environment={"V": "1"})) as there:
        there.daemon.until(lambda: there.running("1") and there.daemon.settled)
        before = site.running()
        there.daemon.stop()
        there.forge.answer = (503, {}, b"gone fishing")
        there.daemon.start()
        there.daemon.until(lambda: "SourceUnreachable" in there.daemon.errors)
        assert site.running() == before
        site.api.remove_container(site.only("web")["Id"], force=True)
        there.daemon.until(lambda: there.running("1"))
        there.forge.answer = None
        there.push("Back again", web=there.web("2"))
        there.daemon.until(lambda: there.running("2"))


def test_a_new_commit_takes_over_a_rollout_that_waits(site: Site, tmp_path: Path) -> None:
    """The health check of the commit before never passes and has hours to; the next one does not wait for it."""
    hours = {"rollout": {"min_running": "100ms", "progress_deadline": "3h"}}
    stuck = {**UNHEALTHY, "retries": 1000}
    with shop(site, tmp_path, web=site.service(environment={"V": "1"})) as there:
        there.daemon.until(lambda: there.running("1") and there.daemon.settled)
        there.push("Never healthy", web=there.web("2", healthcheck=stuck, **{"x-reconcile": hours}))
        there.daemon.until(
            lambda: any("V=2" in row["Config"]["Env"] and row["State"]["Running"] for row in site.containers().values())
        )
        there.push("Healthy", web=there.web("3"))
        there.daemon.until(lambda: there.running("3"))
        assert any(line.get("how") == "taken over" for line in there.daemon.log)


def test_a_suspended_service_is_left_alone_until_it_is_resumed(site: Site) -> None:
    """Others are kept up meanwhile; who suspended it and why is in status."""
    with folder(site, web=site.service(), db=site.service()) as service:
        service.run("suspend", "web", "--reason", "looking into it").expect(0)
        dead, other = site.only("web")["Id"], site.running("db")
        site.api.kill(dead)
        site.api.kill(site.only("db")["Id"])
        service.until(lambda: len(site.running("db")) == 1 and site.running("db") != other)
        assert service.run("sync", "-o", "json").expect(0).document["projects"]
        assert site.only("web")["State"]["Running"] is False
        service.run("status").says("looking into it")
        service.run("resume", "web").expect(0)
        service.until(lambda: len(site.running("web")) == 1)


def test_sync_reads_the_source_and_tells_how_it_ended(site: Site) -> None:
    """When it returns, what was written before is deployed; a spec that cannot be read is exit 3."""
    with folder(site, web=site.service()) as service:
        before = site.running("web")
        (site.folder / "specs" / "shop.yaml").write_bytes(compose(site, web=site.service(environment={"V": "2"})))
        service.run("sync").expect(0)
        assert not before.keys() & site.running("web").keys()
        assert "V=2" in site.only("web")["Config"]["Env"]
        (site.folder / "specs" / "shop.yaml").write_text("services: [\n")
        service.run("sync").expect(3).says("shop.yaml:")


def test_sigterm_leaves_what_runs(site: Site) -> None:
    """It ends with 0, its socket goes, and the next life finds all in sync."""
    with folder(site, web=site.service()) as service:
        before = site.running()
        service.stop()
        assert site.running() == before
        assert not service.socket.exists()
        done = len(service.log)
        service.start()
        service.until(lambda: len(service.log) > done and service.settled)
        assert site.running() == before
        assert not [line for line in service.log[done:] if line["event"] == "operation"]


def test_a_mounted_file_of_a_repository_is_kept_for_its_container(site: Site, tmp_path: Path) -> None:
    """A commit that leaves it as it is replaces nothing, whatever it does to the checkout; another content does."""
    mounted = site.service(volumes=["./greeting:/etc/greeting:ro"])
    spec = compose(site, web=mounted)
    with shop(site, tmp_path, {"greeting": b"hello\n"}, web=mounted) as there:
        there.daemon.until(lambda: there.daemon.settled)
        before = site.running()
        commit = there.push("Unrelated", {"compose.yaml": spec, "greeting": b"hello\n", "README": b"words\n"})
        there.daemon.until(lambda: there.daemon.commit == commit and there.daemon.settled)
        assert site.running() == before
        (container,) = before
        assert site.execute(container, "cat", "/etc/greeting") == "hello"
        assert str(there.daemon.folder / "state" / "data" / site.name) in site.only("web")["Mounts"][0]["Source"]
        there.push("Another", {"compose.yaml": spec, "greeting": b"good evening\n"})
        there.daemon.until(lambda: container not in site.containers() and len(site.running("web")) == 1)
        assert site.execute(site.only("web")["Id"], "cat", "/etc/greeting") == "good evening"


@pytest.mark.parametrize("prune", [True, False])
def test_a_project_whose_file_vanished(site: Site, prune: bool) -> None:
    """Its containers go and no volume, or all stays with `prune: false`. An empty folder is no vanished file."""
    web = site.service(volumes=["data:/data"])
    top = {"volumes": {"data": {}}, "x-reconcile": {"prune": prune}}
    other = site.folder / "specs" / "other.yaml"
    other.parent.mkdir()
    other.write_text(json.dumps({"name": f"{site.name}-other", "services": {}}))
    with folder(site, top, web=web) as service:
        before = site.running()
        (site.folder / "specs" / "shop.yaml").unlink()
        service.until(lambda: any(line.get("gone") == [site.name] for line in service.log))
        if prune:
            service.until(lambda: not site.containers())
        else:
            service.until(lambda: any(line.get("because") == "prune: false" for line in service.log))
            service.run("sync").expect(0)
            assert site.running() == before
        assert site.volumes() == {f"{site.name}_data"}


def test_a_registry_that_hangs_delays_no_other_project(site: Site) -> None:
    """More projects than are compared at once wait for it; one that does not is brought up and healed before them.

    Once it is known what is wrong with it, they say so by name.
    """
    specs = site.folder / "specs"
    specs.mkdir()
    names = [f"{site.name}-a{number}" for number in range(LOOKERS + 4)]
    with socket.create_server(("127.0.0.1", 0), backlog=512) as registry:
        host = f"127.0.0.1:{registry.getsockname()[1]}"
        for name in names:
            web = {"image": f"{host}/none:1", "pull_policy": "always"}
            (specs / f"{name}.yaml").write_text(json.dumps({"name": name, "services": {"web": web}}))
        (specs / "z.yaml").write_bytes(compose(site, web=site.service()))
        with daemon(site, {"directory": str(specs)}) as service:
            service.until(lambda: service.settled)
            before = site.only("web")["Id"]
            site.api.kill(before)
            service.until(lambda: site.running("web") and before not in site.running("web"))
            assert next(line["project"] for line in service.log if "decided" in line) == site.name
            registry.close()
            service.until(lambda: set(names) <= {line.get("project") for line in service.log if "decided" in line})
            service.run("status").says(f"{host} cannot be reached")
