"""Superseded images go and needed ones stay, by the command line on a real engine.

Ages are made by setting the ledger's times back: no test waits for a day.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.lock import project_lock
from reconciler.store import Store
from tests.support.command import DOCKERFILE, build
from tests.support.image import busybox
from tests.support.proxy import tapped
from tests.support.registry import Registry, runnable_image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.engine.protocol import Engine
    from tests.support.command import Ran, Site
    from tests.support.proxy import Moment, Request

pytestmark = pytest.mark.engine

DAY = 24 * 3600.0


@pytest.fixture
def registry(site: Site, api: Any) -> Iterator[Registry]:
    """A registry of this process; what was pulled from it is removed afterwards."""
    found = Registry()
    yield found
    found.close()
    site.sweep()
    for row in api.images():
        if any(name.startswith(f"{found.host}/") for name in [*(row["RepoTags"] or []), *(row["RepoDigests"] or [])]):
            api.remove_image(row["Id"], force=True)


@pytest.fixture
def tag(registry: Registry) -> str:
    """`HOST/app`, of which `deploy` makes versions."""
    return f"{registry.host}/app"


def deploy(site: Site, registry: Registry, *versions: int) -> None:
    """Roll the service through these versions, each an image with a layer of its own."""
    for version in versions:
        registry.push("app", str(version), runnable_image(f"{site.name} {version}"))
        service = site.service(image=f"{registry.host}/app:{version}")
        del service["command"]
        site.write(web=service).converge()


def age(site: Site, engine: Engine, seconds: float = DAY) -> None:
    """Let the ledger say that everything unused has been so for that much longer."""
    with Store.open(site.state) as store:
        for name in store.projects(engine.info().id, "default"):
            kept = store.project(engine.info().id, "default", name)
            memory = kept.load()
            aged = {
                key: replace(entry, last_used=None if entry.last_used is None else entry.last_used - seconds)
                for key, entry in memory.images.items()
            }
            kept.save(replace(memory, images=aged))


def prune(site: Site, *arguments: str) -> dict[str, str]:
    """What a pass says of each image, by its first name: `removed`, or why it stays."""
    return verdicts(site.run("images", "prune", "-o", "json", *arguments).expect(0))


def verdicts(ran: Ran) -> dict[str, str]:
    rows = ran.document["images"]
    named = {(row["names"] or [row["id"]])[0]: row for row in rows}
    return {name: row["reason"] if row["verdict"] == "kept" else row["verdict"] for name, row in named.items()}


def local(api: Any, prefix: str) -> set[str]:
    """The tags that the engine has, of those that start so; containerd stores list digests among them."""
    found = {tag for row in api.images() for tag in row["RepoTags"] or [] if tag.startswith(prefix)}
    return {tag for tag in found if "@" not in tag}


def test_all_but_the_last_two_versions_go_after_a_day(
    site: Site, registry: Registry, tag: str, docker_engine: Engine, api: Any
) -> None:
    """Not before; a dry-run says the same and changes nothing; the sum is what the engine counts of them."""
    deploy(site, registry, 1, 2, 3, 4)
    running = site.running()
    assert set(prune(site).values()) >= {"unused for 0 h; goes after 24 h", "web (" + site.name + ") can go back to it"}
    age(site, docker_engine)
    state = (site.state / "state.db").read_bytes()
    dry = site.run("images", "prune", "--dry-run", "-o", "json").expect(0)
    assert [row["names"][0] for row in dry.document["images"] if row["verdict"] == "remove"] == sorted(
        (f"{tag}:1", f"{tag}:2"), key=lambda name: api.inspect_image(name)["Id"]
    )
    sizes = {name: row["Size"] for row in api.images() for name in row["RepoTags"] or []}
    assert dry.document["bytes_at_most"] == sizes[f"{tag}:1"] + sizes[f"{tag}:2"]
    assert (site.state / "state.db").read_bytes() == state
    assert local(api, tag) == {f"{tag}:{of}" for of in (1, 2, 3, 4)}

    site.run("images", "prune").expect(0).says("Removed 2 images", f"- {tag}:1", f"- {tag}:2", "can go back to it")
    assert local(api, tag) == {f"{tag}:3", f"{tag}:4"}
    assert not [row for row in api.images() if f"{tag}@" in str(row["RepoDigests"]) and not row["RepoTags"]]
    assert site.running() == running
    site.run("images", "prune").expect(0).says("Nothing to remove")


def test_what_any_container_uses_stays(
    site: Site, registry: Registry, tag: str, docker_engine: Engine, api: Any
) -> None:
    """Somebody else's, stopped or never started."""
    deploy(site, registry, 1, 2, 3, 4, 5)
    stopped = site.outsider("stopped", Image=f"{tag}:1", Cmd=["/bin/busybox", "sleep", "600"])
    api.stop(stopped)
    api.create_container_from_config({"Image": f"{tag}:2"}, f"{site.name}-created")
    age(site, docker_engine)
    found = prune(site)
    assert found[f"{tag}:1"] == f"container {site.name}-stopped uses it (exited)"
    assert found[f"{tag}:2"] == f"container {site.name}-created uses it (created)"
    assert found[f"{tag}:3"] == "removed"
    assert local(api, tag) == {f"{tag}:{of}" for of in (1, 2, 4, 5)}


