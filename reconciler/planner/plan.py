"""The one pure function: what to do now, given what should be, what is, what is remembered, and the time."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.observed import Observed
from reconciler.model.step import ServiceStatus, Step
from reconciler.model.suspension import PROJECT
from reconciler.planner import own_writes, suspending
from reconciler.planner.conflicts import foreign_project, in_the_way
from reconciler.planner.context import Context, View
from reconciler.planner.dependencies import in_dependency_order
from reconciler.planner.gates import watched_too_briefly
from reconciler.planner.learning import newly_stable, newly_up
from reconciler.planner.prune import prune
from reconciler.planner.renewal import renew
from reconciler.planner.resources import paths_missing, plan_networks, plan_volumes, resources_missing
from reconciler.planner.rollout import roll
from reconciler.planner.status import service_status

OWN_FILE = "WritesItsOwnFile"
CALM = {"RolledBack", OWN_FILE}


def plan(desired: Desired, observed: Observed, memory: Memory, now: float) -> Step:
    """Decide the next operations of one project on one engine.

    `now` is the engine's time in seconds since the epoch. The same arguments give the same step. An empty step means
    that nothing is left to do or to wait for: either all is well, or its Stalled conditions say what a person must do.
    """
    context = Context(desired, observed, memory, now)
    if PROJECT in context.suspended:
        suspending.tell_project(context)
        return _finish(context, {})
    if not desired.down:
        foreign_project(context)
    if context.draft.stalled:
        return _finish(context, {})
    suspending.tell(context)
    plan_networks(context)
    plan_volumes(context)
    held = renew(context)
    waits = {
        service.name: held.get(service.name) or _plan_service(context, context.view(service))
        for service in in_dependency_order(desired.project.services)
    }
    prune(context, settled=_is_settled(context))
    _name_a_deadlock(context, waits)
    return _finish(context, waits)


def _is_settled(context: Context) -> bool:
    """Whether every wanted service is up, also a suspended one: only then nothing that leaves could still be needed."""
    calm = all(item.reason in CALM for item in context.draft.conditions if item.stalls)
    return calm and not context.networks.changed and all(view.settled for view in context.views)


def _plan_service(context: Context, view: View) -> str:
    if context.is_suspended(view.service.name):
        return ""
    if view.own_writes:
        source = view.own_writes[0].source or view.service.source()
        context.draft.stall(OWN_FILE, own_writes.told(view.service.name, view.own_writes), view.service.name, source)
    if view.order.warning:
        context.draft.notice("Order", f"{view.service.name}: {view.order.warning}", view.order.source)
    short = watched_too_briefly(view.service, view.image)
    if short:
        source = view.service.source("deploy.update_config.monitor")
        context.draft.notice("MonitorTooShort", f"{view.service.name}: {short}", source)
    if view.image.warning:
        code, text = view.image.reason or "Registry", f"{view.service.name}: {view.image.warning}"
        context.draft.notice(code, text, view.service.source("build" if view.service.image.build else "image"))
    _tell_refused(context, view)
    missing = paths_missing(context, view) or resources_missing(context, view.service)
    blocked = in_the_way(context, view) if view.desired_hash else ""
    return roll(context, view, blocked or missing)


def _tell_refused(context: Context, view: View) -> None:
    """A newer image that somebody has to look at: what runs is kept, and the service is not in sync."""
    target = context.desired.targets.get(view.service.name)
    for held in target.held if target and not target.refused else ():
        if held.reason:
            source = view.service.source("x-reconcile.image.verify")
            context.draft.stall(held.reason, f"what runs is kept: {held.message}", view.service.name, source)


def _name_a_deadlock(context: Context, waits: dict[str, str]) -> None:
    """An empty step that leaves a service waiting is no success: say which, and for what."""
    draft = context.draft
    if draft.asked or draft.inflight or draft.wakes or draft.retries or draft.stalled:
        return
    for service in context.desired.project.services:
        if not context.view(service).settled and not context.is_suspended(service.name):
            missing, suspended = waits[service.name] or "its containers", suspending.held_up(context, service)
            if suspended:
                message = f"{service.name} waits for {missing}, while {suspended} is suspended"
                draft.inform(suspending.REASON, message, service.name, service.source())
                continue
            message = f"{service.name} waits for {missing}, and nothing will bring that about"
            draft.stall("Deadlock", message, service.name, service.source())


def _finish(context: Context, waits: dict[str, str]) -> Step:
    draft = context.draft
    wake_at = min((due for due, _ in draft.wakes), default=None)
    return Step(
        operations=tuple(draft.asked.values()),
        wake_at=wake_at,
        look_at=tuple(sorted(container for due, container in draft.wakes if container and due == wake_at)),
        conditions=tuple(draft.conditions),
        services=tuple(_statuses(context, waits)),
        failures=tuple(draft.failures),
        notices=tuple(draft.notices),
        retry_at=min(draft.retries, default=None),
        up=tuple(item for view in _coming_up(context) for item in newly_up(context, view)),
        stable=tuple(item for view in context.views if (item := newly_stable(context, view))),
    )


def _coming_up(context: Context) -> Iterator[View]:
    """Every service's view, and of one that failed and stays in force the last good one, which may serve beside it."""
    for view in context.views:
        yield view
        good = context.last_good_view(view) if view.failure and not view.going_back else None
        if good:
            yield good


def _statuses(context: Context, waits: dict[str, str]) -> list[ServiceStatus]:
    services = sorted(context.desired.project.services, key=lambda service: service.name)
    return [service_status(context, context.view(service), waits.get(service.name, "")) for service in services]
