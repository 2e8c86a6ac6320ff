"""What the classic builder makes of a build's options: query parameters, or a refusal by name. For `docker_build`."""

from __future__ import annotations

import json
from collections.abc import Callable

from reconciler.errors import EngineError
from reconciler.model.project import Build

Query = dict[str, str | list[str]]

_HINT = "install the buildx plugin of the docker CLI, or remove it"


def refuse_buildkit_only(build: Build) -> None:
    """Raises EngineError `BuildOptionUnsupported` for the first option that only BuildKit has."""
    used = {
        "additional_contexts": build.contexts,
        "entitlements": build.entitlements,
        "platforms": len(build.platforms) > 1,
        "privileged": build.privileged,
        "secrets": build.secrets,
        "ssh": build.ssh,
    }
    if missing := next((key for key, value in used.items() if value), None):
        message = f"build.{missing} needs BuildKit, and there is no docker CLI with buildx here"
        raise EngineError(message, source=build.tag, hint=_HINT, code="BuildOptionUnsupported")


def classic_options(build: Build, line: Callable[[str], None]) -> Query:
    """Query parameters (Engine API, ImageBuild) of the options; those about its cache that it does not know are named.

    `line` gets what is left out: an image is the same without.
    """
    query: Query = {}
    query |= {"networkmode": build.network} if build.network else {}
    query |= {"extrahosts": [host.replace("=", ":", 1) for host in build.extra_hosts]} if build.extra_hosts else {}
    query |= {"shmsize": str(build.shm_size)} if build.shm_size else {}
    query |= {"ulimits": _ulimits(build)} if build.ulimits else {}
    query |= {"nocache": "1"} if build.no_cache else {}
    query |= {"pull": "1"} if build.pull and not build.bases else {}
    images = [place.removeprefix("type=registry,ref=") for place in build.cache_from]
    query |= {"cachefrom": json.dumps(known)} if (known := [place for place in images if "=" not in place]) else {}
    for option in (*(place for place in images if "=" in place), *build.cache_to):
        line(f"without the cache {option}: only BuildKit has such")
    return query


def _ulimits(build: Build) -> str:
    return json.dumps([{"Name": limit.name, "Soft": limit.soft, "Hard": limit.hard} for limit in build.ulimits])
