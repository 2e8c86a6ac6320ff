"""How many replicas there are, how they are replaced, and whether they are to end: `deploy`, `scale`, `x-reconcile`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.project import Rollout
from reconciler.spec.durations import parse_duration
from reconciler.spec.lower_restart import restart_policy
from reconciler.spec.lower_scope import Scope

NANOSECONDS = 1e9
JOB_MODES = {"replicated-job", "global-job"}
ONE_PER_ENGINE = {"global", "global-job"}
DEFAULT = Rollout()


def replicas(spec: Mapping[str, Any]) -> int:
    """`scale`, else `deploy.replicas`, else 1. A global service runs once on its engine."""
    deploy = spec.get("deploy") or {}
    if deploy.get("mode") in ONE_PER_ENGINE:
        return 1
    asked = spec.get("scale") if spec.get("scale") is not None else deploy.get("replicas")
    return 1 if asked is None else int(asked)


def is_job(scope: Scope) -> bool:
    """Whether the spec says that it ends: a job mode, or an explicit `restart: "no"` (or `deploy.restart_policy`)."""
    mode = (scope.spec.get("deploy") or {}).get("mode")
    return mode in JOB_MODES or restart_policy(scope).get("Name") == "no"


def lower_rollout(spec: Mapping[str, Any]) -> Rollout:
    """`deploy.update_config` and `x-reconcile.rollout`; times in seconds."""
    update = (spec.get("deploy") or {}).get("update_config") or {}
    own = (spec.get("x-reconcile") or {}).get("rollout") or {}
    parallelism = update.get("parallelism")
    return Rollout(
        order=update.get("order"),
        parallelism=DEFAULT.parallelism if parallelism is None else int(parallelism),
        min_running=_seconds(own.get("min_running"), DEFAULT.min_running),
        progress_deadline=_seconds(own.get("progress_deadline"), DEFAULT.progress_deadline),
    )


def _seconds(text: str | None, default: float) -> float:
    return default if text is None else parse_duration(text) / NANOSECONDS
