from __future__ import annotations

import pytest

from reconciler.errors import RegistryError
from reconciler.images.registry.names import is_loopback, locate

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "full", "path"),
    [
        ("nginx", "docker.io/library/nginx:latest", "/v2/library/nginx/manifests/latest"),
        ("docker.io/library/nginx:1", "docker.io/library/nginx:1", "/v2/library/nginx/manifests/1"),
        ("index.docker.io/a/b", "docker.io/a/b:latest", "/v2/a/b/manifests/latest"),
        ("a/b/c:1", "docker.io/a/b/c:1", "/v2/a/b/c/manifests/1"),
        ("localhost/a", "localhost/a:latest", "/v2/a/manifests/latest"),
        ("host:5000/a/b_c--d", "host:5000/a/b_c--d:latest", "/v2/a/b_c--d/manifests/latest"),
        (f"ghcr.io/a/b:1@{DIGEST}", f"ghcr.io/a/b@{DIGEST}", f"/v2/a/b/manifests/{DIGEST}"),
        ("[::1]:5000/a", "[::1]:5000/a:latest", "/v2/a/manifests/latest"),
    ],
)
def test_location_is_host_repository_and_reference(text: str, full: str, path: str) -> None:
    """Docker's familiar names stand for Docker Hub; a digest wins over the tag beside it."""
    assert (str(locate(text)), locate(text).path) == (full, path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "UPPER",
        "a/../b",
        "a b",
        "x?y=1",
        "a:b:c",
        "a@sha256:1",
        "a@md5:ab",
        "host:port/a",
        "-a.io/b",
        "a\n.io/b",
        f"a:{'t' * 129}",
        "user@host.io/a",
        "a:",
    ],
)
def test_what_names_nothing_is_refused(text: str) -> None:
    """Nothing but a valid name becomes part of a URL; an empty tag is taken as none by every engine."""
    if text == "a:":
        assert locate(text).reference == "latest"
        return
    with pytest.raises(RegistryError) as caught:
        locate(text)
    assert (caught.value.reason, caught.value.source) == ("ReferenceInvalid", text)


def test_docker_hub_answers_elsewhere() -> None:
    """The host that credentials name is docker.io, the one that is asked is not."""
    assert (locate("nginx").host, locate("nginx").address) == ("docker.io", "registry-1.docker.io")
    assert locate("ghcr.io/a/b").address == "ghcr.io"


@pytest.mark.parametrize(
    ("host", "is_it"),
    [
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("localhost:1", True),
        ("[::1]:5000", True),
        ("10.0.0.1:5000", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("[fe80::1]:1", False),
    ],
)
def test_loopback(host: str, is_it: bool) -> None:
    """This machine and no other; private networks are others."""
    assert is_loopback(host) is is_it
