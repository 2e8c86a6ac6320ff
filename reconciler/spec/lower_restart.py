"""`restart` and `deploy.restart_policy` (Compose Spec): what the engine restarts, and what the loop replaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from reconciler.model.project import RestartPolicy
from reconciler.spec.durations import parse_seconds
from reconciler.spec.lower_scope import Scope, compact

CONDITIONS = {"none": "no", "any": "always"}
COUNTED = {"", "on-failure"}
REPLACED: dict[str, Literal["none", "on-failure"]] = {"no": "none", "none": "none", "on-failure": "on-failure"}


def restart_policy(scope: Scope) -> dict[str, Any]:
    """HostConfig.RestartPolicy (Engine API), {} where none is asked for: what the engine does by itself.

    `deploy.restart_policy` replaces `restart` as a whole, as in Compose; the engine has no word for its `delay` and
    `window`. Raises SpecError for a retry count that the engine refuses.
    """
    deploy = (scope.spec.get("deploy") or {}).get("restart_policy")
    if deploy is None:
        name, count = _written(scope.spec)
        return _policy(scope, "restart", name, count)
    return _policy(scope, "deploy.restart_policy", deploy.get("condition") or "", deploy.get("max_attempts") or 0)


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


def _policy(scope: Scope, field: str, condition: str, attempts: int) -> dict[str, Any]:
    name = CONDITIONS.get(condition, condition)
    if attempts and name not in COUNTED:
        message = f"{field}: a number of attempts cannot be used with {condition!r}"
        raise scope.refuse(field, message, "use on-failure, or drop the number")
    return compact({"Name": name, "MaximumRetryCount": attempts})
