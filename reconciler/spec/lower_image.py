"""`image`, `pull_policy` and `platform` (Compose Spec) to the Image that `images` resolves."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.project import Image, PullPolicy
from reconciler.spec.lower_build import lower_build
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
    """What the service runs. Raises SpecError for a pull policy that is not known, and for what `lower_build` refuses.

    A policy with a schedule pulls what is missing, and no more: `unhonoured` says so.
    """
    spec = scope.spec
    return Image(spec.get("image") or "", _pull_policy(scope), lower_build(scope), spec.get("platform"))


def _pull_policy(scope: Scope) -> PullPolicy:
    written = scope.spec.get("pull_policy") or "missing"
    if is_timed_pull(written):
        return "missing"
    if written not in PULL_POLICIES:
        hint = f"use one of {', '.join(PULL_POLICIES)}"
        raise scope.refuse("pull_policy", f"pull_policy {written!r} is not supported", hint)
    return PULL_POLICIES[written]
