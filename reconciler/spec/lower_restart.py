"""`restart` and `deploy.restart_policy` (Compose Spec) to HostConfig.RestartPolicy (Engine API)."""

from __future__ import annotations

from typing import Any

from reconciler.spec.lower_scope import Scope, compact

CONDITIONS = {"none": "no", "any": "always"}
COUNTED = {"", "on-failure"}


def restart_policy(scope: Scope) -> dict[str, Any]:
    """The policy, {} where none is asked for. `deploy.restart_policy` replaces `restart` as a whole, as in Compose.

    `delay` and `window` have no counterpart on a single engine. Raises SpecError for a retry count that the engine
    refuses.
    """
    deploy = (scope.spec.get("deploy") or {}).get("restart_policy")
    if deploy is None:
        name, _, count = (scope.spec.get("restart") or "").partition(":")
        return _policy(scope, "restart", name, int(count or 0))
    return _policy(scope, "deploy.restart_policy", deploy.get("condition") or "", deploy.get("max_attempts") or 0)


def _policy(scope: Scope, field: str, condition: str, attempts: int) -> dict[str, Any]:
    name = CONDITIONS.get(condition, condition)
    if attempts and name not in COUNTED:
        message = f"{field}: a number of attempts cannot be used with {condition!r}"
        raise scope.refuse(field, message, "use on-failure, or drop the number")
    return compact({"Name": name, "MaximumRetryCount": attempts})
