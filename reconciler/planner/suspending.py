"""What is suspended is left as it is, whole: said here, heeded by every part that decides."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.project import Service
from reconciler.model.suspension import PROJECT, SPEC, Suspension
from reconciler.planner.context import Context

REASON = "Suspended"


def tell(context: Context) -> None:
    """One condition for each service that is suspended and that there is, and for each network kept for its sake."""
    for name, suspension in sorted(context.suspended.items()):
        service = context.desired.project.service(name)
        if service:
            context.draft.inform(REASON, _told(context, name, suspension), name, service.source())
        elif name in context.services_that_run:
            left = f"{name} is not in the spec any more and left as it is, {_told(context, name, suspension)}"
            context.draft.inform(REASON, left, name, context.desired.project.source)
    for words, source in context.networks.kept.values():
        context.draft.inform(REASON, words, source=source)


def tell_project(context: Context) -> None:
    """The one condition of a project that is suspended."""
    project, suspension = context.desired.project, context.suspended[PROJECT]
    source = project.suspended or project.source
    context.draft.inform(REASON, _told(context, PROJECT, suspension), source=source)


def _told(context: Context, name: str, suspension: Suspension) -> str:
    if suspension.reason == SPEC and context.desired.project.suspended:
        return f"suspended by {suspension.by}: take `x-reconcile.suspend` out to go on"
    return f"{suspension.words()}; `reconcile resume {name or f'-p {context.project}'}` to go on"


def held_up(context: Context, service: Service) -> str:
    """Which suspended service keeps this one from coming up, directly or not; "" where none does."""
    sharers = (item.name for item in context.desired.project.services if service.name in dict(item.shares).values())
    return next((name for name in (*_needed(context, service), *sharers) if name in context.suspended), "")


def _needed(context: Context, service: Service) -> Iterator[str]:
    """All that must be up before it: what it depends on, whose namespaces it joins, and what those need."""
    for name in (*(item.service for item in service.depends_on), *(owner for _, owner in service.shares)):
        yield name
        other = context.desired.project.service(name)
        if other and name not in context.suspended:
            yield from _needed(context, other)
