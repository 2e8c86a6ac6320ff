"""`reconcile down` and `reconcile volumes` for people: what goes, how large it is, when it was used last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import tzinfo

from reconciler.app_removal import Downed
from reconciler.cli.moments import moment
from reconciler.cli.palette import PLAIN, Palette
from reconciler.cli.phrases import WIDTH, count, warning_lines, wrapped
from reconciler.cli.plan_text import render_project
from reconciler.cli.prune_text import size_text
from reconciler.cli.values import clean
from reconciler.model.volumes import VolumeRow

_HEADINGS = ("VOLUME", "PROJECT", "SERVICE", "SIZE", "LAST USE", "MOUNTED BY")
_SIZE = 3
_GAP = "  "


def plan(done: Downed, *, width: int = WIDTH, palette: Palette = PLAIN, zone: tzinfo | None = None) -> str:
    """What a `down` would remove, ending in a line break."""
    report = done.report
    if not report.operations and not done.volumes:
        return f"{report.name}: nothing of it is here.\n"
    lines = [*warning_lines(report.notices, width, palette), render_project(report, width=width, palette=palette)]
    return "\n".join([*lines, *_volumes_of(done, width, palette, zone)]) + "\n"


def end(done: Downed, *, width: int = WIDTH) -> str:
    """What became of the volumes, and who will not bring the project back; each line ends in a line break."""
    told = [f"{count(len(done.volumes), 'volume')} deleted."] if done.volumes else []
    told += done.left
    if done.suspended:
        way_back = f"`reconcile resume -p {done.report.name}` brings it back"
        told.append(f"{done.report.name} is suspended, as a service has it in force: {way_back}.")
    return "".join(f"{line}\n" for text in told for line in wrapped(text, width, ""))


def volumes(
    rows: Iterable[VolumeRow], *, width: int | None = None, palette: Palette = PLAIN, zone: tzinfo | None = None
) -> str:
    """A table of this instance's volumes, and how many others there are. `width` shortens nothing: names are typed."""
    found = list(rows)
    ours, others = [row for row in found if row.ours], sum(not row.ours for row in found)
    lines = _table(ours, palette, zone) if ours else ["no volume is this instance's"]
    rest = f"{count(others, 'volume')} not made by this instance: -o json lists them too" if others else ""
    return "\n".join([*lines, *(wrapped(rest, width or WIDTH, "") if rest else []), ""])


def going(rows: Iterable[VolumeRow], *, palette: Palette = PLAIN, zone: tzinfo | None = None) -> str:
    """The volumes about to go, ending in a line break."""
    return "".join(f"{palette.remove(f'  - {_facts(row, zone)}')}\n" for row in rows)


def removed(rows: tuple[VolumeRow, ...]) -> str:
    """That they are gone, ending in a line break."""
    size = sum(row.size or 0 for row in rows)
    return f"{count(len(rows), 'volume')} deleted: {size_text(size)}.\n"


def _volumes_of(done: Downed, width: int, palette: Palette, zone: tzinfo | None) -> Iterator[str]:
    if done.volumes:
        yield palette.strong(f"{count(len(done.volumes), 'volume')} to delete, with all that is in them:")
        yield from going(done.volumes, palette=palette, zone=zone).splitlines()
    for words in done.left:
        yield from wrapped(words, width, "  ")


def _facts(row: VolumeRow, zone: tzinfo | None) -> str:
    owner = "/".join(part for part in (row.project, ", ".join(row.services)) if part)
    return f"{row.name}  {_size(row)}, {owner}, last used: {_last_use(row, zone)}"


def _table(rows: list[VolumeRow], palette: Palette, zone: tzinfo | None) -> list[str]:
    cells = [_HEADINGS, *(_cells(row, zone) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADINGS))]
    lines = [_line(row, widths) for row in cells]
    return [palette.faint(lines[0]), *lines[1:]]


def _cells(row: VolumeRow, zone: tzinfo | None) -> tuple[str, ...]:
    services, users = ", ".join(row.services) or "-", ", ".join(row.used_by) or "-"
    return (row.name, row.project, clean(services), _size(row), _last_use(row, zone), clean(users))


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    padded = (
        text.rjust(size) if column == _SIZE else text.ljust(size)
        for column, (text, size) in enumerate(zip(row, widths, strict=True))
    )
    return _GAP.join(padded).rstrip()


def _size(row: VolumeRow) -> str:
    return "unknown" if row.size is None else size_text(row.size)


def _last_use(row: VolumeRow, zone: tzinfo | None) -> str:
    if row.in_use:
        return "now"
    return moment(row.last_used, zone) if row.last_used else "unknown"
