"""Judgements that several renderings share: what is wrong with a project, how bad it is, and the exit code. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reconciler.errors import FAILED, PENDING, REFUSED
from reconciler.model.memory import Failure
from reconciler.model.report import ProjectReport, Report
from reconciler.model.step import Condition, ServiceStatus

_STAYS = {"Paused", "ImageGone"}
_HELD = {"Quarantined", "RolledBack", "RollingBack", *_STAYS}
_SUSPENDED = "Suspended"
_SYNC = ("Synced", "OutOfSync", "Modified", "Unknown")
_HEALTH = ("Completed", "Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown")


def exit_code(report: Report, *, exit_code_flag: bool) -> int:
    """The contract's exit code: 3 (refused) before 1 (failed) before 2 (a plan's pending changes) before 0.

    What is quarantined has failed, though nothing is tried. A status was read or it was not: what it says of the
    services does not make it fail.
    """
    if report.refused:
        return REFUSED
    judged = report.projects if report.command != "status" else ()
    if report.failed or report.errors or not all(project.succeeded and not quarantined(project) for project in judged):
        return FAILED
    pending = report.command == "plan" and exit_code_flag and report.pending
    return PENDING if pending else 0


def troubles(project: ProjectReport) -> tuple[Condition, ...]:
    """The conditions to act on: what is Stalled; failing that, what keeps a failed project from being Ready."""
    stalled = tuple(item for item in project.conditions if item.type == "Stalled" and item.status == "True")
    if stalled or project.succeeded:
        return stalled
    return tuple(item for item in project.conditions if item.type == "Ready" and item.status != "True")


def suspended(project: ProjectReport) -> tuple[Condition, ...]:
    """What is left as it is because somebody wants that: no trouble, but to be told."""
    return tuple(item for item in project.conditions if item.reason == _SUSPENDED and not item.stalls)


def is_held(condition: Condition) -> bool:
    """Whether it says that a definition failed and is not tried again (quarantine)."""
    return condition.type == "Stalled" and condition.status == "True" and condition.reason in _HELD


def quarantined(project: ProjectReport) -> tuple[str, ...]:
    """The services whose definition failed before and is not tried again."""
    held = (item.service for item in project.conditions if is_held(item))
    return tuple(dict.fromkeys(service for service in held if service))


def failures(project: ProjectReport) -> tuple[Failure, ...]:
    """What failed; none is called rolled back whose service was paused, or cannot go back."""
    stay = paused(project)
    return tuple(replace(item, rolled_back=item.rolled_back and item.service not in stay) for item in project.failures)


def paused(project: ProjectReport) -> tuple[str, ...]:
    """The services that stay with what runs though their definition failed: as asked, or for want of the old image."""
    return tuple(item.service for item in project.conditions if item.service and item.reason in _STAYS)


def untold(project: ProjectReport, told: Iterable[str]) -> tuple[Condition, ...]:
    """The troubles that the project's failures, and these messages, do not tell already."""
    failed = {failure.service for failure in project.failures}
    messages = [*told, *(failure.message for failure in project.failures)]
    return tuple(
        item
        for item in troubles(project)
        if not any(item.message in message for message in messages) and not (is_held(item) and item.service in failed)
    )


def worst_sync(services: Iterable[ServiceStatus]) -> str:
    """The project's sync word: that of its worst service; Synced without services."""
    return _worst((service.sync for service in services), _SYNC, "Synced")


def worst_health(services: Iterable[ServiceStatus]) -> str:
    """The project's health word: that of its worst service; Healthy without services."""
    return _worst((service.health for service in services), _HEALTH, "Healthy")


def _worst(words: Iterable[str], ranking: tuple[str, ...], default: str) -> str:
    return max(words, key=lambda word: ranking.index(word) if word in ranking else len(ranking), default=default)
