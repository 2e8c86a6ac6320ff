"""`reconcile images` and `reconcile images lock` as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.app_images import ImagesReport, LockReport
from reconciler.cli.palette import PLAIN, Palette
from reconciler.cli.phrases import wrapped
from reconciler.cli.values import clean, shorten_path
from reconciler.model.desired import Held
from reconciler.model.project import Pin
from reconciler.model.redaction import redact_text
from reconciler.model.references import parse_reference
from reconciler.model.report import ImageRow
from reconciler.pinning import PinRow

_HEADINGS = ("SERVICE", "WRITTEN", "RESOLVED", "RUNNING", "AVAILABLE")
_WRITTEN = 1
_SHORTEST = 16
_GAP = 2
_WIDTH = 100
_DIGITS = 12
_SIGNS = {"kept": " ", "added": "+", "moved": "~", "removed": "-", "failed": "!"}


def render_images(report: ImagesReport, *, width: int | None = None, palette: Palette = PLAIN) -> str:
    """A table for each project, ending in a line break; beneath a service what holds back what is newer.

    `width` shortens the reference as written to fit; None never shortens.
    """
    return "\n".join(_table(name, rows, width, palette) for name, rows in _by_project(report.rows))


def render_lock(report: LockReport, *, check: bool, width: int, palette: Palette = PLAIN) -> str:
    """What became of each entry that changed, and a last line that sums it up."""
    lines: list[str] = []
    paints = {"added": palette.add, "moved": palette.change, "removed": palette.remove, "failed": palette.remove}
    for row in (row for row in report.rows if row.verdict in paints):
        lines += map(paints[row.verdict], wrapped(f"{_SIGNS[row.verdict]} {_lock_words(row)}", width, ""))
    summary = _summary(report, check=check)
    return "\n".join([*lines, *([summary] if summary else []), ""])


def _by_project(rows: Iterable[ImageRow]) -> Iterator[tuple[str, list[ImageRow]]]:
    found: dict[str, list[ImageRow]] = {}
    for row in rows:
        found.setdefault(row.project, []).append(row)
    yield from found.items()


def _table(name: str, rows: list[ImageRow], width: int | None, palette: Palette) -> str:
    cells = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADINGS))]
    total = 2 + sum(widths) + _GAP * (len(widths) - 1)
    if width and total > width:
        widths[_WRITTEN] = max(widths[_WRITTEN] - (total - width), _SHORTEST)
    lines = [palette.strong(name), "", palette.faint(_line(_HEADINGS, widths))]
    for row, texts in zip(rows, cells[1:], strict=True):
        lines.append((palette.change if row.held or row.error else str)(_line(texts, widths)))
        for text in dict.fromkeys((*(_held(row, item) for item in row.held), row.error)):
            lines += wrapped(redact_text(text), width or _WIDTH, "      ") if text else []
    return "\n".join([*lines, ""])


def _held(row: ImageRow, held: Held) -> str:
    return held.message if held.by == "signature" else f"{_within(row, held.reference)}: {held.message}"


def _cells(row: ImageRow) -> tuple[str, ...]:
    running = ", ".join(_within(row, item) for item in row.running)
    found = (row.service, row.written, _within(row, row.resolved), running, _within(row, row.available))
    return tuple(clean(cell) or "-" for cell in found)


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [shorten_path(cell, widths[column]).ljust(widths[column]) for column, cell in enumerate(row)]
    return ("  " + (" " * _GAP).join(cells)).rstrip()


def _within(row: ImageRow, reference: str) -> str:
    """The reference as the row shows it: tag and first digits of the digest, in the repository that is written."""
    shown = short(reference)
    return shown.removeprefix(f"{parse_reference(row.written).repository}:")


def short(reference: str) -> str:
    """A reference with the first digits of its digest; of an image that has but an id, those of that."""
    if reference.startswith("sha256:"):
        return reference.removeprefix("sha256:")[:_DIGITS]
    name, at, digest = reference.partition("@sha256:")
    return f"{name}@{digest[:_DIGITS]}" if at else reference


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
        return "" if report.errors else "reconcile.lock is up to date"
    changed = sum(1 for row in report.rows if row.verdict in {"added", "moved", "removed"})
    return f"reconcile.lock is stale: {changed} to change" if check else f"reconcile.lock: {changed} changed"
