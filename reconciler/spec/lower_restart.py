"""`restart` and `deploy.restart_policy` (Compose Spec): what the engine restarts, and what the loop replaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from reconciler.model.project import RestartPolicy
from reconciler.spec.durations import parse_seconds
from reconciler.spec.lower_scope import compact

CONDITIONS = {"none": "no", "any": "always"}
COUNTED = {"", "on-failure"}
REPLACED: dict[str, Literal["none", "on-failure"]] = {"no": "none", "none": "none", "on-failure": "on-failure"}


def restart_policy(spec: Mapping[str, Any]) -> dict[str, Any]:
    """HostConfig.RestartPolicy (Engine API), {} where none is asked for: what the engine does by itself.

    `deploy.restart_policy` replaces `restart` as a whole, as in Compose; the engine has no word for its `delay` and
    `window`. Engines count attempts with on-failure only: any other condition with a number leaves all restarts to
    the loop, which counts.
    """
    deploy = (spec.get("deploy") or {}).get("restart_policy")
    if deploy is None:
        name, count = _written(spec)
        return compact({"Name": name, "MaximumRetryCount": count})
    if counted_by_loop(deploy):
        return {}
    condition = deploy.get("condition") or ""
    return compact({"Name": CONDITIONS.get(condition, condition), "MaximumRetryCount": deploy.get("max_attempts")})


def counted_by_loop(deploy: Mapping[str, Any]) -> bool:
    """Whether `deploy.restart_policy` has a number of attempts that the engine refuses with its condition."""
    return bool(deploy.get("max_attempts")) and (deploy.get("condition") or "") not in COUNTED


def never_restarts(spec: Mapping[str, Any]) -> bool:
    """Whether `restart: "no"` is written, and holds: `deploy.restart_policy` would replace it."""
    return _written(spec)[0] == "no" and (spec.get("deploy") or {}).get("restart_policy") is None


def replacement_policy(spec: Mapping[str, Any]) -> RestartPolicy:
    """When a lost replica is replaced by the loop: always, unless `restart` or `deploy.restart_policy` limits it.

    Zero attempts are attempts without end and a zero `window` is none, as on a Swarm.
    """
    deploy = (spec.get("deploy") or {}).get("restart_policy")
    if deploy is None:
        name, count = _written(spec)
        return RestartPolicy(REPLACED.get(name, "any"), max_attempts=count or None)
    return RestartPolicy(
        REPLACED.get(deploy.get("condition") or "", "any"),
        delay=parse_seconds(deploy["delay"]) if deploy.get("delay") else None,
        max_attempts=deploy.get("max_attempts") or None,
        window=parse_seconds(deploy.get("window") or "0s") or None,
    )


def _written(spec: Mapping[str, Any]) -> tuple[str, int]:
    """`restart: on-failure:3` as name and count."""
    name, _, count = (spec.get("restart") or "").partition(":")
    return name, int(count or 0)
