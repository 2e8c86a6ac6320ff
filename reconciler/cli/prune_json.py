"""The document of `reconcile images prune`, as docs/json.md has it."""

from __future__ import annotations

from reconciler.cli.moments import iso
from reconciler.cli.rows import Row, dump, engine_row, frame, notice_rows
from reconciler.collecting import Collected
from reconciler.images.collection import Verdict
from reconciler.model.project import Notice
from reconciler.model.redaction import redact_text


def render(found: Collected | None, errors: tuple[Notice, ...] = ()) -> str:
    """Every image that the ledgers know, those that go first; without a pass only what went wrong instead."""
    known = _pass(found) if found else {}
    return dump({**frame("images prune"), **known, **notice_rows(found.warnings if found else (), errors)})


def _pass(found: Collected) -> Row:
    return {
        "dry_run": found.dry_run,
        "engine": engine_row(found.engine),
        "images": [_image(verdict, dry_run=found.dry_run) for verdict in found.verdicts],
        "bytes_at_most": found.size,
    }


def _image(verdict: Verdict, *, dry_run: bool) -> Row:
    gone = "remove" if dry_run else "removed"
    return {
        "id": verdict.image.id,
        "names": list(verdict.names) if verdict.image.names else [],
        "verdict": gone if verdict.goes else "kept",
        "reason": redact_text(verdict.reason),
        "bytes": verdict.image.size,
        "bytes_at_most": verdict.size if verdict.goes else 0,
        "last_used": iso(verdict.last_used),
        "deployed": [
            {"project": project, "services": list(entry.services), "first_seen": iso(entry.first_seen)}
            for project, entry in verdict.deployed
        ],
    }
