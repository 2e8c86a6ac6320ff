"""`reconcile images prune` for people: what goes, how much that gives back, and what stays for which reason."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from reconciler.cli.moments import moment
from reconciler.cli.palette import PLAIN, Palette
from reconciler.cli.phrases import count, engine_text, warning_lines, wrapped
from reconciler.cli.values import name_of
from reconciler.collecting import Collected
from reconciler.images.collection import Verdict

_STEP = 1000


def render(found: Collected, *, width: int, palette: Palette = PLAIN, zone: tzinfo | None = None) -> str:
    """What goes and what stays, ending in a line break. `zone` is the time zone of times, None this machine's."""
    going = [verdict for verdict in found.verdicts if verdict.goes]
    staying = [verdict for verdict in found.verdicts if not verdict.goes]
    lines = [_head(found, len(going), palette)]
    for verdict in going:
        lines += [palette.remove(f"  - {_name(verdict)}"), *_indented(_past(verdict, zone), width)]
    if staying:
        lines += ["", f"Kept: {count(len(staying), 'image')}."]
    for verdict in staying:
        lines += [f"    {_name(verdict)}", *_indented(verdict.reason, width)]
    warnings = warning_lines(found.warnings, width, palette)
    return "\n".join([*lines, *([""] if warnings else []), *warnings, ""])


def size_text(size: int) -> str:
    """A number of bytes as the docker CLI counts them: `512 B`, `3.1 MB`, `1.2 GB`."""
    value, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while value >= _STEP and len(units) > 1:
        value, units = value / _STEP, units[1:]
    return f"{value:.1f}".removesuffix(".0") + f" {units[0]}"


def _head(found: Collected, going: int, palette: Palette) -> str:
    where = palette.faint(f" {engine_text(found.engine)}")
    if not going:
        return f"{palette.strong('Nothing to remove')}{where}."
    said = f"{'Would remove' if found.dry_run else 'Removed'} {count(going, 'image')}"
    return f"{palette.strong(said)}{where}: up to {size_text(found.size)}."


def _name(verdict: Verdict) -> str:
    return name_of(verdict.names[0])


def _past(verdict: Verdict, zone: tzinfo | None) -> str:
    users = ", ".join(f"{', '.join(entry.services)} ({project})" for project, entry in verdict.deployed)
    until = f" until {moment(verdict.last_used, zone)}" if verdict.last_used else ""
    return f"up to {size_text(verdict.size)}, used{until} by {users}"


def _indented(text: str, width: int) -> Iterable[str]:
    return wrapped(text, width, "        ")
