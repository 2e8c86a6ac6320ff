"""The documents of `reconcile history` and `reconcile why`, as docs/json.md has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from reconciler.cli.moments import iso
from reconciler.cli.rows import (
    Row,
    cause_row,
    condition_row,
    dump,
    failure_row,
    frame,
    notice_rows,
    revision_row,
    service_row,
)
from reconciler.model.history import ActionRecord, Explanation, ReplicaRecord, RolloutRecord
from reconciler.model.memory import Stable
from reconciler.model.project import Notice
from reconciler.model.redaction import redact_text

Notices = tuple[Notice, ...]
Actions = Mapping[str, tuple[ActionRecord, ...]]


def render_history(
    past: Iterable[tuple[str, tuple[RolloutRecord, ...]]],
    warnings: Notices = (),
    errors: Notices = (),
    actions: Actions = MappingProxyType({}),
) -> str:
    """Every project's rollouts and what persons asked for, the newest last."""
    projects = [
        {
            "name": name,
            "rollouts": [_rollout(record) for record in sorted(records, key=lambda record: record.number)],
            "actions": [_action(action) for action in actions.get(name, ())],
        }
        for name, records in past
    ]
    return dump({**frame("history"), "projects": projects, **notice_rows(warnings, errors)})


def render_why(explanation: Explanation | None, warnings: Notices = (), errors: Notices = ()) -> str:
    """One service explained; without an explanation only what went wrong instead."""
    known = _explanation(explanation) if explanation else {}
    return dump({**frame("why"), **known, **notice_rows(warnings, errors)})


def _explanation(explanation: Explanation) -> Row:
    quarantine = explanation.quarantine
    last = explanation.last
    logs = last.logs if last and last.failure == quarantine else ""
    return {
        "project": explanation.project,
        "service": {**service_row(explanation.status), "waiting": explanation.status.waiting},
        "conditions": [condition_row(condition) for condition in explanation.conditions],
        "waits_until": iso(explanation.waits_until),
        "quarantine": failure_row(quarantine, logs) if quarantine else None,
        "pending": [cause_row(cause) for cause in explanation.pending],
        "stable": _stable(explanation.stable) if explanation.stable else None,
        "last": _rollout(last) if last else None,
        "next_steps": list(explanation.next_steps),
    }


def _stable(stable: Stable) -> Row:
    """A stable definition by its names: the definition itself may hold secrets."""
    return {
        "revision": stable.revision or None,
        "source_revision": stable.source_revision,
        "image": stable.reference,
        "digest": stable.digest,
        "at": iso(stable.at),
    }


def _rollout(record: RolloutRecord) -> Row:
    return {
        "number": record.number,
        "service": record.service,
        "trigger": record.trigger,
        "verdict": record.verdict,
        "message": redact_text(record.message),
        "began_at": iso(record.began_at),
        "ended_at": iso(record.ended_at),
        "revision": record.revision or None,
        "source_revision": (record.source_revision and record.source_revision.commit) or None,
        "source": revision_row(record.source_revision),
        "image": record.image,
        "digest": record.digest,
        "order": record.order,
        "cause": [cause_row(cause) for cause in record.cause],
        "batches": [[_replica(replica) for replica in batch] for batch in record.batches],
        "taken_up": [iso(time) for time in record.taken_up],
        "notes": [redact_text(note) for note in record.notes],
        "failure": failure_row(record.failure, record.logs) if record.failure else None,
    }


def _action(action: ActionRecord) -> Row:
    return {
        "at": iso(action.at),
        "by": action.by,
        "action": action.action,
        "service": action.service or None,
        "detail": redact_text(action.detail),
    }


def _replica(replica: ReplicaRecord) -> Row:
    return {
        "slot": replica.slot,
        "container": replica.container,
        "gate": replica.gate,
        "verdict": redact_text(replica.verdict),
        "created_at": iso(replica.created_at),
        "started_at": iso(replica.started_at),
        "up_at": iso(replica.up_at),
        "old_stopped_at": iso(replica.old_stopped_at),
    }
