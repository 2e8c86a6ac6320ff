"""`reconcile images push` on a real engine, into a registry of this process, a real one, and one that refuses."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from docker.errors import ImageNotFound

from tests.support.image import LABEL
from tests.support.real_registry import CREDENTIALS, running_registry
from tests.support.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import APIClient

    from tests.support.command import Site

pytestmark = pytest.mark.engine


@pytest.fixture
def registry(site: Site, api: APIClient) -> Iterator[Registry]:
    """A registry of this process; images with its names are removed afterwards."""
    found = Registry()
    host = found.host
    yield found
    found.close()
    forget(site, api, host)


def forget(site: Site, api: APIClient, host: str) -> None:
    """Remove what has names of that registry."""
    site.sweep()
    for row in api.images():
        for name in [*(row["RepoTags"] or []), *(row["RepoDigests"] or [])]:
            if name.startswith(f"{host}/"):
                with contextlib.suppress(ImageNotFound):  # the last of its names has taken the digests along
                    api.remove_image(name, force=True)


def write(site: Site, content: str, **images: Any) -> Site:
    """Services that are built and sleep, with these fields."""
    context = site.folder / "app"
    context.mkdir(exist_ok=True)
    (context / "content").write_text(content)
    (context / "Dockerfile").write_text(f"FROM {site.image}\nCOPY content /\nLABEL {LABEL}=1\n")
    services = {name: site.service(**{"build": {"context": "app"}, **fields}) for name, fields in images.items()}
    for name in services.keys() - {name for name, fields in images.items() if "image" in fields}:
        del services[name]["image"]
    return site.write(**services)


def test_what_was_built_is_pushed_under_all_its_names(site: Site, registry: Registry) -> None:
    """`image`, `build.tags`, and the immutable tag; progress is told, a second push sends no layer again."""
    image, also = f"{registry.host}/shop/web:1", f"{registry.host}/shop/web:latest"
    write(site, site.name, web={"image": image, "build": {"context": "app", "tags": [also]}}, bare={})
    site.converge()
    pushed = (
        site.run("images", "push").expect(0).says(f"{site.name}: 3 pushed, 1 skipped", "it has no image:", "Pushed")
    )
    tag = re.search(r"shop/web:(bk-[0-9a-f]{16})", pushed.stdout)
    assert tag
    digests = {registry.digest("shop/web", name) for name in ("1", "latest", tag[1])}
    assert len(digests) == 1
    document = site.run("images", "push", "-o", "json", "--service", "web").expect(0).document
    (project,) = document["projects"]
    assert [(item["service"], item["status"], item["digest"]) for item in project["images"]] == [
        ("web", "pushed", digest) for digest in digests for _ in range(3)
    ]
    assert document["command"] == "images push"


def test_what_is_not_built_is_not_pushed(site: Site, registry: Registry) -> None:
    """Not before the first build, and not what an earlier content was built to."""
    image = f"{registry.host}/shop/web:1"
    write(site, f"{site.name} 1", web={"image": image})
    site.run("images", "push").expect(1).says("1 failed", "run reconcile first", "compose.yaml:")
    site.converge()
    write(site, f"{site.name} 2", web={"image": image})
    site.run("images", "push").expect(1).says("run reconcile first")
    assert registry.digest("shop/web", "1") is None


def test_a_name_that_others_have_taken_is_not_pushed(site: Site, registry: Registry, api: APIClient) -> None:
    """It would be another image under our name; the immutable tag is pushed."""
    image = f"{registry.host}/shop/web:1"
    write(site, site.name, web={"image": image})
    site.converge()
    api.tag(site.image, f"{registry.host}/shop/web", "1")
    site.run("images", "push").expect(1).says("1 pushed, 1 failed", "it names another image than what was built")
    assert registry.digest("shop/web", "1") is None


def test_a_refusal_in_the_stream_is_a_failure(site: Site, registry: Registry) -> None:
    """The engine answers 200 and fails later; what else is to be pushed is pushed."""
    registry.refused = "forbidden"
    one, two = f"{registry.host}/forbidden/web:1", f"{registry.host}/shop/api:1"
    write(site, site.name, web={"image": one}, api={"image": two})
    site.converge()
    document = site.run("images", "push", "-o", "json").expect(1).document
    found = {item["reference"]: item for project in document["projects"] for item in project["images"]}
    assert found[one]["status"] == "failed"
    assert found[one]["reason"] == "PushFailed"
    assert found[two]["status"] == "pushed"


def test_an_invalid_spec_is_refused(site: Site) -> None:
    """Exit 3, and the line."""
    site.write(web={"image": "app:1", "buidl": "."}).run("images", "push").expect(3).says("compose.yaml:")


@pytest.mark.registry
def test_credentials_are_those_of_pulls(site: Site, api: APIClient, tmp_path: Path) -> None:
    """A locked registry takes what config.json has a password for, and refuses the rest."""
    with running_registry(tmp_path / "registry", locked=True) as locked:
        image = f"{locked.address}/shop/web:1"
        write(site, site.name, web={"image": image})
        site.converge()
        (tmp_path / "config.json").write_text("{}")
        stranger = site.run("images", "push", DOCKER_CONFIG=str(tmp_path)).expect(1)
        assert "1 failed" in stranger.text or "2 failed" in stranger.text
        auths = {"auths": {locked.address: {"auth": CREDENTIALS}}}
        (tmp_path / "config.json").write_text(json.dumps(auths))
        site.run("images", "push", DOCKER_CONFIG=str(tmp_path)).expect(0).says("2 pushed")
        forget(site, api, locked.address)
