"""The plan as text for people: what happens to what, in which way, and which line of which file caused it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.cli.cause_text import cause_lines, place, reason_text, sole_reason
from reconciler.cli.changes import Change, changes, tally
from reconciler.cli.moments import span
from reconciler.cli.palette import PLAIN, Palette
from reconciler.cli.phrases import (
    WIDTH,
    condition_lines,
    count,
    engine_text,
    gate_lines,
    in_sync_line,
    revision_lines,
    targets_text,
    warning_lines,
    wrapped,
)
from reconciler.cli.values import clean, name_of, shorten
from reconciler.cli.verdicts import quarantined, suspended, troubles
from reconciler.model.report import ProjectReport, Report
from reconciler.model.step import ServiceStatus

_IMPACT = {"rolling": "rolling", "gap": "with a gap"}
_NAME = 44
_TARGETS = 28


def render(report: Report, *, width: int = WIDTH, palette: Palette = PLAIN) -> str:
    """The whole plan, ending in a line break; empty where there is no project to speak of."""
    warnings = warning_lines(report.warnings, width, palette)
    blocks = ["\n".join(warnings) + "\n"] if warnings else []
    blocks += [render_project(project, width=width, palette=palette) for project in report.projects]
    if len(report.projects) > 1:
        blocks.append(_total(report) + "\n")
    return "\n".join(blocks)


def render_project(project: ProjectReport, *, width: int = WIDTH, palette: Palette = PLAIN) -> str:
    """One project's plan. A project in sync takes one line, so that the one which is not stands out."""
    if project.in_sync and project.adoption.empty and not (troubles(project) or suspended(project)):
        return "\n".join([in_sync_line(project), *revision_lines(project, width, palette), ""])
    found = changes(project)
    body = [*_changes(project, found, width, palette), *_adopted(project, width, palette)]
    body += _untouched(project, found, width, palette)
    body += _unknown(project, width, palette)
    head = [_header(project, palette), *revision_lines(project, width, palette)]
    lines = [*head, *(["", *body] if body else [])]
    for condition in (*troubles(project), *suspended(project)):
        lines += ["", *condition_lines(condition, width, palette)]
    return "\n".join([*lines, "", palette.strong(summary(project, found)), ""])


def summary(project: ProjectReport, found: tuple[Change, ...]) -> str:
    """The plan in one line: how many objects of each verb, and whether the forecast ends with nothing left to do."""
    adopted = len(project.adoption.replicas)
    told = [f"{adopted} to adopt"] if adopted else []
    counts = ", ".join([*told, *(f"{number} to {verb}" for verb, number in tally(found).items())])
    parts = [counts or "no changes", _end(project), _held(project), _suspended(project)]
    return f"Plan: {'; '.join(part for part in parts if part)}."


def _end(project: ProjectReport) -> str:
    if not project.converges:
        return "does not converge, so nothing is touched: see ! above"
    if not project.operations and (quarantined(project) or suspended(project)):
        return ""
    if not project.operations and not project.adoption.empty:
        return "no container is touched"
    least = f", takes at least {span(project.expected_seconds)}" if project.expected_seconds >= 1 else ""
    return f"converges after {count(len(project.operations), 'operation')}{least} (forecast on a simulated engine)"


def _held(project: ProjectReport) -> str:
    held = ", ".join(quarantined(project))
    return f"not tried again: {held}, see ! above" if held and project.converges else ""


def _suspended(project: ProjectReport) -> str:
    found = [condition.service for condition in suspended(project)]
    if not found:
        return ""
    names = ", ".join(dict.fromkeys(name for name in found if name))
    return f"suspended: {names}, see ~ above" if names else "suspended, see ~ above"


def _header(project: ProjectReport, palette: Palette) -> str:
    rest = "  ".join(part for part in (engine_text(project.engine), clean(project.source)) if part)
    return f"{palette.strong(project.name)} {palette.faint(rest)}".rstrip()


def _changes(project: ProjectReport, found: tuple[Change, ...], width: int, palette: Palette) -> Iterator[str]:
    services = {service.name: service for service in project.services}
    resources = [change for change in found if change.resource != "container"]
    replicas = [change for change in found if change.resource == "container"]
    column = _column((name_of(change.targets[0]) for change in resources), _NAME)
    for change in resources:
        yield from _change(change, _resource_text(change, column), "", width, palette)
    if resources and replicas:
        yield ""
    column = _column((targets_text(change.targets) for change in replicas), _TARGETS)
    told: set[str] = set()
    for change in replicas:
        service = services.get(change.service or "") if change.verb == "replace" else None
        text, remark = _replica_text(change, service, column), _order_reason(change, service)
        gate = gate_lines(service, width, palette) if service and service.name not in told else []
        yield from _change(change, text, remark, width, palette, gate)
        told.update([service.name] if service else [])


