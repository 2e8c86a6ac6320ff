"""The options of `build`, by the command line on a real engine: by BuildKit, by the classic builder, and not at all."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.builders import has_buildx
from tests.support.command import DOCKERFILE
from tests.support.image import busybox

if TYPE_CHECKING:
    from tests.support.command import Ran, Site

pytestmark = pytest.mark.engine

SECRET = "s3cret-of-a-file\n"  # noqa: S105 - of these tests only
OTHER = "s3cret-of-the-environment"
SEEN = "RUN cat /etc/hosts > /hosts; ls /sys/class/net > /net; df /dev/shm | tail -1 > /shm; ulimit -n > /files\n"
OPTIONS: dict[str, Any] = {
    "extra_hosts": ["db:10.1.2.3", "six:fd00::1"],
    "network": "none",
    "platforms": ["linux/amd64"],
    "no_cache": True,
}


@pytest.fixture(params=["classic", "buildx"])
def building(site: Site, request: pytest.FixtureRequest) -> Site:
    """A site whose project is built by one of the two builders; only the classic one is left where PATH is empty."""
    if request.param == "buildx" and not has_buildx():
        pytest.skip("the docker CLI has no buildx")
    site.environment["PATH"] = os.environ["PATH"] if request.param == "buildx" else "/nonexistent"
    return site


@pytest.fixture
def by_buildkit(site: Site) -> Site:
    """A site whose project is built by BuildKit."""
    if not has_buildx():
        pytest.skip("the docker CLI has no buildx")
    return site


@pytest.fixture
def classically(site: Site) -> Site:
    """A site whose project is built by the classic builder."""
    site.environment["PATH"] = "/nonexistent"
    return site


def write(site: Site, more: str, secrets: dict[str, Any] | None = None, /, **options: Any) -> Site:
    """A service that is built from busybox, these lines and these options."""
    context = site.folder / "app"
    context.mkdir(exist_ok=True)
    shutil.copy(busybox(), context / "busybox")
    (context / "Dockerfile").write_text(f"{DOCKERFILE}{more}")
    fields = site.service(build={"context": "app", **options})
    del fields["image"]
    return site.write({"secrets": secrets or {}}, web=fields)


def file(site: Site, path: str) -> str:
    """A file of what runs."""
    return site.execute(site.only("web")["Id"], "cat", path)


def test_commands_of_a_build_see_its_options(building: Site) -> None:
    """Hosts, network and platform; the further tag names the same image."""
    also = f"{building.name}-also:1"
    write(building, SEEN, **OPTIONS, tags=[also]).converge()
    hosts = [line.split() for line in file(building, "/hosts").splitlines()]
    assert ["10.1.2.3", "db"] in hosts
    assert ["fd00::1", "six"] in hosts
    assert file(building, "/net") == "lo"
    assert building.api.inspect_image(also)["Id"] == building.only("web")["Image"]
    before = building.running()
    write(building, SEEN, **OPTIONS | {"no_cache": False}, pull=True).converge().says("in sync")
    assert building.running() == before


def test_limits_of_a_classic_build(classically: Site) -> None:
    """Shared memory and open files; a cache that only BuildKit knows is named."""
    limits = {"shm_size": "32m", "ulimits": {"nofile": {"soft": 1000, "hard": 2000}}}
    write(classically, SEEN, **limits, cache_from=["type=gha"]).converge("--log-level", "info").says("type=gha")
    assert file(classically, "/shm").split()[1] == "32768"
    assert file(classically, "/files") == "1000"


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("secrets", {"secrets": ["token"]}),
        ("ssh", {"ssh": ["default"]}),
        ("additional_contexts", {"additional_contexts": {"base": "."}}),
        ("entitlements", {"entitlements": ["network.host"]}),
        ("platforms", {"platforms": ["linux/amd64", "linux/arm64"]}),
    ],
)
def test_the_classic_builder_says_what_it_cannot_do(classically: Site, key: str, options: dict[str, Any]) -> None:
    """Exit 1 and the name of the option; nothing is built without it."""
    write(classically, "", {"token": {"environment": "TOKEN"}}, **options)
    classically.run(TOKEN=OTHER).expect(1).says(f"build.{key} needs BuildKit")
    assert not classically.containers()


def test_a_changed_byte_is_sent(by_buildkit: Site) -> None:
    """Beside a Dockerfile that COPY must not see too, where files come with names, sizes and times first."""
    dockerfile = f"{DOCKERFILE}COPY page /page\n"
    for content in ("one", "two"):
        write(by_buildkit, "", context="app", dockerfile_inline=dockerfile)
        (by_buildkit.folder / "app" / "page").write_text(content)
        by_buildkit.converge()
        assert file(by_buildkit, "/page") == content


def with_secrets(site: Site, content: str) -> Ran:
    """Builds with two secrets that the Dockerfile prints; what was said."""
    (site.folder / "to,ken").write_text(content)
    mounts = "--mount=type=secret,id=token --mount=type=secret,id=other"
    line = f"RUN {mounts} cd /run/secrets; cat token other; cat token other | md5sum > /sum\n"
    secrets = {"token": {"file": "to,ken"}, "variable": {"environment": "OTHER"}}
    asked = ["token", {"source": "variable", "target": "other"}]
    return write(site, line, secrets, secrets=asked, no_cache=True).run("--log-level", "info", OTHER=OTHER).expect(0)


def test_secrets_reach_the_build_and_nobody_else(by_buildkit: Site) -> None:
    """Not the output, not the image; the same secret builds nothing, another one builds anew.

    BuildKit's cache does not know the content of secrets: without `no_cache` the same layers would come out.
    """
    said = with_secrets(by_buildkit, SECRET).says("built")
    first = file(by_buildkit, "/sum")
    seen = (said.text, str(by_buildkit.api.history(by_buildkit.only("web")["Image"])))
    assert not [secret for secret in (SECRET.strip(), OTHER) for text in seen if secret in text]
    with_secrets(by_buildkit, SECRET).says("in sync")
    with_secrets(by_buildkit, "s3cret-of-tomorrow\n").says("built")
    assert file(by_buildkit, "/sum") != first


def test_a_secret_that_is_gone_refuses_the_project(site: Site) -> None:
    """Exit 3 at the line of the build, before the engine is asked for anything."""
    write(site, "", {"token": {"file": "gone"}}, secrets=["token"])
    site.run().expect(3).says("the secret token of the build", "gone cannot be read", "compose.yaml:")
    assert not site.containers()


def test_several_platforms_need_another_image_store(by_buildkit: Site) -> None:
    """The classic image store keeps one; said before anything is built."""
    if "io.containerd.snapshotter.v1" in str(by_buildkit.api.info()["DriverStatus"]):
        pytest.skip("this engine's image store keeps an image for several platforms")
    write(by_buildkit, "", platforms=["linux/amd64", "linux/arm64"])
    by_buildkit.run().expect(1).says("build.platforms names linux/amd64,linux/arm64", "containerd image store")


def test_an_old_buildkit_is_not_silent_about_limits(by_buildkit: Site) -> None:
    """Before Docker 23 it takes them and does nothing."""
    if tuple(map(int, by_buildkit.api.version()["ApiVersion"].split("."))) >= (1, 42):
        pytest.skip("this engine's BuildKit knows limits")
    said = write(by_buildkit, "", shm_size="32m").run("--log-level", "info").expect(0)
    said.says("without shm_size: BuildKit of this engine does not know it")


def test_additional_contexts_are_copied_from(by_buildkit: Site) -> None:
    """As their own ignore file leaves them; a changed byte builds anew."""
    if tuple(map(int, by_buildkit.api.version()["ApiVersion"].split("."))) < (1, 42):
        pytest.skip("this engine's BuildKit has no additional contexts")
    other = by_buildkit.folder / "other"
    other.mkdir()
    for name, content in (("kept", "one"), ("dropped", "x"), (".dockerignore", "dropped\n")):
        (other / name).write_text(content)
    contexts = {"additional_contexts": {"other": "./other"}}
    write(by_buildkit, "COPY --from=other . /other\n", **contexts).converge()
    assert by_buildkit.execute(by_buildkit.only("web")["Id"], "ls", "/other") == "kept"
    by_buildkit.converge().says("in sync")
    (other / "kept").write_text("two")
    by_buildkit.converge()
    assert file(by_buildkit, "/other/kept") == "two"