def test_an_image_that_is_used_while_it_is_removed_stays(
    site: Site, registry: Registry, tag: str, docker_engine: Engine, api: Any, tmp_path: Path
) -> None:
    """A container that comes after the last look: the engine refuses, and its words are the reason."""
    deploy(site, registry, 1, 2, 3)
    age(site, docker_engine)

    def on_request(request: Request, moment: Moment) -> None:
        if (
            moment == "before"
            and request.line.startswith("DELETE /images/")
            and not api.containers(all=True, filters=mine)
        ):
            api.create_container_from_config({"Image": f"{tag}:1"}, f"{site.name}-late")

    mine = {"name": f"{site.name}-late"}
    with tapped(os.environ["DOCKER_HOST"].partition("://")[2], tmp_path / "late.sock") as tap:
        tap.on_request = on_request
        found = prune(site, "-H", tap.host)
    assert "is using its referenced image" in found[f"{tag}:1"]
    assert f"{tag}:1" in local(api, tag)


def test_what_somebody_named_or_built_upon_stays(
    site: Site, registry: Registry, tag: str, docker_engine: Engine, api: Any
) -> None:
    """Whole, with all its names."""
    deploy(site, registry, 1, 2, 3, 4, 5)
    api.tag(f"{tag}:1", f"{site.name}-mine", "1")
    build(api, f"{site.name}-above:1", f"FROM {tag}:2\nCOPY busybox /above\n")
    age(site, docker_engine)
    found = prune(site)
    names = (f"{site.name}-mine:1", f"{tag}:1")
    assert {found.get(name) for name in names} & {f"somebody else named it {site.name}-mine:1"}
    assert found[f"{tag}:2"] == f"all its layers are part of {site.name}-above:1"
    assert found[f"{tag}:3"] == "removed"
    assert local(api, tag) == {f"{tag}:{of}" for of in (1, 2, 4, 5)}


def test_a_digest_whose_tag_has_moved_goes(
    site: Site, registry: Registry, tag: str, docker_engine: Engine, api: Any
) -> None:
    """Images that have no tag any more, which `docker images -f dangling=true` does not even show."""
    service = site.service(image=f"{tag}:1", pull_policy="always")
    del service["command"]
    site.write(web=service)
    digests = []
    for version in range(4):
        pushed = runnable_image(f"{site.name} {version}")
        digests.append(pushed.digest)
        registry.push("app", "1", pushed)
        site.converge()
    age(site, docker_engine)
    found = prune(site)
    assert [found.get(f"{tag}@{digest}") for digest in digests[:2]] == ["removed", "removed"]
    left = {name for row in api.images() for name in row["RepoDigests"] or [] if name.startswith(tag)}
    assert left == {f"{tag}@{digest}" for digest in digests[2:]}


