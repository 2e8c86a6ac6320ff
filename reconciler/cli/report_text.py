"""The end of a converge for people: what was done, what failed and why, what still runs, what to do next."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.cli.changes import PAST, changes, tally
from reconciler.cli.failure_text import remains_lines
from reconciler.cli.palette import PLAIN, Palette
from reconciler.cli.phrases import (
    RETRY,
    WIDTH,
    condition_lines,
    count,
    in_sync_line,
    revision_lines,
    seconds,
    warning_lines,
    wrapped,
)
from reconciler.cli.verdicts import failures, is_held, paused, quarantined, suspended, troubles, untold
from reconciler.model.memory import Failure
from reconciler.model.report import ProjectReport, Report

_LOG_LINES = 50


def render(report: Report, *, stopped: bool = False, width: int = WIDTH, palette: Palette = PLAIN) -> str:
    """The report, ending in a line break. `stopped` says that the run was asked to end early."""
    lines = warning_lines(report.warnings, width, palette)
    for project in report.projects:
        lines += revision_lines(project, width, palette)
        lines += _project(project, width, palette, stopped=stopped)
    if len(report.projects) > 1 or report.errors:
        lines += ["", palette.strong(_total(report, stopped=stopped))]
    return "\n".join([*lines, ""])


def _project(project: ProjectReport, width: int, palette: Palette, *, stopped: bool) -> Iterator[str]:
    if project.in_sync and not project.operations and not (troubles(project) or suspended(project)):
        yield in_sync_line(project)
        return
    if not project.converges:  # its plan has said why
        yield palette.remove(f"{project.name}: not touched: its forecast does not converge.")
        yield from wrapped("next: remove the cause named in its plan and run reconcile again", width, "  ")
        return
    yield from _failed_operations(project, width, palette)
    for failure in failures(project):
        yield from _failure(project, failure, width, palette)
    yield from _conditions(project, width, palette, stopped=stopped)
    for condition in suspended(project):
        yield from (*condition_lines(condition, width, palette), "")
    yield _verdict(project, palette, stopped=stopped)
    if not _fine(project):
        yield from _what_runs(project, width)
        yield from wrapped(_next(project, stopped=stopped), width, "  ")


def _fine(project: ProjectReport) -> bool:
    return project.succeeded and not quarantined(project)


def _verdict(project: ProjectReport, palette: Palette, *, stopped: bool) -> str:
    done = ", ".join(f"{number} {PAST[verb]}" for verb, number in tally(changes(project)).items())
    time = seconds(project.duration)
    if _fine(project) and not done and suspended(project):
        return palette.change(f"{project.name}: nothing was done: what is suspended stays as it is.")
    if _fine(project):
        return palette.add(f"{project.name}: converged in {time}: {done or 'nothing had to be done'}.")
    if stopped and not project.failures and not project.failed_operations:
        return palette.remove(f"{project.name}: stopped on request after {time}: {done or 'nothing was done'}.")
    back = ", ".join(dict.fromkeys(failure.service for failure in failures(project) if failure.rolled_back))
    stay = ", ".join(item for item in paused(project) if item in {failure.service for failure in project.failures})
    if back or stay:
        ends = (f"rolled back: {back}" if back else "", f"paused: {stay}" if stay else "")
        return palette.remove(f"{project.name}: failed after {time}: {'; '.join(part for part in ends if part)}.")
    held = ", ".join(quarantined(project))
    if held and not project.failures and not project.failed_operations:
        rest = f"; everything else converged in {time}: {done}" if project.succeeded and done else ""
        return palette.remove(f"{project.name}: failed: not tried again: {held}{rest}.")
    return palette.remove(f"{project.name}: failed after {time}.")


def _failed_operations(project: ProjectReport, width: int, palette: Palette) -> Iterator[str]:
    for identifier, message in project.failed_operations:
        yield f"  {palette.remove(f'! {identifier} failed')}"
        yield from wrapped(message, width, "      ")
        yield ""


def _failure(project: ProjectReport, failure: Failure, width: int, palette: Palette) -> Iterator[str]:
    back = ", rolled back" if failure.rolled_back else ""
    yield f"  {palette.remove(f'! {failure.service}: {failure.reason}{back}')}"
    held = (item.message for item in project.conditions if item.service == failure.service and is_held(item))
    message = next((text for text in held if failure.message in text), failure.message)
    log = dict(project.logs).get(failure.container, "")
    yield from wrapped(message, width, "      ")
    yield from remains_lines(failure, log, palette, width=width, indent="      ", most=_LOG_LINES)
    yield ""


def _conditions(project: ProjectReport, width: int, palette: Palette, *, stopped: bool) -> Iterator[str]:
    """What blocks it; a quarantine is told by the plan before, or by the failure that led to it."""
    told = bool(project.failures or project.failed_operations)
    for condition in untold(project, (message for _, message in project.failed_operations)):
        if not is_held(condition) and (condition.type == "Stalled" or not (told or stopped)):
            yield from condition_lines(condition, width, palette)
            yield ""


def _what_runs(project: ProjectReport, width: int) -> Iterator[str]:
    if not project.services:
        return
    parts = [
        f"{service.name} {service.running}/{service.desired} running"
        + (f" ({service.up_to_date} up to date)" if service.up_to_date < service.desired else "")
        for service in project.services
        if service.health != "Completed"
    ]
    yield from wrapped("now: " + ", ".join(parts), width, "  ")


def _next(project: ProjectReport, *, stopped: bool) -> str:
    stay = paused(project)
    back = next((item.service for item in project.failures if item.rolled_back or item.service in stay), "")
    again = f"; {RETRY} {back} tries the same again" if back else ""
    if project.failures:
        return f"next: read the log lines above, correct the spec or the image, and run reconcile again{again}"
    if stopped:
        return "next: run reconcile again; it carries on from here"
    held = quarantined(project)
    if held and not project.failed_operations:
        return f"next: correct the spec or the image and run reconcile again; {RETRY} {held[0]} tries the same again"
    if project.failed_operations and project.in_sync:
        return "next: remove the cause named above; the replicas were replaced, and requests may have been lost"
    if project.failed_operations or troubles(project):
        return "next: remove the cause named above and run reconcile again; it carries on from here"
    return "next: reconcile status shows what is still off; a run with a longer --timeout waits longer"


def _total(report: Report, *, stopped: bool) -> str:
    failed = [project.name for project in report.projects if not _fine(project)]
    fine = len(report.projects) - len(failed)
    parts = [f"{count(fine, 'project')} converged"]
    parts += [f"{len(failed)} {'not' if stopped else 'failed'} ({', '.join(failed)})"] if failed else []
    parts += [f"{count(len(report.errors), 'error')} (on stderr)"] if report.errors else []
    return ", ".join(parts) + "."
