"""`reconcile status` as a table: what each service runs, how it is, and beneath it why when something is off."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reconciler.cli.palette import PLAIN, Palette
from reconciler.cli.phrases import condition_lines, engine_text, revision_lines, warning_lines, wrapped
from reconciler.cli.values import clean, name_of, shorten_path
from reconciler.cli.verdicts import suspended, troubles, worst_health, worst_sync
from reconciler.model.project import Notice
from reconciler.model.report import ProjectReport, Report
from reconciler.model.step import ServiceStatus

_HEADINGS = ("SERVICE", "DESIRED", "RUNNING", "HEALTHY", "UP-TO-DATE", "IMAGE", "DIGEST", "HEALTH", "SYNC")
_NUMBERS = range(1, 5)
_IMAGE = 5
_SHORTEST_IMAGE = 16
_GAP = 2
_PATHS = 6
_REASON_WIDTH = 100


def render(report: Report, *, width: int | None = None, palette: Palette = PLAIN) -> str:
    """All projects' tables, ending in a line break. `width` shortens image names to fit; None never shortens."""
    blocks = [_project(project, width, palette) for project in report.projects]
    warnings = warning_lines(report.warnings, width or _REASON_WIDTH, palette)
    if warnings:
        blocks.append("\n".join(warnings) + "\n")
    return "\n".join(blocks)


def _project(project: ProjectReport, width: int | None, palette: Palette) -> str:
    verdict = f"{worst_sync(project.services)}, {worst_health(project.services)}"
    engine = f" {engine_text(project.engine)}" if project.engine else ""
    head = f"{palette.strong(project.name)}{palette.faint(engine)}: {palette.strong(verdict)}"
    revision = revision_lines(project, width or _REASON_WIDTH, palette)
    lines = [head, *revision, "", *_table(project, width, palette)]
    named = {service.name for service in project.services if service.message}
    for condition in (*troubles(project), *suspended(project)):
        if condition.service not in named:
            lines += ["", *condition_lines(condition, width or _REASON_WIDTH, palette)]
    return "\n".join([*lines, ""])


def _table(project: ProjectReport, width: int | None, palette: Palette) -> list[str]:
    services = project.services
    rows = [_HEADINGS, *(_row(service) for service in services)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    total = 2 + sum(widths) + _GAP * (len(widths) - 1)
    if width and total > width:
        widths[_IMAGE] = max(widths[_IMAGE] - (total - width), _SHORTEST_IMAGE)
    lines = [palette.faint(_line(_HEADINGS, widths))]
    for service, row in zip(services, rows[1:], strict=True):
        lines.append(_mood(service, palette)(_line(row, widths)))
        lines += _reason(service, width or _REASON_WIDTH)
        lines += mutation_lines(service, width or _REASON_WIDTH)
        lines += _copies(service, project.notices, width or _REASON_WIDTH)
    return lines


def mutation_lines(service: ServiceStatus, width: int) -> list[str]:
    """What somebody changed in the service's containers and the spec lets be, the first few by name."""
    paths = ", ".join(name_of(path) for path in service.mutated[:_PATHS])
    more = len(service.mutated) - _PATHS
    text = f"changed by hand: {paths}{f' and {more} more' if more > 0 else ''}"
    return wrapped(text, width, "      ") if service.mutated else []


def _copies(service: ServiceStatus, notices: Iterable[Notice], width: int) -> list[str]:
    """Containers with copied labels, where nothing else says why the service is Modified."""
    if service.sync != "Modified" or service.message:
        return []
    names = [name_of(notice.source) for notice in notices if notice.code == "CopiedLabels"]
    way_out = "not ours, so it is never removed; `docker rm -f {0}` if nobody needs it"
    lines = (f"second container {name}: {way_out.format(name)}" for name in names)
    return [line for text in lines for line in wrapped(text, width, "      ")]


def _row(service: ServiceStatus) -> tuple[str, ...]:
    numbers = (service.desired, service.running, service.healthy, service.up_to_date)
    digest = service.digest.rpartition(":")[2][:12] or "-"
    return (service.name, *map(str, numbers), clean(service.image) or "-", digest, service.health, service.sync)


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        cell.rjust(widths[column]) if column in _NUMBERS else shorten_path(cell, widths[column]).ljust(widths[column])
        for column, cell in enumerate(row)
    ]
    return ("  " + (" " * _GAP).join(cells)).rstrip()


def _mood(service: ServiceStatus, palette: Palette) -> Callable[[str], str]:
    if service.health in {"Degraded", "Missing", "Unknown"}:
        return palette.remove
    settled = service.sync == "Synced" and service.health in {"Healthy", "Completed"}
    return str if settled else palette.change


def _reason(service: ServiceStatus, width: int) -> list[str]:
    text = ": ".join(part for part in (service.reason, service.message) if part)
    if service.waiting:
        text = "; ".join(part for part in (text, f"waiting for {service.waiting}") if part)
    return wrapped(text, width, "      ") if text else []
