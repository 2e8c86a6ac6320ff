"""Plans, reports and status as JSON: the documents of docs/json.md. The same input gives the same bytes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from reconciler.cli.changes import redacted
from reconciler.cli.verdicts import worst_health, worst_sync
from reconciler.model.observed import EngineInfo
from reconciler.model.operation import Difference, Operation
from reconciler.model.project import Notice
from reconciler.model.redaction import redact_text
from reconciler.model.report import ProjectReport, Report
from reconciler.model.step import Condition, ServiceStatus

SCHEMA_VERSION = 1
_Row = dict[str, Any]


def render(report: Report) -> str:
    """The document of a plan or a converge, ending in a line break. No timestamps, no durations, no payloads."""
    kinds = Counter(operation.kind for project in report.projects for operation in project.operations)
    failures = [row for project in report.projects for row in _failures(project)]
    return _dump(
        {
            "schema_version": SCHEMA_VERSION,
            "command": report.command,
            "revision": report.revision,
            "projects": [_project(project) for project in report.projects],
            "warnings": [_notice(warning) for warning in report.warnings],
            "errors": [_notice(error) for error in report.errors] + failures,
            "summary": dict(sorted(kinds.items())),
        }
    )


def render_status(report: Report) -> str:
    """The document of `reconcile status`, ending in a line break."""
    return _dump(
        {
            "schema_version": SCHEMA_VERSION,
            "command": "status",
            "projects": [_status(project) for project in report.projects],
            "warnings": [_notice(warning) for warning in report.warnings],
            "errors": [_notice(error) for error in report.errors],
        }
    )


def _project(project: ProjectReport) -> _Row:
    return {
        "name": project.name,
        "engine": _engine(project.engine),
        "in_sync": project.in_sync,
        "converges": project.converges,
        "fingerprint": project.fingerprint,
        "conditions": [_condition(condition) for condition in project.conditions],
        "operations": [_operation(operation) for operation in project.operations],
        "services": [_service(service) for service in project.services],
    }


def _status(project: ProjectReport) -> _Row:
    return {
        "name": project.name,
        "engine": _engine(project.engine),
        "sync": worst_sync(project.services),
        "health": worst_health(project.services),
        "conditions": [_condition(condition) for condition in project.conditions],
        "services": [_service(service) for service in project.services],
    }


def _engine(engine: EngineInfo | None) -> _Row | None:
    return {"name": engine.name, "version": engine.version, "api": engine.api} if engine else None


def _condition(condition: Condition) -> _Row:
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": redact_text(condition.message),
        "service": condition.service,
        "source": condition.source,
    }


def _operation(operation: Operation) -> _Row:
    return {
        "id": operation.id,
        "kind": operation.kind,
        "resource": operation.resource,
        "project": operation.project,
        "service": operation.service,
        "slot": operation.slot,
        "depends_on": list(operation.after),
        "impact": operation.impact,
        "cause": [_cause(redacted(cause)) for cause in operation.cause],
    }


def _cause(cause: Difference) -> _Row:
    return {
        "field": cause.field,
        "before": _sorted(cause.before),
        "after": _sorted(cause.after),
        "source": cause.source,
        "reason": redact_text(cause.reason),
    }


def _service(service: ServiceStatus) -> _Row:
    return {
        "name": service.name,
        "desired": service.desired,
        "running": service.running,
        "healthy": service.healthy,
        "up_to_date": service.up_to_date,
        "image": service.image,
        "digest": service.digest,
        "health": service.health,
        "sync": service.sync,
        "reason": service.reason,
        "message": redact_text(service.message),
    }


def _failures(project: ProjectReport) -> Iterator[_Row]:
    """What failed on the way, as errors: an operation by its id, a rollout under its reason."""
    for identifier, message in project.failed_operations:
        yield _error("OperationFailed", f"{project.name}: {message}", identifier)
    for failure in project.failures:
        yield _error(failure.reason, f"{project.name}/{failure.service}: {failure.message}", failure.container)


def _notice(notice: Notice) -> _Row:
    return _error(notice.code, notice.message, notice.source)


def _error(code: str, message: str, source: str) -> _Row:
    return {"code": code, "message": redact_text(message), "source": source}


def _sorted(value: Any) -> Any:
    return json.loads(json.dumps(value, sort_keys=True, default=str))


def _dump(document: _Row) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
