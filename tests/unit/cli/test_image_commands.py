"""`reconcile images` and `reconcile images lock` as users call them: exit codes, and what is said where."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.inprocess import Done, reconcile
from tests.support.signatures import Shelf
from tests.support.standin import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
NO_ENGINE = ("-H", "unix:///none/docker.sock")


class Site:
    """A folder with a spec of one service, and a registry that has its image."""

    def __init__(self, folder: Path, server: StandIn) -> None:
        self.folder, self.server, self.shelf = folder, server, Shelf()
        server.answering = self.shelf
        self.repository = f"{server.host}/{self.shelf.repository}"
        self.digest = self.shelf.push("a")
        self.write()

    def write(self, *services: str, name: str = "shop") -> None:
        """A project in the folder, of these services."""
        image = {"image": f"{self.repository}:1"}
        document = {"name": name, "services": dict.fromkeys(services or ("web",), image)}
        (self.folder / f"{name}.yaml").write_text(json.dumps(document))

    def run(self, *arguments: str, engine: tuple[str, ...] = NO_ENGINE) -> Done:
        """The program, with the folder's specs."""
        return reconcile(
            self.folder, *engine, "-f", ".", "--state-dir", "state", *arguments, DOCKER_CONFIG=str(self.folder)
        )

    @property
    def lock(self) -> Path:
        """The lock."""
        return self.folder / "reconcile.lock"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    server = StandIn(lambda _: None)  # type: ignore[arg-type, return-value]
    yield Site(tmp_path, server)
    server.close()


def test_a_lock_needs_no_engine(site: Site) -> None:
    """It is written where specs are, and checked where they are tested."""
    done = site.run("images", "lock")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"+ shop/web: {site.repository}:1@{site.digest[7:19]}\nreconcile.lock: 1 changed\n"
    assert site.digest in site.lock.read_text()
    done = site.run("images", "lock", "--check")
    assert (done.returncode, done.stdout) == (0, "reconcile.lock is up to date\n")


def test_a_simulated_engine_pins_nothing_of_its_own(site: Site) -> None:
    """Every reference exists there, under a digest that no registry has: what is pinned is asked for where it is."""
    assert site.run("-H", "simulated://", "images", "lock").returncode == 0
    assert site.digest in site.lock.read_text()


def test_a_stale_lock_is_exit_2(site: Site) -> None:
    """The tag moved since; nothing is written until somebody says so."""
    site.run("images", "lock")
    text = site.lock.read_text()
    new = site.shelf.push("b")
    done = site.run("images", "lock", "--check", "-o", "json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["stale"]) == (2, True)
    assert [pin["after"]["digest"] for pin in document["pins"]] == [new]
    assert site.lock.read_text() == text
    assert site.run("images", "lock").returncode == 0
    assert site.lock.read_text() == text
    assert site.run("images", "lock", "--update", "web").returncode == 0
    assert new in site.lock.read_text()


def test_what_cannot_be_looked_up_is_exit_1(site: Site) -> None:
    """Before stale."""
    site.run("images", "lock")
    site.write("web", "api")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        document = json.loads((site.folder / "shop.yaml").read_text())
        document["services"]["api"] = {"image": f"127.0.0.1:{nobody.getsockname()[1]}/a:1"}
        (site.folder / "shop.yaml").write_text(json.dumps(document))
        site.shelf.push("b")
        done = site.run("images", "lock", "--check")
    assert done.returncode == 1
    assert "! shop/api: " in done.stdout
    assert "~ shop/web: " in done.stdout
    assert "not all could be looked up" in done.stdout


def test_a_lock_that_cannot_be_used_refuses_its_folders_projects_only(site: Site) -> None:
    """With file and line; the projects of other folders go on."""
    (site.folder / "other").mkdir()
    (site.folder / "other" / "compose.yaml").write_text("services: {api: {image: 'api:1'}}\n")
    site.write(name="edge")
    site.lock.write_text("version: 1\nprojects:\n  shop: 3\n")
    for arguments in (("images", "lock", "--check"), ("images",), ("--dry-run",)):
        done = site.run(*arguments, engine=("-H", "simulated://"))
        assert done.returncode == 3
        assert done.stderr.count("error: reconcile.lock:3: shop has to be a mapping, and is a number") == 1
        assert "api" in done.stdout
        assert "shop" not in done.stdout


def test_a_lock_that_cannot_be_written_is_exit_3(site: Site) -> None:
    """And nothing of it is left beside."""
    limited = f"ulimit -f 0; exec {sys.executable} -m reconciler -H unix:///none/docker.sock -f . images lock"
    done = subprocess.run(
        ["bash", "-c", limited],
        cwd=site.folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(site.folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 3
    assert "the lock cannot be written: File too large (make its folder writable)" in done.stderr
    assert [path.name for path in site.folder.iterdir()] == ["shop.yaml"]


def test_an_invalid_spec_is_exit_3(site: Site) -> None:
    """Also as one document."""
    (site.folder / "shop.yaml").write_text("services: {web: {imge: 'a:1'}}\n")
    done = site.run("images", "lock", "--check", "-o", "json")
    assert done.returncode == 3
    assert [item["source"] for item in json.loads(done.stdout)["errors"]] == ["shop.yaml:1"]


def test_only_services_that_there_are_can_be_updated(site: Site) -> None:
    """And names say nothing without --update."""
    done = site.run("images", "lock", "--update", "wep")
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == "error: there is no service wep\nhint: the services are web\n"
    done = site.run("images", "lock", "web")
    assert done.returncode == 64
    assert "SERVICE goes with --update." in done.stderr
    assert not site.lock.exists()


def test_a_lock_of_some_services_leaves_the_others_alone(site: Site) -> None:
    """`--service` chooses: neither are the others' entries touched nor is it said that they are stale."""
    site.write("web", "api")
    assert site.run("--service", "web", "images", "lock").returncode == 0
    assert "api" not in site.lock.read_text()
    done = site.run("images", "--service", "web", engine=("-H", "simulated://"))
    assert (done.returncode, done.stderr) == (0, "")
    assert site.run("--service", "api", "images", "lock").returncode == 0
    assert json.loads(site.run("images", "lock", "--check", "-o", "json").stdout)["stale"] is False


def test_images_are_listed(site: Site) -> None:
    """And what the lock does not pin is told, as with every command that reads it."""
    site.run("images", "lock")
    site.write("web", "api")
    done = site.run("images", engine=("-H", "simulated://"))
    assert done.returncode == 0
    assert done.stdout.startswith("shop\n\n  SERVICE")
    assert "api: reconcile.lock does not pin it: run reconcile images lock" in done.stderr
    document = json.loads(site.run("images", "-o", "json", engine=("-H", "simulated://")).stdout)
    assert [row["service"] for row in document["images"]] == ["api", "web"]
    assert [item["code"] for item in document["warnings"]] == ["LockStale"]


def test_images_need_an_engine(site: Site) -> None:
    """They are what runs there; the error is one document where one is asked for."""
    done = site.run("images", "-o", "json")
    assert done.returncode == 1
    assert [item["code"] for item in json.loads(done.stdout)["errors"]] == ["EngineUnreachable"]
