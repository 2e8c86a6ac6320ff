"""How many replicas there are, how they are replaced and when they end: `deploy`, `scale`, `x-reconcile`.

Only what the document says is passed on: every default stands in the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reconciler.model.project import Drain, Mutation, Rollout, UpdateConfig
from reconciler.spec.durations import parse_seconds
from reconciler.spec.lower_restart import never_restarts

JOB_MODES = {"replicated-job", "global-job"}
SETTLE_WHERE_NAMED = 2.0  # for a proxy that asks Docker's DNS every second
ONE_PER_ENGINE = {"global", "global-job"}

Fields = Mapping[str, Callable[[Any], Any]]
UPDATE: Fields = {
    "order": str,
    "parallelism": int,
    "delay": parse_seconds,
    "monitor": parse_seconds,
    "max_failure_ratio": float,
    "failure_action": str,
}
DRAIN: Fields = {
    "method": str,
    "delay": parse_seconds,
    "signal": str,
    "command": tuple,
    "port": int,
    "path": str,
}
MUTATION: Fields = {"config": str, "filesystem": str, "allow": tuple}


def replicas(spec: Mapping[str, Any]) -> int:
    """`scale`, else `deploy.replicas`, else 1. A global service runs once on its engine."""
    deploy = spec.get("deploy") or {}
    if deploy.get("mode") in ONE_PER_ENGINE:
        return 1
    asked = spec.get("scale") if spec.get("scale") is not None else deploy.get("replicas")
    return 1 if asked is None else int(asked)


def is_job(spec: Mapping[str, Any]) -> bool:
    """Whether the spec says that it ends: a job mode, or an explicit `restart: "no"`.

    `deploy.restart_policy.condition: none` makes no job: it is a service that nobody restarts.
    """
    return (spec.get("deploy") or {}).get("mode") in JOB_MODES or never_restarts(spec)


def lower_rollout(spec: Mapping[str, Any]) -> Rollout:
    """`deploy.update_config`, `deploy.rollback_config` and `x-reconcile.rollout`; times in seconds."""
    deploy = spec.get("deploy") or {}
    settle = {"settle": SETTLE_WHERE_NAMED} if publishes_when_healthy(spec) else {}
    return Rollout(
        **given(deploy.get("update_config"), UPDATE),
        **settle | given((spec.get("x-reconcile") or {}).get("rollout"), OWN),
        rollback=UpdateConfig(**given(deploy.get("rollback_config"), UPDATE)),
    )


def lower_mutation(spec: Mapping[str, Any]) -> Mutation:
    """`x-reconcile.mutation`: what to do about changes made by hand."""
    return Mutation(**given((spec.get("x-reconcile") or {}).get("mutation"), MUTATION))


def publishes_when_healthy(spec: Mapping[str, Any]) -> bool:
    """Whether replicas get the service's name only once they are up (`x-reconcile.rollout.publish: healthy`)."""
    return bool(((spec.get("x-reconcile") or {}).get("rollout") or {}).get("publish") == "healthy")


def _drain(section: Mapping[str, Any]) -> Drain:
    return Drain(**given(section, DRAIN))


OWN: Fields = {
    "min_running": parse_seconds,
    "progress_deadline": parse_seconds,
    "settle": parse_seconds,
    "publish": str,
    "drain": _drain,
}


def given(section: Mapping[str, Any] | None, fields: Fields) -> dict[str, Any]:
    """The fields that the section has, converted."""
    found = section or {}
    return {key: convert(found[key]) for key, convert in fields.items() if found.get(key) is not None}
