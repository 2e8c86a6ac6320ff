"""The rows that several JSON documents share, as docs/json.md has them. Secrets and payloads are not part of any."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from reconciler.cli.changes import redacted
from reconciler.cli.moments import iso
from reconciler.model.memory import Failure
from reconciler.model.observed import EngineInfo, Probe
from reconciler.model.operation import Difference
from reconciler.model.project import Notice
from reconciler.model.redaction import redact_text
from reconciler.model.revision import Revision
from reconciler.model.step import Condition, ServiceStatus

SCHEMA_VERSION = 1
Row = dict[str, Any]


def dump(document: Row) -> str:
    """The document as text, ending in a line break; the same document gives the same bytes."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def frame(command: str) -> Row:
    """What every document begins with."""
    return {"schema_version": SCHEMA_VERSION, "command": command}


def notice_rows(warnings: Iterable[Notice], errors: Iterable[Notice]) -> Row:
    """What every document ends with."""
    return {"warnings": [notice_row(item) for item in warnings], "errors": [notice_row(item) for item in errors]}


def engine_row(engine: EngineInfo | None) -> Row | None:
    """Which engine answered; None where none was asked."""
    return {"name": engine.name, "version": engine.version, "api": engine.api} if engine else None


def revision_row(revision: Revision | None) -> Row | None:
    """The state of a source; None where nobody followed one. Its texts are other people's."""
    if revision is None:
        return None
    return {
        "source": revision.source,
        "commit": revision.commit or None,
        "author": redact_text(revision.author),
        "subject": redact_text(revision.subject),
        "ref": revision.ref,
        "at": iso(revision.at),
    }


def condition_row(condition: Condition) -> Row:
    """A condition of a project or service."""
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": redact_text(condition.message),
        "service": condition.service,
        "source": condition.source,
    }


def cause_row(cause: Difference) -> Row:
    """A difference, its values redacted and in one order."""
    shown = redacted(cause)
    return {
        "field": shown.field,
        "before": _sorted(shown.before),
        "after": _sorted(shown.after),
        "source": shown.source,
        "reason": redact_text(shown.reason),
    }


def service_row(service: ServiceStatus) -> Row:
    """A service's state and how it rolls."""
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
        "order": service.order,
        "order_reason": redact_text(service.order_reason),
        "gate": service.gate,
        "protection": redact_text(service.protection),
        "mutated": list(service.mutated),
    }


def failure_row(failure: Failure, log: str) -> Row:
    """A definition that did not come up, with the last lines of the container that showed it."""
    return {
        "service": failure.service,
        "slot": failure.slot or None,
        "container": failure.container,
        "reason": failure.reason,
        "message": redact_text(failure.message),
        "exit_code": failure.exit_code,
        "health_log": [_probe_row(probe) for probe in failure.health_log],
        "at": iso(failure.at),
        "rolled_back": failure.rolled_back,
        "log": [redact_text(line) for line in log.splitlines()],
    }


def notice_row(notice: Notice) -> Row:
    """A warning or an error."""
    return error_row(notice.code, notice.message, notice.source)


def error_row(code: str, message: str, source: str) -> Row:
    """An error that is no notice."""
    return {"code": code, "message": redact_text(message), "source": source}


def _probe_row(probe: Probe) -> Row:
    return {"ended_at": iso(probe.ended_at), "exit_code": probe.exit_code, "output": redact_text(probe.output)}


def _sorted(value: Any) -> Any:
    return json.loads(json.dumps(value, sort_keys=True, default=str))
