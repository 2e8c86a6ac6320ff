"""Base images of builds on a real engine, by both builders: what is built is what the key says."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.engine.docker import connect
from reconciler.errors import EngineError
from reconciler.images.bases import with_bases
from reconciler.images.build_key import with_content
from reconciler.model.labels import BUILD_BASES
from reconciler.model.observed import RegistryAnswer
from reconciler.model.project import Build, Image, Project, Service
from reconciler.observation import image_from_row
from tests.support.builders import has_buildx, without_buildx
from tests.support.command import build
from tests.support.image import LABEL, busybox
from tests.support.registry import Registry, runnable_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import APIClient

    from reconciler.engine.protocol import Engine
    from tests.support.command import Ran, Site

pytestmark = pytest.mark.engine

START = f"FROM scratch\nCOPY busybox /bin/busybox\nLABEL {LABEL}=1\n"


@pytest.fixture(params=["classic", "buildx"])
def building(site: Site, request: pytest.FixtureRequest) -> Site:
    """A site whose project is built by one of the two builders."""
    if request.param == "buildx" and not has_buildx():
        pytest.skip("the docker CLI has no buildx")
    site.environment["PATH"] = os.environ["PATH"] if request.param == "buildx" else "/nonexistent"
    return site


@pytest.fixture
def builder(building: Site) -> Iterator[Engine]:
    """A connection that builds as the site does."""
    connection = connect() if building.environment["PATH"] == os.environ["PATH"] else without_buildx()
    yield connection
    connection.close()


@pytest.fixture
def registry(building: Site, api: APIClient) -> Iterator[Registry]:
    """A registry of this process; what was pulled from it is removed afterwards."""
    found = Registry()
    host = found.host
    yield found
    found.close()
    building.sweep()
    for row in api.images():
        names = [*(row["RepoTags"] or []), *(row["RepoDigests"] or [])]
        if any(name.startswith(f"{host}/") for name in names):
            api.remove_image(row["Id"], force=True)


def base(site: Site, generation: str) -> str:
    """A local base image that sleeps, called NAME-base:1, as it is in that generation; its id."""
    command = 'ENV PATH=/bin\nSTOPSIGNAL SIGKILL\nCMD ["/bin/busybox", "sleep", "600"]\n'
    return build(site.api, f"{site.name}-base:1", f"{START}LABEL generation={generation}\n{command}")


def write(site: Site, dockerfile: str, **options: Any) -> Site:
    """A service that is built by this Dockerfile."""
    context = site.folder / "app"
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text(dockerfile)
    shutil.copy(busybox(), context / "busybox")
    service = site.service(build={"context": "app", **options})
    del service["image"], service["command"]
    return site.write(web=service)


def planned(site: Site, engine: Engine, answers: dict[str, str], **options: Any) -> Build:
    """The build of the site's context with its key, as planned by what the engine has now."""
    context = site.folder / "app"
    made = with_content(Build(str(context), str(context / "Dockerfile"), **options), site.name, "web", "", None)
    project = Project(site.name, (Service("web", Image("", build=made), {}),))
    images = tuple(image_from_row(row, None) for row in engine.list_images())
    known = {name: RegistryAnswer(digest) for name, digest in answers.items()}
    found = with_bases(project, images, engine.info().platform, lambda asked: {name: known[name] for name in asked})
    result = found.services[0].image.build
    assert result
    assert result.key
    return result


def label(site: Site, image: str, name: str) -> str:
    """A label of an image."""
    return str(site.api.inspect_image(image)["Config"]["Labels"][name])


def test_a_moved_base_builds_again_and_an_unmoved_one_does_not(building: Site) -> None:
    """The local base is used as it is; its content is part of the key, not its name."""
    base(building, "1")
    write(building, f"FROM {building.name}-base:1\nCOPY Dockerfile /\n").converge().says("1 built")
    before = building.running()
    building.converge().says("in sync")
    assert building.running() == before
    base(building, "2")
    building.run("--dry-run", "--exit-code").expect(2).says("no image has been built from")
    building.converge()
    assert label(building, building.only("web")["Image"], "generation") == "2"
    building.converge().says("in sync")


def test_a_base_that_moved_after_planning_is_not_built_from(building: Site, builder: Engine) -> None:
    """By its id, by its digest, or not at all: nothing gets the tag that says otherwise."""
    first = base(building, "1")
    write(building, f"FROM {building.name}-base:1\nCOPY Dockerfile /\n")
    made = planned(building, builder, {}, labels=((LABEL, "1"),))
    assert dict(made.bases)[f"{building.name}-base:1"] in {first, *_pinned(building, first)}
    base(building, "2")
    code = attempt(builder, made)
    assert code in {"", "BuildBaseChanged", "BuildFailed"}  # the last where the tag was all that kept the old one
    assert (made.tag in _tags(building)) == (code == "")
    assert code or label(building, made.tag, "generation") == "1"
    again = planned(building, builder, {}, labels=((LABEL, "1"),))
    builder.build_image(again, (again.tag, f"{building.name}-more:1"), None, lambda _: None)
    assert label(building, f"{building.name}-more:1", "generation") == "2"
    assert again.key != made.key


