"""`image`, `build`, `pull_policy` and `platform` (Compose Spec) to the Image that `images` resolves."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from reconciler.model.project import Build, Image, PullPolicy
from reconciler.spec.builds import REMOTE_CONTEXTS
from reconciler.spec.lower_scope import Scope
from reconciler.spec.policies import is_timed_pull

PULL_POLICIES: Mapping[str, PullPolicy] = {
    "always": "always",
    "missing": "missing",
    "if_not_present": "missing",
    "never": "never",
    "build": "build",
}


def lower_image(scope: Scope) -> Image:
    """What the service runs. Raises SpecError for a pull policy that is not known.

    A policy with a schedule pulls what is missing, and no more: `unhonoured` says so.
    """
    spec = scope.spec
    build = spec.get("build")
    _refuse_remote(scope, build or {})
    return Image(spec.get("image") or "", _pull_policy(scope), _build(build) if build else None, spec.get("platform"))


def _pull_policy(scope: Scope) -> PullPolicy:
    written = scope.spec.get("pull_policy") or "missing"
    if is_timed_pull(written):
        return "missing"
    if written not in PULL_POLICIES:
        hint = f"use one of {', '.join(PULL_POLICIES)}"
        raise scope.refuse("pull_policy", f"pull_policy {written!r} is not supported", hint)
    return PULL_POLICIES[written]


def _refuse_remote(scope: Scope, build: Mapping[str, Any]) -> None:
    context = build.get("context") or ""
    if context.startswith(REMOTE_CONTEXTS):
        message = f"a build context on another machine ({context!r}) is not supported yet"
        raise scope.refuse("build.context", message, "clone it, and write the folder")


def _build(spec: Mapping[str, Any]) -> Build:
    inline = spec.get("dockerfile_inline")
    dockerfile = "" if inline else posixpath.join(spec["context"], spec.get("dockerfile") or "Dockerfile")
    return Build(
        context=spec["context"],
        dockerfile=dockerfile,
        dockerfile_inline=inline,
        args=_pairs(spec.get("args")),
        target=spec.get("target"),
        labels=_pairs(spec.get("labels")),
    )


def _pairs(mapping: Mapping[str, str | None] | None) -> tuple[tuple[str, str], ...]:
    """Sorted pairs. A null value is an argument that the environment does not set: the Dockerfile's default holds."""
    return tuple((name, value) for name, value in sorted((mapping or {}).items()) if value is not None)
