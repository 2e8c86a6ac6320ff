"""What must hold inside `x-reconcile.image` and beside it. After the merge and profiles, before defaults."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.errors import SpecError
from reconciler.spec.nodes import Table
from reconciler.spec.sites import Site, sites

IMAGE = ("x-reconcile", "image")
KEYS = (*IMAGE, "verify", "keys")
_OF_SEMVER = ("range", "filter", "extract")
_OF_ANY = ("cooldown", "window")
_UNASKED = ("never", "build")


def check_image_rules(document: Table) -> list[SpecError]:
    """The errors of what services follow and of the keys that signed it, in the order of the services."""
    checks = (_settings_of_a_track, _something_to_follow, _some_keys, _nothing_built)
    return [error for site in sites(document) for check in checks for error in check(site)]


def _track(site: Site) -> str:
    return str(site.section(*IMAGE).get("track", "none"))


def _settings_of_a_track(site: Site) -> Iterator[SpecError]:
    track, rules = _track(site), site.section(*IMAGE)
    idle = [*(_OF_SEMVER if track != "semver" else ()), *(_OF_ANY if track == "none" else ())]
    for key in rules:
        if key in idle and rules[key]:
            other = "semver" if key in _OF_SEMVER else "digest or semver"
            yield site.error((*IMAGE, key), f"means nothing with track {track}", f"remove it, or write track: {other}")


def _something_to_follow(site: Site) -> Iterator[SpecError]:
    """An image that is one digest or ID has nothing newer, and who may not be asked says nothing."""
    track, policy = _track(site), site.service.get("pull_policy")
    if track == "none":
        return
    if "sha256:" in (site.service.get("image") or ""):
        message = f"track {track} cannot follow an image that is one digest for ever"
        yield site.error((*IMAGE, "track"), message, "write image: with its tag alone, or track: none")
    if policy in _UNASKED:
        message = f"track {track} asks a registry, and pull_policy {policy} asks none"
        yield site.error((*IMAGE, "track"), message, "remove one of the two")


def _some_keys(site: Site) -> Iterator[SpecError]:
    if site.section(*KEYS[:-1]) and not site.section(*KEYS[:-1])["keys"]:
        yield site.error(KEYS, "names no key, so nothing could ever run", "name a file, or remove verify")


def _nothing_built(site: Site) -> Iterator[SpecError]:
    """What is built here comes from no registry."""
    if site.service.get("build") is None:
        return
    given = {"track": _track(site) != "none", "verify": bool(site.section(*IMAGE, "verify"))}
    for key in (key for key, meant in given.items() if meant):
        yield site.error((*IMAGE, key), "means nothing beside build: what is built here runs", "remove one of the two")
