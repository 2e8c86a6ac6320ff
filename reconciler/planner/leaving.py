"""Stop a running replica without losing what it is answering: settle, withdraw its name, drain, wait, stop."""

from __future__ import annotations

from reconciler.model.keys import container_key
from reconciler.model.observed import Container
from reconciler.model.operation import Difference, Impact, Operation
from reconciler.model.project import Drain
from reconciler.planner import containers, naming
from reconciler.planner.context import Context, View

Cause = tuple[Difference, ...]
EXEC_SECONDS = 30.0


def leave(
    context: Context,
    view: View,
    container: Container,
    impact: Impact,
    cause: Cause,
    *,
    after: tuple[str, ...] = (),
    since: float | None = None,
) -> str:
    """Write the next operation towards the stop of a running replica; why the stop failed for good, or "".

    `since` is when the replica that takes its place came up: it serves alone for `settle` seconds only after that.
    """
    if _says_goodbye(context, view, container):
        settled_at = None if since is None else since + view.service.rollout.settle
        if settled_at is not None and _wait(context, settled_at, container):
            return ""
        due = _due(context, view, container, impact, cause, settled_at)
        if due is None or _wait(context, due, container):
            return ""
    return context.draft.add(containers.stop(context, container, impact, cause, after))


def _says_goodbye(context: Context, view: View, container: Container) -> bool:
    """Whether it may be serving: one that its drain made unhealthy still is."""
    if view.service.job or container.status != "running":
        return False
    kinds = ("container.kill", "container.exec", "container.http")
    key = container_key(container)
    return container.health != "unhealthy" or any(context.remembers(f"{kind}:{key}", container) for kind in kinds)


def _wait(context: Context, due: float, container: Container) -> bool:
    if context.now >= due:
        return False
    context.draft.wakes.append((due, container.id))
    return True


def _due(
    context: Context, view: View, container: Container, impact: Impact, cause: Cause, settled_at: float | None
) -> float | None:
    """When it may be stopped, now that its name is withdrawn and it was told; None while an operation does that."""
    rollout = view.service.rollout
    withdrawn_at = naming.withdraw(context, view, container, cause)
    if withdrawn_at is None:
        return None
    due = withdrawn_at + max(rollout.settle, rollout.drain.delay) if withdrawn_at else 0.0
    if rollout.drain.method == "none":
        return due or (settled_at or 0.0) + rollout.drain.delay
    operation = drain(context, container, rollout.drain, impact, cause)
    told = context.remembers(operation.id, container)
    failed = context.memory.failed_operations.get(operation.id)
    if failed:
        message = f"{container.name} is stopped all the same, {rollout.drain.delay:g} s later: {failed}"
        context.draft.notice("DrainFailed", message, container.name)
    elif not told:
        context.draft.add(operation)
        return None
    return max(due, context.memory.done[operation.id] + rollout.drain.delay) if told else due


def drain(context: Context, container: Container, how: Drain, impact: Impact, cause: Cause) -> Operation:
    """Tell the replica that it will be stopped, in the way the spec says (x-reconcile.rollout.drain)."""
    key = container_key(container)
    if how.method == "signal":
        return containers.on(context, "container.kill", key, container, impact, cause, {"signal": how.signal})
    if how.method == "exec":
        payload = {"command": list(how.command), "timeout": EXEC_SECONDS}
        return containers.on(context, "container.exec", key, container, impact, cause, payload)
    payload = {"port": how.port, "path": how.path}
    return containers.on(context, "container.http", key, container, impact, cause, payload)
