"""Services that follow their registry, by the command line on a real engine: what is new there, and what holds it back.

The acceptance points of the design that need an engine and a registry; the rules one by one stand in tests/unit.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.command import until
from tests.support.registry import runnable_image, tiny_image

if TYPE_CHECKING:
    from docker import APIClient

    from tests.support.command import Site
    from tests.support.registry import Registry

pytestmark = pytest.mark.engine


def following(site: Site, reference: str, **image: Any) -> Site:
    """A spec of one service that follows its registry, with the image's own command."""
    rules = {"rollout": {"min_running": "100ms"}, "image": {"track": "digest", **image}}
    service = site.service(image=reference, **{"x-reconcile": rules})
    del service["command"]
    return site.write(web=service)


def ran(site: Site) -> str:
    """The reference that the service's container was created from, without the registry's host."""
    return str(site.only("web")["Config"]["Image"]).partition("/")[2]


def digests(api: APIClient, registry: Registry) -> set[str]:
    """What the engine has of the registry."""
    found = (digest for row in api.images() for digest in row["RepoDigests"] or [])
    return {digest for digest in found if digest.startswith(f"{registry.host}/")}


def gets(registry: Registry) -> list[str]:
    """The manifests that were downloaded."""
    return [path for method, path in registry.asked if method == "GET" and "/manifests/" in path]


def test_an_index_that_changed_for_others_restarts_nothing(site: Site, registry: Registry) -> None:
    """Another build for arm64 moves the index; what amd64 runs is the same. A build for amd64 is another image."""
    mine, theirs = runnable_image(f"{site.name} 1"), [tiny_image(f"{site.name} arm {number}") for number in (1, 2)]
    reference = f"{registry.host}/app:1"
    first = registry.push_index("app", "1", amd64=mine, arm64=theirs[0])
    following(site, reference).converge()
    assert ran(site) == f"app:1@{first}"
    before = site.running()
    second = registry.push_index("app", "1", amd64=mine, arm64=theirs[1])
    assert first != second
    site.converge().says("in sync")
    asked = len(gets(registry))
    site.converge().says("in sync")
    assert len(gets(registry)) == asked, "what was compared once is known"
    assert site.running() == before
    third = registry.push_index("app", "1", amd64=runnable_image(f"{site.name} 2"), arm64=theirs[1])
    site.converge().says("the registry has another digest", "compose.yaml:")
    assert ran(site) == f"app:1@{third}"


def test_what_was_resolved_is_what_runs(site: Site, registry: Registry) -> None:
    """A tag that moves between the plan and the pull moves nothing: the digest is pulled."""
    planned, later = runnable_image(f"{site.name} planned"), runnable_image(f"{site.name} later")
    registry.push("app", "1", planned)
    following(site, f"{registry.host}/app:1")
    process = site.start()
    until(lambda: any(method == "HEAD" for method, _ in registry.asked))
    registry.push("app", "1", later)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert ran(site) == f"app:1@{planned.digest}"


def test_a_pull_that_breaks_off_touches_nothing(site: Site, registry: Registry) -> None:
    """A blob that is missing fails the pull in the middle of its stream: exit 1, and the old container runs on."""
    reference = f"{registry.host}/app:1"
    registry.push("app", "1", runnable_image(f"{site.name} 1"))
    following(site, reference).converge()
    before = site.running()
    broken = runnable_image(f"{site.name} 2")
    registry.push("app", "1", broken)
    registry.lose(broken)
    site.run("--timeout", "30").expect(1).says(broken.digest[7:19], "compose.yaml:")
    assert site.running() == before


def test_a_dry_run_asks_by_head_alone(site: Site, registry: Registry, api: APIClient) -> None:
    """Nothing is pulled, and where nothing moved no manifest is downloaded."""
    reference = f"{registry.host}/app:1"
    registry.push_index("app", "1", amd64=runnable_image(f"{site.name} 1"))
    following(site, reference).converge()
    registry.asked.clear()
    site.run("--dry-run", "--exit-code").expect(0)
    assert {method for method, _ in registry.asked} == {"HEAD"}
    registry.push_index("app", "1", amd64=runnable_image(f"{site.name} 2"))
    pulled = digests(api, registry)
    site.run("--dry-run", "--exit-code").expect(2).says("the registry has another digest")
    assert digests(api, registry) == pulled


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "RegistryUnauthorized"), (404, "ImageNotFound"), (429, "RegistryRateLimited"), (500, "RegistryBadAnswer")],
)
def test_a_registry_that_refuses_stops_nothing(site: Site, registry: Registry, status: int, reason: str) -> None:
    """Each refusal shows as its own reason, and what runs is kept."""
    registry.push("app", "1", runnable_image(site.name))
    following(site, f"{registry.host}/app:1").converge()
    before = site.running()
    registry.refusal = status
    warnings = site.run("-o", "json").expect(0).document["warnings"]
    assert [warning["code"] for warning in warnings] == [reason]
    assert site.running() == before