def _column(names: Iterable[str], most: int) -> int:
    return max((len(name) for name in names if len(name) <= most), default=0)


def _change(
    change: Change, text: str, remark: str, width: int, palette: Palette, gate: Iterable[str] = ()
) -> Iterator[str]:
    sole = sole_reason(change.causes)
    if sole is None or remark:
        yield from _head(change, text, remark, width, palette)
        yield from gate
        yield from cause_lines(change.causes, width, palette)
        return
    because = "  ".join(part for part in (reason_text(sole), place(sole)) if part)
    if 4 + len(text) + 2 + len(because) <= width:
        yield f"  {_signed(change, text, palette)}  {palette.faint(because)}"
    else:
        yield from _head(change, text, "", width, palette)
        yield from (palette.faint(line) for line in wrapped(because, width, " " * 6))
    yield from gate


def _head(change: Change, text: str, remark: str, width: int, palette: Palette) -> Iterator[str]:
    fits = 4 + len(text) + len(remark) + 1 <= width
    line = f"  {_signed(change, shorten(text.rstrip(), width - 4), palette)}"
    yield f"{line} {palette.faint(remark)}" if remark and fits else line
    if remark and not fits:
        yield from (palette.faint(part) for part in wrapped(remark, width, " " * 6))


def _resource_text(change: Change, column: int) -> str:
    return f"{change.resource:<7}  {name_of(change.targets[0]).ljust(column)}  {change.verb:<6}"


def _replica_text(change: Change, service: ServiceStatus | None, column: int) -> str:
    verb = "recreate" if change.impact == "recreate" else change.verb
    order = service.order if service and _in_order(change, service) else ""
    how = ", ".join(part for part in (_IMPACT.get(change.impact, ""), order) if part)
    return f"{targets_text(change.targets).ljust(column)}  {verb}{': ' + how if how else ''}"


def _in_order(change: Change, service: ServiceStatus) -> bool:
    """Whether the replicas are replaced in the service's order; a gap leaves nothing to do first."""
    return change.impact != "recreate" and (change.impact, service.order) != ("gap", "start-first")


def _order_reason(change: Change, service: ServiceStatus | None) -> str:
    reason = service.order_reason if service and _in_order(change, service) else ""
    return f"({clean(reason)})" if reason else ""


def _signed(change: Change, text: str, palette: Palette) -> str:
    paint = {"+": palette.add, "~": palette.change, "-": palette.remove}[change.sign]
    return paint(f"{change.sign} {text}")


def _adopted(project: ProjectReport, width: int, palette: Palette) -> Iterator[str]:
    """What is taken over from docker compose as it is: replicas, networks, volumes."""
    adoption = project.adoption
    replicas = [f"{service}/{slot}" for service, slot, _ in adoption.replicas]
    if replicas:
        word = "adopted as it is" if len(replicas) == 1 else "adopted as they are"
        told = f"{word} ({count(len(replicas), 'replica')})"
        names = shorten(", ".join(replicas), width - 6 - len(told))
        yield palette.faint(f"  = {names}  {told}")
    kept = [*(f"network {name}" for name in adoption.networks), *(f"volume {name}" for name in adoption.volumes)]
    if kept:
        yield palette.faint(shorten(f"  = {clean(', '.join(kept))}  kept", width))


def _untouched(project: ProjectReport, found: tuple[Change, ...], width: int, palette: Palette) -> Iterator[str]:
    touched = {change.service for change in found if change.resource == "container"}
    touched |= {condition.service for condition in (*troubles(project), *suspended(project))}
    touched |= {service for service, _, _ in project.adoption.replicas}
    others = [item for item in project.services if item.name not in touched and item.health != "Suspended"]
    for sign, word, synced in (("=", "unchanged", True), (".", "not reached", False)):
        named = [service for service in others if (service.sync == "Synced") is synced]
        if named:
            replicas = count(sum(service.desired for service in named), "replica")
            names = shorten(", ".join(service.name for service in named), width - 22 - len(replicas))
            yield palette.faint(f"  {sign} {names}  {word} ({replicas})")


def _unknown(project: ProjectReport, width: int, palette: Palette) -> list[str]:
    names: dict[str, list[str]] = {}
    for service, when in project.unknown:
        names.setdefault(when, []).append(service)
    texts = (
        f"  ? {', '.join(services)}: health check, volumes and user of the image are {when}"
        for when, services in names.items()
    )
    return [palette.faint(shorten(clean(text), width)) for text in texts]


def _total(report: Report) -> str:
    pending = sum(not project.in_sync for project in report.projects)
    errors = f"; {count(len(report.errors), 'error')} (on stderr)" if report.errors else ""
    in_sync = len(report.projects) - pending
    return f"{count(len(report.projects), 'project')}: {pending} with changes, {in_sync} in sync{errors}."
