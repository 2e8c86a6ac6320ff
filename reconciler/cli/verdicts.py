"""Judgements that several renderings share: what is wrong with a project, how bad it is, and the exit code. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.errors import FAILED, PENDING, REFUSED
from reconciler.model.report import ProjectReport, Report
from reconciler.model.step import Condition, ServiceStatus

_SYNC = ("Synced", "OutOfSync", "Modified", "Unknown")
_HEALTH = ("Completed", "Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown")


def exit_code(report: Report, *, exit_code_flag: bool) -> int:
    """The contract's exit code: 3 (refused) before 1 (failed) before 2 (a plan's pending changes) before 0.

    A status was read or it was not: what it says of the services does not make it fail.
    """
    if report.refused:
        return REFUSED
    judged = report.projects if report.command != "status" else ()
    if report.failed or report.errors or not all(project.succeeded for project in judged):
        return FAILED
    pending = report.command == "plan" and exit_code_flag and report.pending
    return PENDING if pending else 0


def troubles(project: ProjectReport) -> tuple[Condition, ...]:
    """The conditions to act on: what is Stalled; failing that, what keeps a failed project from being Ready."""
    stalled = tuple(item for item in project.conditions if item.type == "Stalled" and item.status == "True")
    if stalled or project.succeeded:
        return stalled
    return tuple(item for item in project.conditions if item.type == "Ready" and item.status != "True")


def worst_sync(services: Iterable[ServiceStatus]) -> str:
    """The project's sync word: that of its worst service; Synced without services."""
    return _worst((service.sync for service in services), _SYNC, "Synced")


def worst_health(services: Iterable[ServiceStatus]) -> str:
    """The project's health word: that of its worst service; Healthy without services."""
    return _worst((service.health for service in services), _HEALTH, "Healthy")


def _worst(words: Iterable[str], ranking: tuple[str, ...], default: str) -> str:
    return max(words, key=lambda word: ranking.index(word) if word in ranking else len(ranking), default=default)
