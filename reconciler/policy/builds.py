"""Rules about building images (`model.project.Build`). What a Dockerfile runs is confined as a container is."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.project import Build
from reconciler.policy.host_paths import shown
from reconciler.policy.rule import Finding, Ground

_NETWORKS = {"", "default", "bridge", "none"}


def building(_: Build, __: object, ___: Ground) -> Iterator[Finding]:
    """Any build."""
    yield Finding("build", "an image that is built from the spec")


def privileges(build: Build, _: object, __: Ground) -> Iterator[Finding]:
    """What makes the commands of a build more than those of a plain container."""
    if build.privileged:
        yield Finding("build.privileged", "a privileged build")
    if (build.network or "").strip().lower() not in _NETWORKS:
        yield Finding("build.network", f"a build in the network {shown(build.network or '')}")
    for name in build.entitlements:
        yield Finding("build.entitlements", f"the entitlement {shown(name)}")
    if build.ssh:
        yield Finding("build.ssh", "the SSH agent or keys of the program that builds")


def caches(build: Build, _: object, __: Ground) -> Iterator[Finding]:
    """Caches on disk or elsewhere: a build reads from registries only, and writes into its own image only."""
    for text in build.cache_to:
        if _kind(text) != "inline":
            yield Finding("build.cache_to", f"a cache of type {shown(_kind(text))} to write to")
    for text in build.cache_from:
        if _kind(text) != "registry":
            yield Finding("build.cache_from", f"a cache of type {shown(_kind(text))} to read from")


def cached_images(build: Build) -> Iterator[str]:
    """The references of images that it reads caches from."""
    for text in build.cache_from:
        fields = _fields(text)
        if _kind(text) == "registry":
            yield fields.get("ref", "") if "=" in text else text


def _kind(text: str) -> str:
    """The type of a cache; a bare reference is one in a registry."""
    return _fields(text).get("type", "").lower() if "=" in text else "registry"


def _fields(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(","))
    return {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