def test_builds_go_with_what_their_steps_left(site: Site, docker_engine: Engine, api: Any) -> None:
    """All of a classic build's nameless images go with it; a label in the Dockerfile keeps one."""
    shutil.copy(busybox(), site.folder / "busybox")
    service = site.service(build=".")
    del service["image"]
    before = {row["Id"] for row in api.images(all=True)}
    for version in range(4):
        keep = "LABEL io.reconciler.keep=yes\n" if version == 0 else ""
        (site.folder / "Dockerfile").write_text(f"{DOCKERFILE}{keep}COPY page /page\nENV LAST=1\n")
        (site.folder / "page").write_text(f"{site.name} {version}\n")
        site.write(web=service).converge()
    tags = local(api, f"{site.name}-web:bk-")
    assert len(tags) == 4
    age(site, docker_engine)
    steps = {row["Id"] for row in api.images(all=True)} - before
    found = prune(site)
    assert sorted(found.values()) == [
        f"container {next(iter(site.containers().values()))['Name'][1:]} uses it (running)",
        "it is labelled io.reconciler.keep",
        "removed",
        f"web ({site.name}) can go back to it",
    ]
    gone = next(name for name, verdict in found.items() if verdict == "removed")
    assert local(api, f"{site.name}-web:bk-") == tags - {gone}
    left = {row["Id"] for row in api.images(all=True)} & steps
    classic = len(steps) > 4
    assert len(steps) - len(left) >= (3 if classic else 1)
    for name in tags - {gone}:
        assert api.inspect_image(name)


def test_while_a_project_is_converged_nothing_of_it_goes(
    site: Site, registry: Registry, tag: str, docker_engine: Engine, api: Any
) -> None:
    """Its lock is somebody else's: a pull in flight must not lose its image."""
    deploy(site, registry, 1, 2, 3)
    age(site, docker_engine)
    with project_lock(docker_engine.info().id, site.name):
        assert "is being converged by another process" in prune(site)[f"{tag}:1"]
        assert prune(site, "--dry-run")[f"{tag}:1"] == "remove"
    assert prune(site)[f"{tag}:1"] == "removed"


def test_without_its_ledger_nothing_goes(
    site: Site, registry: Registry, tag: str, docker_engine: Engine, api: Any
) -> None:
    """Neither at once nor after the next converge, which enters what runs as of then."""
    deploy(site, registry, 1, 2, 3)
    shutil.rmtree(site.state)
    assert prune(site) == {}
    site.converge()
    assert set(prune(site).values()) == {f"container {site.only('web')['Name'][1:]} uses it (running)"}
    deploy(site, registry, 4, 5, 6)
    assert prune(site)[f"{tag}:4"] == "unused for 0 h; goes after 24 h"
    assert local(api, tag) == {f"{tag}:{of}" for of in range(1, 7)}


def test_a_spec_that_cannot_be_read_protects_its_images(
    site: Site, registry: Registry, tag: str, docker_engine: Engine, api: Any
) -> None:
    """Exit 3, and nothing goes of a project that may be meant; without any spec its past alone decides."""
    deploy(site, registry, 1, 2, 3)
    age(site, docker_engine)
    good = site.spec.read_text()
    site.spec.write_text(good.replace('"image"', '"imge"'))
    ran = site.run("images", "prune", "-o", "json").expect(3)
    assert "cannot be read" in verdicts(ran)[f"{tag}:1"]
    assert json.loads(ran.stdout)["errors"]
    site.spec.write_text(good.replace(f"{tag}:3", f"{tag}:1"))
    assert prune(site)[f"{tag}:1"] == f"the spec of web ({site.name}) wants it"
    site.spec.unlink()
    assert prune(site)[f"{tag}:1"] == "removed"
