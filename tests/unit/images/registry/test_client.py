from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.errors import RegistryError
from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.digests import ConfigDigest, IndexDigest, Manifest, Platform, PlatformDigest
from tests.support.standin import INDEX, MANIFEST, Asked, Reply, StandIn, digest_of, index, manifest

Serve = Callable[[Callable[[Asked], Reply]], StandIn]
Make = Callable[..., RegistryClient]
CONTENT = index("linux/amd64", "linux/arm64")
DIGEST = IndexDigest(digest_of(CONTENT))


def failing(call: Callable[[], object]) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        call()
    return caught.value


def without(reply: Reply, *names: str) -> Reply:
    return Reply(reply.status, {key: value for key, value in reply.headers.items() if key not in names}, reply.body)


def test_a_digest_costs_one_head(serve: Serve, make_client: Make) -> None:
    """All four manifest types are asked for in one header, or the registry would convert what it has."""
    server = serve(lambda _: manifest(CONTENT))
    assert make_client().digest(f"{server.host}/a/b:1") == Manifest(DIGEST, INDEX)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("HEAD", "/v2/a/b/manifests/1")
    assert asked.headers["Accept-Encoding"] == "identity"
    assert asked.headers["Accept"].split(", ") == [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]


def test_without_a_digest_header_the_content_is_hashed(serve: Serve, make_client: Make) -> None:
    """The bytes as they came, not what they mean."""
    server = serve(lambda _: without(manifest(CONTENT), "Docker-Content-Digest"))
    assert make_client().digest(f"{server.host}/a:1") == Manifest(DIGEST, INDEX)
    assert server.methods() == ["HEAD", "GET"]


def test_a_manifest_is_verified(serve: Serve, make_client: Make) -> None:
    """By the header of a tag, and by the digest that was asked for."""
    server = serve(lambda _: manifest(CONTENT))
    client = make_client()
    assert client.manifest(f"{server.host}/a:1") == Manifest(DIGEST, INDEX, CONTENT)
    assert client.manifest(f"{server.host}/a@{DIGEST.value}").digest == DIGEST
    server.answering = lambda _: Reply(200, manifest(CONTENT).headers, CONTENT + b" ")
    assert failing(lambda: client.manifest(f"{server.host}/a:1")).reason == "RegistryBadAnswer"
    server.answering = lambda _: manifest(CONTENT + b" ")
    assert failing(lambda: client.manifest(f"{server.host}/a@{DIGEST.value}")).reason == "RegistryBadAnswer"


def test_sha512_digests_are_verified_by_their_algorithm(serve: Serve, make_client: Make) -> None:
    """The digest that is asked for says how the content is hashed."""
    pinned = f"sha512:{hashlib.sha512(CONTENT).hexdigest()}"
    server = serve(lambda _: manifest(CONTENT))
    assert make_client().manifest(f"{server.host}/a@{pinned}").digest == IndexDigest(pinned)


def test_platforms_and_their_configurations(serve: Serve, make_client: Make) -> None:
    """The index names the platforms' manifests; one of those names the configuration."""
    config = f"sha256:{'c' * 64}"
    child = json.dumps({"mediaType": MANIFEST, "config": {"digest": config}}).encode()
    document = json.loads(CONTENT)
    document["manifests"][0]["digest"] = digest_of(child)
    parts = {"1": manifest(json.dumps(document).encode()), digest_of(child): manifest(child, MANIFEST)}
    server = serve(lambda asked: parts[asked.path.rpartition("/")[2]])
    client, reference = make_client(), f"{server.host}/a:1"
    found = client.platforms(reference)
    assert [item.platform for item in found] == [Platform("linux", "amd64"), Platform("linux", "arm64")]
    assert found[0].digest == PlatformDigest(digest_of(child))
    assert client.config(reference, found[0].digest) == ConfigDigest(config)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(404), "ImageNotFound"),
        (Reply(403), "RegistryUnauthorized"),
        (Reply(401), "RegistryUnauthorized"),
        (Reply(401, {"WWW-Authenticate": "Negotiate"}), "RegistryUnauthorized"),
        (Reply(401, {"WWW-Authenticate": 'Basic realm="x"'}), "RegistryUnauthorized"),
        (Reply(400), "RegistryUntrusted"),
        (Reply(418), "RegistryBadAnswer"),
        (Reply(500), "RegistryBadAnswer"),
        (Reply(429), "RegistryRateLimited"),
        (Reply(200, {"Content-Type": "text/html"}, b"<p>log in</p>"), "RegistryBadAnswer"),
        (manifest(CONTENT, "text/html"), "RegistryBadAnswer"),
        (Reply(200, {**manifest(CONTENT).headers, "Docker-Content-Digest": "sha256:x"}, CONTENT), "RegistryBadAnswer"),
        (Reply(cut=True), "RegistryUnreachable"),
    ],
)
def test_each_refusal_has_its_reason(serve: Serve, make_client: Make, reply: Reply, reason: str) -> None:
    """What happened, to which reference, and what to do."""
    server = serve(lambda _: reply)
    error = failing(lambda: make_client().digest(f"{server.host}/a:1"))
    assert (error.reason, error.code, error.source) == (reason, reason, f"{server.host}/a:1")
    assert error.hint
    assert error.message


