"""Plans, reports and status as JSON: the documents of docs/json.md. The same input gives the same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reconciler.cli.rows import (
    SCHEMA_VERSION,
    Row,
    cause_row,
    condition_row,
    dump,
    engine_row,
    error_row,
    failure_row,
    notice_row,
    revision_row,
    service_row,
)
from reconciler.cli.verdicts import failures, worst_health, worst_sync
from reconciler.model.operation import Operation
from reconciler.model.report import ProjectReport, Report


def render(report: Report) -> str:
    """The document of a plan or a converge, ending in a line break. No payloads; only failures have times."""
    kinds = Counter(operation.kind for project in report.projects for operation in project.operations)
    failures = [row for project in report.projects for row in _failures(project)]
    return dump(
        {
            "schema_version": SCHEMA_VERSION,
            "command": report.command,
            "revision": report.revision,
            "projects": [project_row(project) for project in report.projects],
            "warnings": [notice_row(warning) for warning in report.warnings],
            "errors": [notice_row(error) for error in report.errors] + failures,
            "summary": dict(sorted(kinds.items())),
        }
    )


def render_status(report: Report) -> str:
    """The document of `reconcile status`, ending in a line break."""
    return dump(
        {
            "schema_version": SCHEMA_VERSION,
            "command": "status",
            "revision": report.revision,
            "projects": [_status(project) for project in report.projects],
            "warnings": [notice_row(warning) for warning in report.warnings],
            "errors": [notice_row(error) for error in report.errors],
        }
    )


def project_row(project: ProjectReport) -> Row:
    """A project's plan or report."""
    logs = dict(project.logs)
    return {
        "name": project.name,
        "revision": revision_row(project.revision),
        "engine": engine_row(project.engine),
        "in_sync": project.in_sync,
        "converges": project.converges,
        "fingerprint": project.fingerprint,
        "expected_seconds": round(project.expected_seconds, 3),
        "conditions": [condition_row(condition) for condition in project.conditions],
        "operations": [_operation(operation) for operation in project.operations],
        "services": [service_row(service) for service in project.services],
        "failures": [failure_row(failure, logs.get(failure.container, "")) for failure in failures(project)],
    }


def _status(project: ProjectReport) -> Row:
    return {
        "name": project.name,
        "revision": revision_row(project.revision),
        "engine": engine_row(project.engine),
        "sync": worst_sync(project.services),
        "health": worst_health(project.services),
        "conditions": [condition_row(condition) for condition in project.conditions],
        "services": [service_row(service) for service in project.services],
    }


def _operation(operation: Operation) -> Row:
    return {
        "id": operation.id,
        "kind": operation.kind,
        "resource": operation.resource,
        "project": operation.project,
        "service": operation.service,
        "slot": operation.slot,
        "depends_on": list(operation.after),
        "impact": operation.impact,
        "cause": [cause_row(cause) for cause in operation.cause],
    }


def _failures(project: ProjectReport) -> Iterator[Row]:
    """What failed on the way, as errors: an operation by its id, a rollout under its reason."""
    for identifier, message in project.failed_operations:
        yield error_row("OperationFailed", f"{project.name}: {message}", identifier)
    for failure in project.failures:
        yield error_row(failure.reason, f"{project.name}/{failure.service}: {failure.message}", failure.container)
