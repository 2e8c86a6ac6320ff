"""What the two builders are told of a build's options."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.engine import docker_buildx
from reconciler.engine.docker_build_classic import classic_options, refuse_buildkit_only
from reconciler.errors import EngineError
from reconciler.model.project import Build, BuildSecret, BuildUlimit

BUILD = Build("/c", "/c/Dockerfile", tag="app:bk-1")
EVERYTHING = replace(
    BUILD,
    cache_from=("a", "type=registry,ref=b", "type=gha"),
    cache_to=("type=inline",),
    extra_hosts=("db=10.0.0.1", "six=::1"),
    network="host",
    no_cache=True,
    pull=True,
    shm_size=64,
    ulimits=(BuildUlimit("nofile", 1, 2),),
)


def arguments(**changes: Any) -> tuple[str, ...]:
    """The command line of a build with these options."""
    return docker_buildx.options(replace(BUILD, **changes), {}, (), None).arguments


def test_a_build_without_options_is_told_nothing() -> None:
    """Builders have defaults of their own."""
    assert arguments() == ()
    assert classic_options(BUILD, pytest.fail) == {}


def test_what_both_builders_know() -> None:
    """In the order of the command line, and as the engine's API has it."""
    assert docker_buildx.options(EVERYTHING, {}, (), "linux/amd64").arguments == (
        "--platform=linux/amd64",
        "--add-host=db:10.0.0.1",
        "--add-host=six:::1",
        "--network=host",
        "--shm-size=64",
        "--ulimit=nofile=1:2",
        "--cache-from=a",
        "--cache-from=type=registry,ref=b",
        "--cache-from=type=gha",
        "--cache-to=type=inline",
        "--no-cache",
        "--pull",
    )
    said: list[str] = []
    assert classic_options(EVERYTHING, said.append) == {
        "networkmode": "host",
        "extrahosts": ["db:10.0.0.1", "six:::1"],
        "shmsize": "64",
        "ulimits": '[{"Name": "nofile", "Soft": 1, "Hard": 2}]',
        "nocache": "1",
        "pull": "1",
        "cachefrom": '["a", "b"]',
    }
    assert said == [f"without the cache {option}: only BuildKit has such" for option in ("type=gha", "type=inline")]


def test_what_only_buildkit_is_told() -> None:
    """A privileged build asks for one entitlement once."""
    assert arguments(ssh=("default", "k=/x")) == ("--ssh=default", "--ssh=k=/x")
    assert arguments(privileged=True, entitlements=("network.host", "security.insecure")) == (
        "--allow=network.host",
        "--allow=security.insecure",
    )


def test_secrets_are_no_arguments() -> None:
    """A file is named, commas and all; a content comes in the environment."""
    secrets = (BuildSecret("a", "/x,y"), BuildSecret("b", content="hidden"))
    found = docker_buildx.options(replace(BUILD, secrets=secrets), {}, (), None)
    assert found.arguments == (
        '--secret=id=a,type=file,"src=/x,y"',
        "--secret=id=b,type=env,env=RECONCILER_BUILD_SECRET_1",
    )
    assert found.secrets == {"RECONCILER_BUILD_SECRET_1": "hidden"}


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("additional_contexts", {"contexts": (("a", "/a"),)}),
        ("entitlements", {"entitlements": ("network.host",)}),
        ("platforms", {"platforms": ("linux/amd64", "linux/arm64")}),
        ("privileged", {"privileged": True}),
        ("secrets", {"secrets": (BuildSecret("a", "/x"),)}),
        ("ssh", {"ssh": ("default",)}),
    ],
)
def test_what_the_classic_builder_cannot_do_is_refused_by_name(key: str, change: dict[str, Any]) -> None:
    """Before anything is sent."""
    with pytest.raises(EngineError, match=f"build.{key} needs BuildKit") as caught:
        refuse_buildkit_only(replace(BUILD, **change))
    assert (caught.value.code, caught.value.source) == ("BuildOptionUnsupported", "app:bk-1")


def test_the_classic_builder_does_the_rest() -> None:
    """One platform included."""
    refuse_buildkit_only(replace(EVERYTHING, platforms=("linux/amd64",)))


@pytest.mark.parametrize(("api", "expected"), [("1.41", ["shm_size", "ulimits"]), ("1.42", []), (None, [])])
def test_what_an_old_buildkit_takes_and_does_not_do_is_known(api: str | None, expected: list[str]) -> None:
    """It is said when it is built."""
    assert docker_buildx.left_out(EVERYTHING, api) == expected
    assert docker_buildx.left_out(BUILD, api) == []


def test_files_of_other_contents_have_other_times() -> None:
    """Always the same for the same content, and never further than a day from 1970."""
    times = {docker_buildx.content_time(bytes([first, *range(31)])) for first in range(256)}
    assert len(times) == 256
    assert all(0 <= moment < 24 * 60 * 60 * 10**9 for moment in times)
    assert docker_buildx.content_time(b"\0" * 32) == 0