def test_the_digest_that_was_asked_for_comes_back(serve: Serve, make_client: Make) -> None:
    """A registry that names another digest under a digest is not believed."""
    server = serve(lambda _: manifest(CONTENT))
    client = make_client()
    assert client.digest(f"{server.host}/a@{DIGEST.value}").digest == DIGEST
    assert failing(lambda: client.digest(f"{server.host}/a@sha256:{'0' * 64}")).reason == "RegistryBadAnswer"


def test_a_pass_asks_for_each_reference_once(serve: Serve, make_client: Make) -> None:
    """However it is spelled; what fails fails alone, and no connection is made twice."""
    server = serve(lambda asked: Reply(404) if "/none/" in asked.path else manifest(CONTENT))
    host = server.host
    written = (f"{host}/a:latest", f"{host}/a", f"{host}/a:latest", f"{host}/none", "NOT a name")
    found = make_client(connections=1).resolve(written)
    assert found[written[0]] == found[written[1]] == Manifest(DIGEST, INDEX)
    reasons = [item.reason for item in found.values() if isinstance(item, RegistryError)]
    assert sorted(reasons) == ["ImageNotFound", "ReferenceInvalid"]
    assert sorted(asked.path for asked in server.asked) == ["/v2/a/manifests/latest", "/v2/none/manifests/latest"]
    assert server.connections == 1
    assert make_client().resolve(()) == {}


def test_hosts_do_not_wait_for_each_other(serve: Serve, make_client: Make) -> None:
    """What one host refuses, or how long it takes, is nothing to the others."""
    good, bad = serve(lambda _: manifest(CONTENT)), serve(lambda _: Reply(503, {"Retry-After": "7"}))
    places = [f"{server.host}/a{number}" for server in (good, bad) for number in range(20)]
    found = make_client(connections=2).resolve(places)
    assert sum(isinstance(item, Manifest) for item in found.values()) == 20
    assert len(good.asked) == 20
    assert len(bad.asked) <= 2  # then it was left alone
    refused = [item for item in found.values() if isinstance(item, RegistryError)]
    assert {item.retry_at for item in refused} == {1007.0}


def test_a_host_that_said_when_is_not_asked_before(serve: Serve, make_client: Make, clock: Any) -> None:
    """429 with Retry-After; then it is asked again."""
    server = serve(lambda _: Reply(429, {"Retry-After": "60"}))
    client = make_client()
    for _ in range(3):
        error = failing(lambda: client.digest(f"{server.host}/a"))
        assert (error.reason, error.retry_at) == ("RegistryRateLimited", 1060.0)
    assert len(server.asked) == 1
    clock.now, server.answering = 1060.0, lambda _: manifest(CONTENT)
    assert client.digest(f"{server.host}/a").digest == DIGEST


def test_downloads_stop_before_the_last(serve: Serve, make_client: Make) -> None:
    """The digest costs nothing and is still asked for."""
    server = serve(lambda _: manifest(CONTENT, **{"ratelimit-remaining": "3;w=21600"}))
    client = make_client()
    assert client.digest(f"{server.host}/a").digest == DIGEST
    error = failing(lambda: client.manifest(f"{server.host}/a"))
    assert (error.reason, error.retry_at) == ("RegistryRateLimited", 22600.0)
    assert client.digest(f"{server.host}/a").digest == DIGEST
    assert server.methods() == ["HEAD", "HEAD"]


def test_close_is_the_end_of_a_with(serve: Serve, known: dict[str, Any]) -> None:
    """The client closes its connections, and can be used again as a new one can."""
    server = serve(lambda _: manifest(CONTENT))
    with RegistryClient(known.get) as client:
        assert client.digest(f"{server.host}/a").digest == DIGEST
    assert client.digest(f"{server.host}/a").digest == DIGEST
    client.close()
    assert server.connections == 2
