"""`reconcile images` and `reconcile images lock` as text: a block for each service, one line where all is well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.app_images import ImagesReport, LockReport
from reconciler.cli.palette import PLAIN, Palette
from reconciler.cli.phrases import wrapped
from reconciler.cli.values import clean
from reconciler.model.project import Pin
from reconciler.model.redaction import redact_text
from reconciler.model.references import parse_reference
from reconciler.model.report import ImageRow
from reconciler.pinning import PinRow

_DIGITS = 12
_SIGNS = {"kept": " ", "added": "+", "moved": "~", "removed": "-", "failed": "!"}


def render_images(report: ImagesReport, *, width: int, palette: Palette = PLAIN) -> str:
    """What each service runs and could run, ending in a line break; "" where there is none."""
    lines: list[str] = []
    for name, rows in _by_project(report.rows):
        lines += [palette.strong(name), *(line for row in rows for line in _image_lines(row, width, palette)), ""]
    return "\n".join(lines)


def render_lock(report: LockReport, *, check: bool, width: int, palette: Palette = PLAIN) -> str:
    """What became of each entry that changed, and a last line that sums it up."""
    lines: list[str] = []
    paints = {"added": palette.add, "moved": palette.change, "removed": palette.remove, "failed": palette.remove}
    for row in (row for row in report.rows if row.verdict in paints):
        lines += map(paints[row.verdict], wrapped(f"{_SIGNS[row.verdict]} {_lock_words(row)}", width, ""))
    return "\n".join([*lines, _summary(report, check=check), ""])


def _by_project(rows: Iterable[ImageRow]) -> Iterator[tuple[str, list[ImageRow]]]:
    found: dict[str, list[ImageRow]] = {}
    for row in rows:
        found.setdefault(row.project, []).append(row)
    yield from found.items()


def _image_lines(row: ImageRow, width: int, palette: Palette) -> list[str]:
    shown = {
        "written": row.written,
        "policy": row.policy,
        "resolved": short(row.resolved) or "-",
        "running": ", ".join(short(item) for item in row.running) or "-",
        "available": short(row.available) or "-",
    }
    lines = [f"  {palette.strong(row.service)} {palette.faint(row.source)}"]
    lines += [f"    {palette.faint(key.ljust(10))}{clean(value)}" for key, value in shown.items()]
    held = [f"{short(item.reference)}: {item.message}" for item in row.held]
    for label, texts in (("held back", held), ("error", [row.error] if row.error else [])):
        for text in texts:
            lines += wrapped(f"{label.ljust(10)}{clean(redact_text(text))}", width, "    ")
    return lines


def short(reference: str) -> str:
    """A reference with the first digits of its digest."""
    name, at, digest = reference.partition("@sha256:")
    return f"{name}@sha256:{digest[:_DIGITS]}" if at else reference


def _lock_words(row: PinRow) -> str:
    place = f"{row.project}/{row.service}"
    if row.verdict == "failed":
        return f"{place}: {row.reference}: {redact_text(row.message)}"
    before, after = (_pin(pin) for pin in (row.before, row.after))
    return (
        f"{place}: {' -> '.join(part for part in (before, after if row.verdict != 'removed' else 'removed') if part)}"
    )


def _pin(pin: Pin | None) -> str:
    return short(parse_reference(pin.reference).pinned(pin.digest)) if pin else ""


def _summary(report: LockReport, *, check: bool) -> str:
    if report.failed:
        return "not all could be looked up: their entries stay as they are"
    if not report.stale:
        return "reconcile.lock is up to date"
    changed = sum(1 for row in report.rows if row.verdict in {"added", "moved", "removed"})
    return f"reconcile.lock is stale: {changed} to change" if check else f"reconcile.lock: {changed} changed"
