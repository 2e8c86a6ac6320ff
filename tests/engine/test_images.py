"""Where images come from, by the command line on a real engine: local tags, builds, a registry."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command import DOCKERFILE, build
from tests.support.image import busybox
from tests.support.registry import runnable_image

if TYPE_CHECKING:
    from docker import APIClient

    from tests.support.command import Site
    from tests.support.registry import Registry

pytestmark = pytest.mark.engine

IMMUTABLE = re.compile(r"@sha256:[0-9a-f]{64}$|^sha256:[0-9a-f]{64}$|:bk-[0-9a-f]+$")


def immutable(site: Site) -> bool:
    """Whether all containers of the project were created from references that no tag can move."""
    references = [row["Config"]["Image"] for row in site.containers().values()]
    return bool(references) and all(IMMUTABLE.search(reference) for reference in references)


def tags(site: Site) -> set[str]:
    """Tags of images that start with the project's name."""
    found = (tag for row in site.api.images() for tag in row["RepoTags"] or [])
    return {tag for tag in found if tag.startswith(site.name)}


# --- local tags -------------------------------------------------------------------------------------------------------


def test_a_moved_tag_waits_for_the_next_run(site: Site, api: APIClient) -> None:
    """A container is created from the image's id; moving the tag touches nothing until the next run replaces it."""
    tag = f"{site.name}/app:1"
    old = build(api, tag, f"FROM {site.image}\nLABEL generation=1\n")
    site.write(web=site.service(image=tag)).converge()
    before = site.running()
    assert immutable(site)
    assert site.only("web")["Image"] == old
    new = build(api, tag, f"FROM {site.image}\nLABEL generation=2\n")
    assert site.running() == before
    site.run("--dry-run", "--exit-code").expect(2).says("the tag names another image now", "compose.yaml:5")
    assert site.running() == before
    site.converge()
    assert site.only("web")["Image"] == new
    assert immutable(site)
    api.remove_image(old, force=True)


# --- builds -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def built(site: Site) -> Site:
    """A project whose image is built from a context around busybox; it runs."""
    shutil.copy(busybox(), site.folder / "busybox")
    (site.folder / "Dockerfile").write_text(f"{DOCKERFILE}COPY page /page\n")
    (site.folder / "page").write_text("one\n")
    fields = site.service(build=".")
    del fields["image"]
    site.write(web=fields).converge("--log-level", "info").says("built")
    return site


def page(site: Site) -> str:
    """What the running container has been built with."""
    return site.execute(site.only("web")["Id"], "cat", "/page")


def test_an_unchanged_context_builds_nothing(built: Site) -> None:
    """The container runs an immutable build tag; touched files change nothing, a changed byte builds and rolls."""
    before, made = built.running(), tags(built)
    assert immutable(built)
    assert page(built) == "one"
    for file in built.folder.iterdir():
        os.utime(file, (0, 0))
    assert "image.build" not in built.run("-o", "json").expect(0).document["summary"]
    assert built.running() == before
    assert tags(built) == made

    (built.folder / "page").write_text("two\n")
    built.run("--dry-run", "--exit-code").expect(2).says("no image has been built from", "-> " + built.name)
    assert tags(built) == made
    built.converge()
    assert page(built) == "two"
    assert immutable(built)
    assert len(tags(built)) == len(made) + 1
    assert not built.running().keys() & before.keys()


def test_a_failed_build_leaves_what_runs(built: Site) -> None:
    """Exit 1 with the builder's own words and the line of `build`; the running version is not touched."""
    before = built.running()
    (built.folder / "Dockerfile").write_text(f'{DOCKERFILE}RUN ["sh", "-c", "echo no compiler here; exit 7"]\n')
    built.run().expect(1).says("no compiler here", "compose.yaml:")
    assert built.running() == before
    assert built.containers().keys() == before.keys()


# --- a registry -------------------------------------------------------------------------------------------------------


def pulling(site: Site, reference: str, **fields: Any) -> Site:
    """A spec of one service with this image and the image's own command."""
    service = site.service(image=reference, **fields)
    del service["command"]
    return site.write(web=service)


def test_pulled_by_digest(site: Site, registry: Registry) -> None:
    """A tag that is not local is resolved, pulled and run by digest; once local the registry is not asked again."""
    image = runnable_image(site.name)
    registry.push("app", "1", image)
    reference = f"{registry.host}/app:1"
    pulling(site, reference)
    plan = site.run("--dry-run", "-o", "json").expect(0).document
    assert plan["summary"]["image.pull"] == 1
    assert image.digest in str(plan["projects"][0]["operations"])
    site.converge()
    assert site.only("web")["Config"]["Image"] == f"{reference}@{image.digest}"
    before = site.running()
    registry.push("app", "1", runnable_image(f"{site.name} again"))
    site.converge().says("in sync")
    assert site.running() == before


def test_always_sees_a_moved_tag_and_outlives_the_registry(site: Site, registry: Registry) -> None:
    """`pull_policy: always` rolls to what was pushed since; a dead registry costs a warning, not what runs."""
    first, second = runnable_image(f"{site.name} 1"), runnable_image(f"{site.name} 2")
    reference = f"{registry.host}/app:1"
    registry.push("app", "1", first)
    pulling(site, reference, pull_policy="always").converge()
    assert site.only("web")["Config"]["Image"].endswith(first.digest)
    registry.push("app", "1", second)
    site.converge().says("the registry has another digest")
    assert site.only("web")["Config"]["Image"].endswith(second.digest)
    assert site.run("--dry-run", "--exit-code").code == 0
    before = site.running()
    registry.close()
    site.converge().says("nothing newer is taken", "connection refused", "compose.yaml:")
    assert site.running() == before


def test_never_uses_what_is_local(site: Site, registry: Registry) -> None:
    """`pull_policy: never` fails with the spec's line where the image is not local, though the registry has it."""
    registry.push("app", "1", runnable_image(site.name))
    pulling(site, f"{registry.host}/app:1", pull_policy="never")
    site.run().expect(1).says("pull_policy is never", "compose.yaml:")
    assert not site.containers()
    site.write(web=site.service(pull_policy="never")).converge()
    assert immutable(site)


def test_a_tag_that_the_registry_does_not_have(site: Site, registry: Registry) -> None:
    """Exit 1 naming reference and line; what ran before runs on."""
    site.write(web=site.service()).converge()
    before = site.running()
    pulling(site, f"{registry.host}/app:gone")
    site.run().expect(1).says(f"{registry.host}/app:gone", "ImageNotFound", "compose.yaml:5")
    assert site.running() == before
