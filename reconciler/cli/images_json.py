"""The documents of `reconcile images` and `reconcile images lock`, as docs/json.md has them."""

from __future__ import annotations

from reconciler.app_images import ImagesReport, LockReport
from reconciler.cli.moments import iso
from reconciler.cli.rows import Row, dump, frame, notice_rows
from reconciler.model.desired import Held
from reconciler.model.project import Pin
from reconciler.model.redaction import redact_text
from reconciler.model.report import ImageRow
from reconciler.pinning import PinRow


def render_images(report: ImagesReport) -> str:
    """What each service runs and could run."""
    return dump(
        {
            **frame("images"),
            "images": [_image(row) for row in report.rows],
            **notice_rows(report.warnings, report.errors),
        }
    )


def render_lock(report: LockReport) -> str:
    """What became of each entry of the locks."""
    return dump(
        {
            **frame("images lock"),
            "stale": report.stale,
            "pins": [_lock(row) for row in report.rows],
            **notice_rows(report.warnings, report.errors),
        }
    )


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
