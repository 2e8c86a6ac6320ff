"""`build`: short and long form as Compose prints them, and what no build here can do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import SpecError
from reconciler.model.project import Build, BuildUlimit
from reconciler.spec.lowering import lower
from tests.unit.spec.conftest import Loader

Refusal = Callable[..., list[str]]


def spec(*keys: str) -> str:
    """A service with these lines in its build."""
    return "services:\n  web:\n    build:\n      context: /c\n" + "".join(f"      {key}\n" for key in keys)


@pytest.mark.parametrize(
    ("key", "printed"),
    [
        ("additional_contexts: {b: https://x.y/z, a: /a}", {"b": "https://x.y/z", "a": "/a"}),
        ("additional_contexts: [a=docker-image://x]", {"a": "docker-image://x"}),
        ("cache_from: [a]", ["a"]),
        ("extra_hosts: {b: 1.2.3.4, a: '[::1]'}", ["a=::1", "b=1.2.3.4"]),
        ("no_cache: 'true'", True),
        ("pull: false", None),
        ("provenance: true", "true"),
        ("sbom: generator=x", "generator=x"),
        ("shm_size: 64m", "67108864"),
        ("ssh: [default]", ["default"]),
        ("ssh: {k: /x, default: }", ["default", "k=/x"]),
        ("ulimits: {nofile: '10', nproc: {soft: 1, hard: 2}}", {"nofile": 10, "nproc": {"soft": 1, "hard": 2}}),
        ("network: ''", None),
    ],
)
def test_what_config_prints(loader: Loader, key: str, printed: Any) -> None:
    """Nothing for what says nothing."""
    document = loader(spec(key)).document
    assert document["services"]["web"]["build"].get(key.partition(":")[0]) == printed


def test_a_secret_of_a_build_is_used(loader: Loader) -> None:
    """Its definition stays; it has no target of its own."""
    document = loader(f"{spec('secrets: [s]')}secrets: {{s: {{file: /s}}}}\n").document
    assert document["services"]["web"]["build"]["secrets"] == [{"source": "s"}]
    assert document["secrets"] == {"s": {"name": "shop_s", "file": "/s"}}


def test_files_are_merged(loader: Loader) -> None:
    """Tags and hosts once, ulimits replaced, the rest appended."""
    over = "services: {web: {build: {tags: [a, b], cache_from: [a], ulimits: {n: {soft: 2, hard: 3}}}}}\n"
    files = {"compose.yaml": spec("tags: [a]", "cache_from: [a]", "ulimits: {n: 1}"), "over.yaml": over}
    build = loader(files).document["services"]["web"]["build"]
    assert build["tags"] == ["a", "b"]
    assert build["cache_from"] == ["a", "a"]
    assert build["ulimits"] == {"n": {"soft": 2, "hard": 3}}


def test_an_empty_context_is_refused(refusal: Refusal) -> None:
    """Compose builds nothing of it either."""
    assert refusal("services:\n  web: {build: ''}\n") == [
        "compose.yaml:2: services.web.build.context: names no folder (write . for the project's own)"
    ]


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("additional_contexts: [a]", "build.additional_contexts: 'a' is not NAME=CONTEXT"),
        ("ssh: [k]", "build.ssh: the key 'k' has no path (write ID=PATH)"),
        ("secrets: [s]", "build.secrets[0]: there is no secret 's' (declare it under the top-level secrets:)"),
    ],
)
def test_what_is_malformed_is_named(refusal: Refusal, key: str, error: str) -> None:
    """With its line."""
    assert refusal(spec(key)) == [f"compose.yaml:5: services.web.{error}"]


def test_the_image_must_be_built_for_the_platform_that_it_runs_on(refusal: Refusal) -> None:
    """Where the build says for which."""
    text = f"{spec('platforms: [linux/amd64]')}    platform: linux/arm64\n"
    (line,) = refusal(text)
    assert line.startswith("compose.yaml:3: services.web.build: the service runs on linux/arm64, and its image is")


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("isolation: hyperv", "build.isolation is not supported: it is for Windows images (remove it)"),
        (
            "additional_contexts: {b: 'service:web'}",
            "build.additional_contexts.b: the image of another build ('service:web') is not supported as a context yet",
        ),
        (
            "additional_contexts: {b: 'oci-layout:///x:1'}",
            "build.additional_contexts.b: 'oci-layout:///x:1' may hold another image tomorrow (end it in @sha256: ",
        ),
    ],
)
def test_what_no_build_can_do_is_refused(loader: Loader, key: str, error: str) -> None:
    """When it is to be built, not by `config`."""
    with pytest.raises(SpecError) as caught:
        lower(loader(spec(key)))
    assert str(caught.value).startswith(f"compose.yaml:5: services.web: {error}")


@pytest.mark.parametrize("context", ["https://x.y/z.git", "git@x.y:z", "service:other"])
def test_a_remote_context_is_refused(loader: Loader, context: str) -> None:
    """`config` prints it as it is."""
    loaded = loader(f"services: {{web: {{build: '{context}'}}}}\n")
    assert loaded.document["services"]["web"]["build"]["context"] == context
    with pytest.raises(SpecError, match="a build context on another machine"):
        lower(loaded)


def test_what_a_build_need_not_be_told_is_warned_about(loader: Loader, tmp_path: Path) -> None:
    """By name."""
    found = lower(loader(spec("pull: true", "sbom: true").replace("/c", str(tmp_path)))).notices
    assert [notice.message.partition(":")[0] for notice in found] == ["services.web.build.sbom"]


SECRETS = "secrets: {a: {file: ./a}, b: {environment: B}, c: {external: true}}\n"


def built(loader: Loader, *keys: str, **environment: str) -> Build:
    """The build of a service with these lines in it."""
    (service,) = lower(loader(f"{spec(*keys)}{SECRETS}", environment)).services
    assert service.image.build is not None
    return service.image.build


@pytest.mark.parametrize(
    ("key", "field", "expected"),
    [
        (
            "additional_contexts: {b: 'docker-image://x', a: /a}",
            "contexts",
            (("a", "/a"), ("b", "docker-image://x")),
        ),
        ("additional_contexts: {a: 'oci-layout:///x@sha256:1'}", "contexts", (("a", "oci-layout:///x@sha256:1"),)),
        ("cache_from: [b, a]", "cache_from", ("b", "a")),
        ("cache_to: [type=inline]", "cache_to", ("type=inline",)),
        ("entitlements: [b, a]", "entitlements", ("a", "b")),
        ("extra_hosts: ['b:1.2.3.4', 'a:::1']", "extra_hosts", ("a=::1", "b=1.2.3.4")),
        ("network: host", "network", "host"),
        ("network: ''", "network", None),
        ("no_cache: true", "no_cache", True),
        ("platforms: [linux/amd64, linux/arm64]", "platforms", ("linux/amd64", "linux/arm64")),
        ("privileged: true", "privileged", True),
        ("pull: true", "pull", True),
        ("shm_size: 64m", "shm_size", 67108864),
        ("ssh: {k: /x, default: }", "ssh", ("default", "k=/x")),
        ("tags: [b, a]", "tags", ("b", "a")),
        (
            "ulimits: {nproc: 7, nofile: {soft: 1, hard: 2}}",
            "ulimits",
            (BuildUlimit("nofile", 1, 2), BuildUlimit("nproc", 7, 7)),
        ),
    ],
)
def test_options_reach_the_build(loader: Loader, key: str, field: str, expected: Any) -> None:
    """In the terms of the model; sorted where their order means nothing."""
    assert getattr(built(loader, key), field) == expected


def test_secrets_of_a_build_are_files_or_contents(loader: Loader) -> None:
    """By their target, else by name; a content is printed nowhere."""
    found = built(loader, "secrets: [{source: b, target: z}, a]", B="hidden").secrets
    assert [(one.id, Path(one.file).name, one.content) for one in found] == [("a", "a", ""), ("z", "", "hidden")]
    assert "hidden" not in repr(found)


def test_a_key_of_ssh_lies_beside_the_spec(loader: Loader, tmp_path: Path) -> None:
    """A relative path is the project's."""
    assert built(loader, "ssh: [k=./id]").ssh == (f"k={tmp_path}/shop/./id",)


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("secrets: [b]", "secret b is the content of B, which is not set"),
        ("secrets: [c]", "build.secrets: secret c is external, and only Swarm keeps secrets"),
    ],
)
def test_a_secret_of_a_build_has_a_content(loader: Loader, key: str, error: str) -> None:
    """Nothing is built without."""
    with pytest.raises(SpecError, match=error):
        built(loader, key)


def test_who_owns_a_secret_is_not_the_specs_to_say(loader: Loader) -> None:
    """Named, with the line."""
    text = spec("secrets: [a, {source: b, uid: '1', mode: 0400}]") + SECRETS
    (notice,) = lower(loader(text, {"B": "x"})).notices
    assert notice.message == "services.web.build.secrets: mode, uid of b mean nothing: RUN --mount says them"
    assert notice.source == "compose.yaml:5"
