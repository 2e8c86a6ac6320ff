"""`image`, `pull_policy`, `platform` (Compose Spec) and `x-reconcile.image` to the Image that `images` resolves."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.project import Following, Image, PublicKey, PullPolicy
from reconciler.spec.durations import parse_seconds
from reconciler.spec.lower_build import lower_build
from reconciler.spec.lower_rollout import Fields, given
from reconciler.spec.lower_scope import Scope
from reconciler.spec.policies import pull_interval

PULL_POLICIES: Mapping[str, PullPolicy] = {
    "always": "always",
    "refresh": "always",
    "missing": "missing",
    "if_not_present": "missing",
    "never": "never",
    "build": "build",
}
FOLLOWING: Fields = {
    "track": str,
    "range": str,
    "filter": str,
    "extract": str,
    "cooldown": parse_seconds,
    "window": str,
}


def lower_image(scope: Scope) -> Image:
    """What the service runs. SpecError for a pull policy that is not known, and for what `lower_build` refuses."""
    spec = scope.spec
    rules = (spec.get("x-reconcile") or {}).get("image") or {}
    written = spec.get("pull_policy") or "missing"
    interval = pull_interval(written)
    return Image(
        spec.get("image") or "",
        _pull_policy(scope, written) if interval is None else "timed",
        lower_build(scope),
        spec.get("platform"),
        interval or 0.0,
        Following(**given(rules, FOLLOWING)),
        tuple(PublicKey(path, scope.keys[path]) for path in (rules.get("verify") or {}).get("keys") or ()),
    )


def _pull_policy(scope: Scope, written: str) -> PullPolicy:
    if written not in PULL_POLICIES:
        hint = f"use one of {', '.join(PULL_POLICIES)}"
        raise scope.refuse("pull_policy", f"pull_policy {written!r} is not supported", hint)
    return PULL_POLICIES[written]