def attempt(builder: Engine, made: Build) -> str:
    """Build; the code of the refusal, or ""."""
    try:
        builder.build_image(made, (made.tag,), None, lambda _: None)
    except EngineError as error:
        return error.code
    return ""


def _pinned(site: Site, image: str) -> set[str]:
    """What an engine that gives digests to what is built calls it."""
    row = next(row for row in site.api.images() if row["Id"] == image)
    return {f"{site.name}-base:1@{digest.partition('@')[2]}" for digest in row["RepoDigests"] or []}


def _tags(site: Site) -> set[str]:
    return {tag for row in site.api.images() for tag in row["RepoTags"] or []}


def pushed(registry: Registry, content: str) -> str:
    """The digest of what HOST/base:1 is now."""
    image = runnable_image(content)
    registry.push("base", "1", image)
    return image.digest


def test_a_base_in_a_registry_is_pinned(building: Site, builder: Engine, registry: Registry) -> None:
    """Its tag has moved since: what was planned is built, of a Dockerfile that COPY sees as it was written."""
    reference = f"{registry.host}/base:1"
    digest = pushed(registry, f"{building.name} 1")
    text = f'FROM {reference}\nRUN ["/bin/busybox", "true"]\nCOPY . /context/\n'
    write(building, text)
    made = planned(building, builder, {reference: digest}, labels=((LABEL, "1"),))
    assert made.bases == ((reference, f"{reference}@{digest}"),)
    pushed(registry, f"{building.name} 2")
    builder.build_image(made, (made.tag,), None, lambda _: None)
    container = building.outsider("look", Image=made.tag, Cmd=["/bin/busybox", "sleep", "600"])
    assert building.execute(container, "/bin/busybox", "cat", "/content") == f"{building.name} 1"
    assert building.execute(container, "/bin/busybox", "cat", "/context/Dockerfile") == text.strip()
    assert json.loads(label(building, made.tag, BUILD_BASES)) == dict(made.bases)


def images_asked(site: Site, registry: Registry) -> Ran:
    """A run with the registry gone."""
    registry.close()
    return site.run()


def test_a_base_is_looked_up_once(building: Site, registry: Registry) -> None:
    """What was built says what it started from: a silent registry and a moved tag change nothing.

    A changed context asks again, where the base is not local; without an answer what runs stays.
    """
    reference = f"{registry.host}/base:1"
    pushed(registry, f"{building.name} 1")
    write(building, f"FROM {reference}\nCOPY Dockerfile /\n").converge()
    assert building.execute(building.only("web")["Id"], "/bin/busybox", "cat", "/content") == f"{building.name} 1"
    before = building.running()
    pushed(registry, f"{building.name} 2")
    building.converge().says("in sync")
    images_asked(building, registry).expect(0).says("in sync")
    write(building, f"FROM {reference}\nCOPY Dockerfile /other\n")
    building.run().expect(1).says(f"the base image {reference} is not on the engine and cannot be looked up")
    building.run("validate").expect(0)
    assert building.running() == before


def test_pull_asks_the_registry(building: Site, registry: Registry) -> None:
    """A newer base builds again; out of reach, what is known is used, with a warning."""
    reference = f"{registry.host}/base:1"
    pushed(registry, f"{building.name} 1")
    write(building, f"FROM {reference}\nCOPY Dockerfile /\n", pull=True).converge()
    pushed(registry, f"{building.name} 2")
    building.converge()
    assert building.execute(building.only("web")["Id"], "/bin/busybox", "cat", "/content") == f"{building.name} 2"
    before = building.running()
    images_asked(building, registry).expect(0).says("as no registry said what is newest", "compose.yaml:")
    assert building.running() == before


def test_names_that_others_have_taken_are_put_back(building: Site) -> None:
    """`build.tags` and `image` name what was built, whoever has moved them; what runs is left alone."""
    base(building, "1")
    also = f"{building.name}-also:1"
    write(building, f"FROM {building.name}-base:1\n", tags=[also]).converge()
    built, before = building.only("web")["Image"], building.running()
    building.api.tag(f"{building.name}-base:1", f"{building.name}-also", "1")
    building.run("--dry-run", "--exit-code").expect(2).says(also, "names what was built")
    building.converge()
    assert building.api.inspect_image(also)["Id"] == built
    assert building.running() == before


def test_services_of_one_build_build_once(building: Site) -> None:
    """Each has its own name for it."""
    base(building, "1")
    write(building, f"FROM {building.name}-base:1\n")
    both = {name: building.service(build="app") for name in ("one", "two")}
    for service in both.values():
        del service["image"], service["command"]
    document = building.write(**both).run("-o", "json").expect(0).document
    assert document["summary"]["image.build"] == 1
    assert document["summary"]["image.tag"] == 1
    assert building.only("one")["Image"] == building.only("two")["Image"]
    building.converge().says("in sync")
