"""What `reconcile images push` prints: a line for each reference, or one document (docs/json.md)."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.cli.palette import PLAIN, Palette
from reconciler.cli.phrases import WIDTH, wrapped
from reconciler.cli.rows import Row, dump, frame, notice_rows
from reconciler.cli.values import clean, name_of
from reconciler.model.project import Notice
from reconciler.model.pushed import Pushed, PushReport
from reconciler.model.redaction import redact_text


def render(report: PushReport, *, palette: Palette = PLAIN) -> str:
    """Each project with its references, ending in a line break."""
    return "\n".join(_project(name, items, palette) for name, items in report.projects)


def render_json(report: PushReport) -> str:
    """The document."""
    projects = [{"name": name, "images": [_row(item) for item in items]} for name, items in report.projects]
    return dump({**frame("images push"), "projects": projects, **notice_rows(report.warnings, report.errors)})


def render_errors(errors: tuple[Notice, ...]) -> str:
    """The document of a run that failed as a whole."""
    return render_json(PushReport(errors=errors))


def _project(name: str, items: tuple[Pushed, ...], palette: Palette) -> str:
    counted = ((status, sum(item.status == status for item in items)) for status in ("pushed", "skipped", "failed"))
    counts = ", ".join(f"{count} {status}" for status, count in counted if count)
    lines = (line for item in items for line in _lines(item, palette))
    return "\n".join([f"{palette.strong(clean(name))}: {counts or 'nothing is built here'}", *lines, ""])


def _lines(item: Pushed, palette: Palette) -> Iterator[str]:
    paint = {"pushed": palette.add, "skipped": palette.faint, "failed": palette.remove}[item.status]
    reference = f"  {name_of(item.reference)}" if item.reference else ""
    digest = f"  {name_of(item.digest)} ({item.seconds:.1f} s)" if item.status == "pushed" else ""
    yield f"  {paint(item.status):<7}  {clean(item.service)}{reference}{digest}"
    if item.message:
        place = f"  {clean(item.source)}" if item.source else ""
        yield from wrapped(f"{clean(item.message)}{place}", WIDTH, "           ")


def _row(item: Pushed) -> Row:
    return {
        "service": item.service,
        "reference": item.reference,
        "status": item.status,
        "digest": item.digest or None,
        "reason": item.reason,
        "message": redact_text(item.message),
        "source": item.source,
    }
