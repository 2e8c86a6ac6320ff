"""Rules about images, builds and services."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.model.project import Build, Image, Pin, PublicKey
from reconciler.policy.images import fingerprint
from tests.unit.policy.asking import broken, broken_by, host, only, policy_of, service

if TYPE_CHECKING:
    from reconciler.model.project import Service
    from reconciler.policy.resolve import Policy

DIGEST = "sha256:" + "d" * 64
DER = b"0\x03\x01\x02\x03"
KEY = PublicKey(
    "cosign.pub", f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(DER).decode()}\n-----END PUBLIC KEY-----\n"
)
PRINT = f"sha256:{hashlib.sha256(DER).hexdigest()}"
GHCR, ACME = only("registries", ("ghcr.io",)), only("repositories", ("ghcr.io/acme/*", "redis"))


def of(reference: str, **changes: Any) -> Service:
    """A service that runs this image."""
    return service(image=Image(reference, **changes))


def build(**changes: Any) -> Build:
    """A build of a folder."""
    return Build("/src", "/src/Dockerfile", **changes)


def built(reference: str = "shop/web:1", **changes: Any) -> Service:
    """A service whose image is built from the spec."""
    return service(image=Image(reference, build=build(**changes)))


@pytest.mark.parametrize(
    ("policy", "reference", "allowed"),
    [
        (GHCR, "ghcr.io/acme/web:1", True),
        (GHCR, f"ghcr.io/acme/web@{DIGEST}", True),
        (GHCR, "ghcr.io.evil.example/acme/web:1", False),
        (GHCR, "ghcr.io:443/acme/web:1", False),
        (GHCR, "acme/web", False),
        (GHCR, "GHCR.IO/acme/web", False),
        (only("registries", ("docker.io",)), "redis", True),
        (only("registries", ("docker.io",)), "index.docker.io/library/redis", True),
        (only("registries", ("localhost:5000",)), "localhost:5000/a", True),
        (ACME, "ghcr.io/acme/web:1", True),
        (ACME, "ghcr.io/acme-evil/web:1", False),
        (ACME, "redis:7", True),
        (ACME, "evil/redis:7", False),
        (only("repositories", ("docker.io/library/*",)), "redis", True),
    ],
)
def test_where_images_may_come_from(policy: Policy, reference: str, *, allowed: bool) -> None:
    """By the registry's host, exactly; by patterns of repositories. The same when it is pulled, created or mounted."""
    mounting = host(Mounts=[{"Type": "image", "Source": reference, "Target": "/x"}, {"Type": "tmpfs"}])
    assert (broken_by(of(reference), policy) == set()) is allowed
    assert (broken(policy, "pull", {"reference": reference}) == set()) is allowed
    assert (broken(policy, "container", {"Image": reference}) == set()) is allowed
    assert (broken(policy, "container", mounting) == set()) is allowed
    assert (broken(policy, "container", {"Image": "sha256:1"})) == set()


@pytest.mark.parametrize(
    "made",
    [
        {"bases": (("evil.example/base:1", "x"),)},
        {"contexts": (("base", "docker-image://evil.example/base"),)},
        {"args": (("BUILDKIT_SYNTAX", "evil.example/frontend"),)},
        {"cache_from": ("evil.example/cache",)},
        {"cache_from": ("type=registry,ref=evil.example/cache",)},
    ],
)
def test_what_a_build_starts_from_comes_from_somewhere_too(made: dict[str, Any]) -> None:
    """Bases, contexts, the frontend that reads the Dockerfile, caches."""
    assert broken_by(built(**made), GHCR) == {"registries"}
    assert broken(GHCR, "build", {"build": build(**made)}) == {"registries"}


def test_what_is_built_here_comes_from_no_registry() -> None:
    """Its own name is only a name."""
    assert broken_by(built(bases=(("ghcr.io/acme/base:1", "x"),)), GHCR) == set()


@pytest.mark.parametrize(
    ("rule", "asked", "allowed"),
    [
        ("no-latest", of("redis"), False),
        ("no-latest", of("redis:latest"), False),
        ("no-latest", of("redis:7"), True),
        ("no-latest", of(f"redis@{DIGEST}"), True),
        ("no-latest", of("redis", pin=Pin("redis:7", DIGEST, 0.0, "digest")), True),
        ("no-latest", built("shop/web"), True),
        ("digest-or-lock", of("redis:7"), False),
        ("digest-or-lock", of(f"redis:7@{DIGEST}"), True),
        ("digest-or-lock", of("redis:7", pin=Pin("redis:7", DIGEST, 0.0, "digest")), True),
        ("digest-or-lock", built(), True),
        ("signature", of("redis:7"), False),
        ("signature", of("redis:7", keys=(KEY,)), True),
        ("signature", built(bases=(("redis:7", "x"),)), True),
    ],
)
def test_how_firmly_images_are_named(rule: str, asked: Service, *, allowed: bool) -> None:
    """By version, by digest or lock, by signature."""
    assert broken_by(asked, only(rule)) == (set() if allowed else {rule})


def test_a_key_of_the_repository_s_own_is_not_enough() -> None:
    """Where the policy names keys, it is one of these."""
    assert fingerprint(KEY) == PRINT
    assert broken_by(of("redis:7", keys=(KEY,)), only("signature", (PRINT,))) == set()
    assert broken_by(of("redis:7", keys=(KEY,)), only("signature", ("sha256:0",))) == {"signature"}
    assert broken_by(of("redis:7", keys=(PublicKey("x", "?"),)), only("signature", (PRINT,))) == {"signature"}


@pytest.mark.parametrize(
    ("made", "rule"),
    [
        ({"privileged": True}, "build-privileges"),
        ({"network": "host"}, "build-privileges"),
        ({"network": "container:db"}, "build-privileges"),
        ({"entitlements": ("security.insecure",)}, "build-privileges"),
        ({"ssh": ("default",)}, "build-privileges"),
        ({"cache_to": ("type=local,dest=/etc",)}, "build-caches"),
        ({"cache_to": ("ghcr.io/acme/cache",)}, "build-caches"),
        ({"cache_from": ("type=local,src=/etc",)}, "build-caches"),
    ],
)
def test_what_a_build_may_not_have(made: dict[str, Any], rule: str) -> None:
    """At `standard`, in the spec and as an operation."""
    assert broken_by(built(**made), policy_of()) == {rule}
    assert broken(policy_of(), "build", {"build": build(**made)}) == {rule}


def test_a_plain_build_passes_at_standard_and_none_at_strict() -> None:
    """What a Dockerfile runs is confined as a container is."""
    plain = built(
        network="none", cache_to=("type=inline",), cache_from=("acme/web:cache", "type=registry,ref=acme/web")
    )
    assert broken_by(plain, policy_of()) == set()
    assert broken_by(plain, only("builds")) == {"builds"}


def test_replicas_are_counted() -> None:
    """The rule's number is the most that there may be."""
    assert broken_by(service(replicas=3), only("max-replicas", 3)) == set()
    assert broken_by(service(replicas=4), only("max-replicas", 3)) == {"max-replicas"}


def test_a_job_needs_no_health_check() -> None:
    """It completes instead."""
    assert broken_by(service(job=True), only("health-check")) == set()
    assert broken_by(service(), only("health-check")) == {"health-check"}
