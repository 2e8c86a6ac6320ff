"""The documents of `reconcile images` and `reconcile images lock`, as docs/json.md has them."""

from __future__ import annotations

from reconciler.app_images import ImagesReport, LockReport
from reconciler.cli.moments import iso
from reconciler.cli.rows import SCHEMA_VERSION, Row, dump, notice_row
from reconciler.model.desired import Held
from reconciler.model.project import Notice, Pin
from reconciler.model.redaction import redact_text
from reconciler.model.report import ImageRow
from reconciler.pinning import PinRow

Notices = tuple[Notice, ...]


def render_images(report: ImagesReport) -> str:
    """What each service runs and could run."""
    return dump({**_frame("images"), "images": [_image(row) for row in report.rows], **_notices(report)})


def render_lock(report: LockReport) -> str:
    """What became of each entry of the locks."""
    return dump(
        {
            **_frame("images lock"),
            "stale": report.stale,
            "pins": [_lock(row) for row in report.rows],
            **_notices(report),
        }
    )


def _frame(command: str) -> Row:
    return {"schema_version": SCHEMA_VERSION, "command": command}


def _notices(report: ImagesReport | LockReport) -> Row:
    return {
        "warnings": [notice_row(item) for item in report.warnings],
        "errors": [notice_row(item) for item in report.errors],
    }


def _image(row: ImageRow) -> Row:
    return {
        "project": row.project,
        "service": row.service,
        "written": row.written,
        "policy": row.policy,
        "resolved": row.resolved or None,
        "running": list(row.running),
        "available": row.available or None,
        "held": [_held(item) for item in row.held],
        "error": row.error or None,
        "source": row.source,
    }


def _held(held: Held) -> Row:
    return {
        "reference": held.reference,
        "by": held.by,
        "reason": held.reason or None,
        "until": iso(held.until),
        "message": redact_text(held.message),
    }


def _lock(row: PinRow) -> Row:
    return {
        "project": row.project,
        "service": row.service,
        "reference": row.reference,
        "verdict": row.verdict,
        "before": _pin(row.before),
        "after": _pin(row.after),
        "message": redact_text(row.message) or None,
        "source": row.source,
    }


def _pin(pin: Pin | None) -> Row | None:
    if pin is None:
        return None
    return {"reference": pin.reference, "digest": pin.digest, "at": iso(pin.at), "policy": pin.policy}
