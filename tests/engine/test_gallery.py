"""Every spec of the gallery, run on a real engine by the command line, as its reader would run it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.engine.gallery import SPECS, Gallery, docker, is_well, service_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engine

RUNNING = {
    "hello": {"web": 1},
    "shop": {"web": 3, "api": 1, "db": 1},
    "build": {"page": 1},
    "files": {"web": 2},
    "edge": {"edge": 1, "web": 2},
}


@pytest.fixture
def gallery(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gallery]:
    """A copy of the spec named by the parameter: a test may edit it."""
    name: str = request.param
    copy = tmp_path / name
    shutil.copytree(SPECS / name, copy)
    found = Gallery(copy, f"reconciler-test-{name}-{os.getpid()}")
    try:
        yield found
    finally:
        print("\n".join(found.said))  # noqa: T201  (pytest shows it when the test fails)
        found.remove()


each_spec = pytest.mark.parametrize("gallery", RUNNING, indirect=True)
only_shop = pytest.mark.parametrize("gallery", ["shop"], indirect=True)


def test_every_folder_is_covered() -> None:
    """A spec that is added to the gallery is run by this suite."""
    assert {folder.name for folder in SPECS.iterdir() if folder.is_dir()} == set(RUNNING)


@each_spec
def test_converges_and_then_rests(gallery: Gallery) -> None:
    """One run brings all replicas up, healthy; the next finds nothing to do and leaves every container as it is."""
    assert gallery.reconcile().returncode == 0
    before = gallery.containers()
    assert Counter(service_of(row) for row in before.values() if is_well(row)) == RUNNING[gallery.spec.name]

    assert gallery.reconcile("--dry-run", "--exit-code").returncode == 0
    assert gallery.reconcile().returncode == 0
    after = gallery.containers()
    assert {id_: row["State"]["StartedAt"] for id_, row in after.items()} == {
        id_: row["State"]["StartedAt"] for id_, row in before.items()
    }


@each_spec
def test_needs_no_engine_to_be_tried(gallery: Gallery) -> None:
    """`-H simulated://` converges every spec of the gallery in memory."""
    assert gallery.reconcile("-H", "simulated://").returncode == 0
    assert not gallery.containers()


@each_spec
def test_a_dry_run_makes_nothing(gallery: Gallery) -> None:
    """A plan of a project that is not there says so (exit 2) and leaves no container, network or volume."""
    assert gallery.reconcile("--dry-run", "--exit-code").returncode == 2
    assert not gallery.containers()
    assert not docker("network", "ls", "-q", "--filter", f"name={gallery.project}")
    assert not docker("volume", "ls", "-q", "--filter", f"name={gallery.project}")


@each_spec
def test_compose_reads_it_too(gallery: Gallery) -> None:
    """Every spec of the gallery is a valid Compose file."""
    compose = [found] if (found := os.environ.get("COMPOSE")) else ["docker", "compose"]
    if subprocess.run([*compose, "version"], capture_output=True, check=False).returncode:
        pytest.skip("no docker compose here (COMPOSE names a binary)")
    read = [*compose, "-f", str(gallery.spec / "compose.yaml"), "config", "-q"]
    assert subprocess.run(read, capture_output=True, text=True, check=False).stderr == ""


@only_shop
def test_a_changed_shop_rolls(gallery: Gallery) -> None:
    """A changed image and variable replace web alone; the plan names both fields with their lines; the data stays."""
    assert gallery.reconcile().returncode == 0
    old, others = gallery.of("web"), gallery.containers().keys() - gallery.of("web").keys()
    spec = gallery.spec / "compose.yaml"
    text = spec.read_text()
    spec.write_text(text.replace("web:1.0", "web:1.1").replace("Welcome to the shop", "The shop is open"))

    planned = gallery.reconcile("--dry-run", "--exit-code", "-o", "json")
    assert planned.returncode == 2
    causes = {
        (cause["field"], cause["source"].rsplit("/", 1)[-1])
        for operation in json.loads(planned.stdout)["projects"][0]["operations"]
        for cause in operation["cause"]
    }
    lines = text.splitlines()
    for path, words in (("image", "web:1.0"), ("environment.GREETING", "Welcome")):
        number = next(number for number, line in enumerate(lines, 1) if words in line)
        assert (path, f"compose.yaml:{number}") in causes

    assert gallery.reconcile().returncode == 0
    new = gallery.of("web")
    assert len(new) == 3
    assert all(is_well(row) for row in new.values())
    assert not new.keys() & old.keys()
    assert gallery.containers().keys() - new.keys() == others
    page = gallery.page("web", "http://127.0.0.1:8080/")
    assert "The shop is open" in page
    assert "version 1.1" in page
    assert "schema 7" in page


@pytest.mark.parametrize("gallery", ["edge"], indirect=True)
def test_the_edge_reaches_every_replica(gallery: Gallery) -> None:
    """The proxy answers with the pages of both replicas, which it finds through Docker's DNS."""
    assert gallery.reconcile().returncode == 0
    hosts = {row["Config"]["Hostname"] for row in gallery.of("web").values()}
    seen = [gallery.page("web", "http://edge:8080/") for _ in range(30)]
    assert {host for host in hosts for page in seen if host in page} == hosts


@pytest.mark.parametrize("gallery", ["build"], indirect=True)
def test_a_changed_file_is_a_new_image(gallery: Gallery) -> None:
    """A touched file changes nothing; a byte changed in the build context builds and replaces."""
    assert gallery.reconcile().returncode == 0
    (before,) = gallery.containers().values()
    page = gallery.spec / "page" / "index.html"
    os.utime(page, (0, 0))
    assert gallery.reconcile("--dry-run", "--exit-code").returncode == 0

    page.write_text("<p>Changed.</p>\n")
    assert gallery.reconcile().returncode == 0
    (after,) = gallery.containers().values()
    assert after["Image"] != before["Image"]
    assert gallery.page("page", "http://127.0.0.1:8080/") == "<p>Changed.</p>"


@pytest.mark.parametrize("gallery", ["files"], indirect=True)
def test_a_changed_content_replaces(gallery: Gallery) -> None:
    """A mounted file and a config; the cause is the line that names it, and no content is shown or kept in labels."""
    assert gallery.reconcile().returncode == 0
    before = gallery.containers()
    terms, spec = gallery.spec / "terms.html", gallery.spec / "compose.yaml"
    os.utime(terms, (0, 0))
    assert gallery.reconcile("--dry-run", "--exit-code").returncode == 0
    terms.write_text("<p>Refunds on Mondays.</p>\n")
    spec.write_text(spec.read_text().replace("Closed on", "Open on"))
    plan = gallery.reconcile("--dry-run", "--exit-code")
    assert plan.returncode == 2
    assert "the content of ./terms.html changed" in plan.stdout
    assert "the content of configs.notice changed" in plan.stdout
    assert gallery.reconcile().returncode == 0
    after = gallery.containers()
    assert not before.keys() & after.keys()
    assert gallery.page("web", "http://127.0.0.1:8080/notice.html") == "<p>Open on Sundays.</p>"
    assert gallery.page("web", "http://127.0.0.1:8080/terms.html") == "<p>Refunds on Mondays.</p>"
    said = "".join(gallery.said) + json.dumps(list(after.values()))
    assert "only-to-be-tried" not in said
    assert "Open on Sundays" not in said
