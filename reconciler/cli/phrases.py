"""Small pieces of wording that every text rendering shares: counts, wrapped messages, conditions, warnings, engines."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from reconciler.cli.palette import Palette
from reconciler.cli.values import clean, shorten
from reconciler.cli.verdicts import is_held
from reconciler.model.observed import EngineInfo
from reconciler.model.project import Notice
from reconciler.model.report import ProjectReport
from reconciler.model.revision import Revision
from reconciler.model.step import Condition, ServiceStatus

WIDTH = 100
RETRY = "reconcile retry"
TOLD_BY_PLAN = "Adopted"
_NAMED = 4
_SUBJECT = 72


def count(number: int, noun: str) -> str:
    """`1 replica`, `2 replicas`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def seconds(value: float) -> str:
    """A duration for people: `0.1 s`, `42.0 s`, `3 min 5 s`."""
    if value < 60:  # noqa: PLR2004 - seconds in a minute
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def wrapped(message: str, width: int, indent: str) -> list[str]:
    """The message, made safe, in lines of at most `width`, every line indented; its own line breaks are kept."""
    wrapper = textwrap.TextWrapper(width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    return [line for part in clean(message).split("\n") for line in wrapper.wrap(part) or [""]]


def engine_text(engine: EngineInfo | None) -> str:
    """`on HOST (engine 28.3.0, API 1.51)`, or nothing where no engine was asked."""
    if engine is None:
        return ""
    version = "" if engine.version == engine.name else f"engine {engine.version}, "
    return f"on {clean(engine.name)} ({version}API {engine.api})"


def targets_text(targets: tuple[str, ...]) -> str:
    """`web/1, web/2, web/3`; from five on `web/1 to web/9 (9)`, or the first few and a number where there are gaps."""
    if len(targets) <= _NAMED:
        return ", ".join(targets)
    first, last = targets[0], targets[-1]
    if _number(last) - _number(first) == len(targets) - 1:
        return f"{first} to {last} ({len(targets)})"
    return f"{', '.join(targets[: _NAMED - 1])} and {len(targets) - _NAMED + 1} more"


def in_sync_line(project: ProjectReport) -> str:
    """A project without changes in one line: `shop: in sync, nothing to do (4 services, 6 replicas)`."""
    replicas = count(sum(service.desired for service in project.services), "replica")
    return f"{project.name}: in sync, nothing to do ({count(len(project.services), 'service')}, {replicas})."


def revision_text(revision: Revision | None) -> str:
    """`1a2b3c4d5e main "subject" (author)`, or nothing where there is no commit."""
    if revision is None or not revision.commit:
        return ""
    subject = f'"{shorten(clean(revision.subject), _SUBJECT)}"' if revision.subject else ""
    author = f"({clean(revision.author)})" if revision.author else ""
    return " ".join(part for part in (revision.short, clean(revision.ref), subject, author) if part)


def revision_lines(project: ProjectReport, width: int, palette: Palette) -> list[str]:
    """`shop at 1a2b3c4d5e main "subject" (author)`; no line where there is no commit."""
    text = revision_text(project.revision)
    return [palette.faint(line) for line in wrapped(f"{project.name} at {text}", width, "")] if text else []


def condition_lines(condition: Condition, width: int, palette: Palette) -> list[str]:
    """`! web: PortInUse  file:line` and the message beneath; `~` for what only informs."""
    held = is_held(condition)
    reason = f"not tried again ({condition.reason})" if held else condition.reason
    subject = f"{condition.service}: {reason}" if condition.service else reason
    where = palette.faint(f"  {clean(condition.source)}") if condition.source else ""
    way_out = wrapped(way_out_of_quarantine(condition.service or ""), width, "      ") if held else []
    if RETRY in condition.message:
        way_out = []
    head = palette.remove(f"! {subject}") if condition.stalls else palette.change(f"~ {subject}")
    return [f"  {head}{where}", *wrapped(condition.message, width, "      "), *way_out]


def way_out_of_quarantine(service: str) -> str:
    """How a person goes on with a definition that is not tried again."""
    return f"to go on: correct the spec or the image; {RETRY} {service} tries the same again"


def gate_lines(service: ServiceStatus, width: int, palette: Palette) -> list[str]:
    """What a replica must pass while the service rolls, and what keeps requests from being lost meanwhile."""
    gate = f"gate: {service.gate}" if service.gate else ""
    protection = f"protection: {service.protection}" if service.protection else ""
    return [palette.faint(line) for text in (gate, protection) if text for line in wrapped(text, width, "      ")]


def warning_lines(warnings: Iterable[Notice], width: int, palette: Palette) -> list[str]:
    """`warning: file:line: message`, one after the other."""
    lines: list[str] = []
    for warning in (item for item in warnings if item.code != TOLD_BY_PLAN):
        place = f"{warning.source}: " if warning.source else ""
        head, *rest = wrapped(f"{place}{warning.message}", width - 9, "")
        lines += [f"{palette.change('warning:')} {head}", *(f"         {line}" for line in rest)]
    return lines


def _number(target: str) -> int:
    digits = target.rpartition("/")[2]
    return int(digits) if digits.isdecimal() else -1