def test_versions_are_followed_and_never_back(site: Site, registry: Registry) -> None:
    """The newest version in range, with the suffix that is written; one that is withdrawn takes nobody back."""
    images = {tag: runnable_image(f"{site.name} {tag}") for tag in ("1.2.0", "1.3.0", "1.4.0", "2.0.0", "1.9.0-alpine")}
    for tag in ("1.2.0", "1.3.0", "2.0.0", "1.9.0-alpine"):
        registry.push("app", tag, images[tag])
    following(site, f"{registry.host}/app:1.2.0", track="semver", range="^1.2").converge()
    assert ran(site) == f"app:1.3.0@{images['1.3.0'].digest}"
    registry.push("app", "1.4.0", images["1.4.0"])
    site.converge().says("app:1.3.0 -> ", "1.4.0 is the newest version in ^1.2")
    assert ran(site) == f"app:1.4.0@{images['1.4.0'].digest}"
    before = site.running()
    del registry._tags["app:1.4.0"]
    site.converge()
    assert site.running() == before


def test_containers_that_went_take_no_version_back(site: Site, registry: Registry, api: APIClient) -> None:
    """Nothing is left of the service and its registry is down: what ran last comes up, not what is written."""
    images = {tag: runnable_image(f"{site.name} {tag}") for tag in ("1.0.0", "1.1.0")}
    registry.push("app", "1.0.0", images["1.0.0"])
    following(site, f"{registry.host}/app:1.0.0", track="semver").converge()
    registry.push("app", "1.1.0", images["1.1.0"])
    site.converge()
    registry.refusal = 500
    api.remove_container(site.only("web")["Id"], force=True)
    site.converge()
    assert ran(site) == f"app:1.1.0@{images['1.1.0'].digest}"


def test_a_new_digest_cools_down_first(site: Site, registry: Registry) -> None:
    """From when we first saw it, in another run; a re-push begins anew. Both are told what they wait for."""
    reference = f"{registry.host}/app:1"
    registry.push("app", "1", runnable_image(f"{site.name} 1"))
    following(site, reference, cooldown="4s").converge()
    before, pushed = site.running(), runnable_image(f"{site.name} 2")
    registry.push("app", "1", pushed)
    site.converge().says("in sync")
    (row,) = site.run("images", "-o", "json").expect(0).document["images"]
    assert [(held["by"], held["reference"]) for held in row["held"]] == [("cooldown", f"{reference}@{pushed.digest}")]
    assert site.running() == before
    time.sleep(4)
    site.converge().says("the registry has another digest")
    assert ran(site) == f"app:1@{pushed.digest}"


def test_the_lock_is_what_runs(site: Site, registry: Registry) -> None:
    """Pinned, a moved tag moves nothing: it is told, `--check` says stale, and `--update` lets it through."""
    first, second = runnable_image(f"{site.name} 1"), runnable_image(f"{site.name} 2")
    reference = f"{registry.host}/app:1"
    registry.push("app", "1", first)
    following(site, reference)
    site.run("images", "lock").expect(0).says("1 changed")
    lock = site.folder / "reconcile.lock"
    assert first.digest in lock.read_text()
    registry.push("app", "1", second)
    site.converge()
    assert ran(site) == f"app:1@{first.digest}"
    before = site.running()
    site.run("--dry-run", "--exit-code").expect(0).says("reconcile.lock:", "images lock --update web")
    written = lock.read_text()
    site.run("images", "lock", "--check").expect(2).says("stale")
    site.run("images", "lock").expect(0).says("up to date")
    assert lock.read_text() == written
    assert site.running() == before
    site.run("images", "lock", "--update", "web").expect(0)
    site.run("images", "lock", "--check").expect(0)
    site.converge().says("reconcile.lock pins it", "reconcile.lock:")
    assert ran(site) == f"app:1@{second.digest}"


def test_an_image_that_nobody_signed_is_not_deployed(site: Site, registry: Registry) -> None:
    """`verify`: what runs is kept, the reason is the condition's, and the project's other services go on."""
    registry.push("app", "1", runnable_image(f"{site.name} 1"))
    reference = f"{registry.host}/app:1"
    following(site, reference).converge()
    before = site.running("web")
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    (site.folder / "key.pub").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    registry.push("app", "1", runnable_image(f"{site.name} 2"))
    rules = {"rollout": {"min_running": "100ms"}, "image": {"track": "digest", "verify": {"keys": ["key.pub"]}}}
    web = site.service(image=reference, **{"x-reconcile": rules})
    del web["command"]
    site.write(web=web, other=site.service())
    ended = site.run().expect(1)
    ended.says("SignatureMissing", "what runs is kept", "compose.yaml:")
    assert site.running("web") == before
    assert site.running("other")
