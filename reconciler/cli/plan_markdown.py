"""The plan or report as Markdown, for CI summaries and comments on pull requests; at most 60,000 bytes."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.cli.cause_text import reason_text
from reconciler.cli.changes import PAST, Change, changes, tally
from reconciler.cli.moments import span
from reconciler.cli.phrases import (
    RETRY,
    TOLD_BY_PLAN,
    count,
    engine_text,
    in_sync_line,
    revision_text,
    targets_text,
    way_out_of_quarantine,
)
from reconciler.cli.values import clean, name_of, shorten, show
from reconciler.cli.verdicts import failures, is_held, quarantined, suspended, troubles, untold
from reconciler.model.operation import Difference
from reconciler.model.project import Notice
from reconciler.model.redaction import REDACTED
from reconciler.model.report import ProjectReport, Report
from reconciler.model.step import Condition, ServiceStatus

LIMIT = 60_000
_RESERVE = 4_000
_CAUSES = 12
_VALUE = 120
_NOTICES = 10


def render(report: Report) -> str:
    """The document, ending in a line break. Rows that do not fit are counted, never silently dropped."""
    head = [f"## reconcile {report.command}: {_headline(report)}", ""]
    head += _notices("Refused or failed", report.errors)
    head += _notices("Adopted", tuple(item for item in report.warnings if item.code == TOLD_BY_PLAN))
    head += _notices("Warnings", tuple(item for item in report.warnings if item.code != TOLD_BY_PLAN))
    budget = LIMIT - _RESERVE - _size(head)
    body: list[str] = []
    for index, project in enumerate(report.projects):
        share = (budget - _size(body)) // (len(report.projects) - index)
        section = _project(project, report.command, share)
        if _size(section) > share:
            body += [f"_{count(len(report.projects) - index, 'more project')} not shown: too long._", ""]
            break
        body += section
    return "\n".join([*head, *body]).rstrip("\n") + "\n"


def _headline(report: Report) -> str:
    if report.command == "plan":
        pending = [project.name for project in report.projects if not project.in_sync]
        words = f"changes to {_names(pending)}" if pending else "nothing to do"
    else:
        failed = [project.name for project in report.projects if not project.succeeded or quarantined(project)]
        words = f"{_names(failed)} failed" if failed else "converged"
    return f"{words}, {count(len(report.errors), 'error')}" if report.errors else words


def _names(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(_code(name) for name in names[:most]) + more


def _notices(title: str, notices: tuple[Notice, ...]) -> list[str]:
    if not notices:
        return []
    lines = [f"- {_code(item.source) + ' ' if item.source else ''}{_text(item.message)}" for item in notices[:_NOTICES]]
    if len(notices) > _NOTICES:
        lines.append(f"- … and {len(notices) - _NOTICES} more")
    return [f"**{title}**", "", *lines, ""]


def _project(project: ProjectReport, command: str, share: int) -> list[str]:
    if project.in_sync and not project.operations and not (troubles(project) or suspended(project)):
        return [_text(in_sync_line(project)), ""]
    found = changes(project)
    revision = f"\n\nat {_text(revision_text(project.revision))}" if revision_text(project.revision) else ""
    engine = f"\n\n{_text(engine_text(project.engine))}" if project.engine else ""
    fine = project.succeeded and not quarantined(project)
    opening = [f"<details{'' if fine else ' open'}>", f"<summary><b>{_text(project.name)}</b>: "]
    opening[1] += f"{_counts(found, command)}</summary>{revision}{engine}"
    closing = [*_failures(project), *_troubles(project), "</details>", ""]
    if command == "plan":
        closing = [*_rollouts(project, found), *closing]
    table = _table(found, share - _size(opening) - _size(closing))
    return [*opening, "", *table, "", *closing]


def _counts(found: tuple[Change, ...], command: str) -> str:
    done = command == "converge"
    parts = [f"{number} {PAST[verb] if done else 'to ' + verb}" for verb, number in tally(found).items()]
    return ", ".join(parts) or "no changes"


def _table(found: tuple[Change, ...], room: int) -> list[str]:
    lines = ["| | what | change | cause |", "| --- | --- | --- | --- |"]
    left = room - _size(lines) - 100
    for index, change in enumerate(found):
        row = _row(change)
        left -= _size([row])
        if left < 0:
            return [*lines, "", f"_… and {len(found) - index} of {count(len(found), 'change')} not shown: too long._"]
        lines.append(row)
    return lines if found else []


def _row(change: Change) -> str:
    kind = "" if change.resource == "container" else f"{change.resource} "
    name = f"{kind}{_code(name_of(targets_text(change.targets)))}"
    impact = f", {change.impact}" if change.impact != "none" else ""
    causes = [*map(_cause, change.causes[:_CAUSES])]
    if len(change.causes) > _CAUSES:
        causes.append(f"… and {len(change.causes) - _CAUSES} more")
    return f"| `{change.sign}` | {name} | {change.verb}{impact} | {'<br>'.join(causes)} |"


def _cause(cause: Difference) -> str:
    return " ".join(_cause_parts(cause))


def _cause_parts(cause: Difference) -> Iterator[str]:
    if cause.before is not None or cause.after is not None:
        yield f"{_code(cause.field)}: {_values(cause)}"
    if cause.reason:
        yield _text(f"({cause.reason})" if cause.after is not None else reason_text(cause))
    if cause.source:
        yield f"<sub>{_text(cause.source)}</sub>"


def _values(cause: Difference) -> str:
    if cause.before == cause.after == REDACTED:
        return f"{_code(REDACTED)} (changed, not shown)"
    return f"{_value(cause.before)} → {_value(cause.after)}"


def _value(value: object) -> str:
    return "*none*" if value is None else _code(shorten(show(value), _VALUE))


def _rollouts(project: ProjectReport, found: tuple[Change, ...]) -> list[str]:
    """How each service that rolls does so, and how long all of it takes at least."""
    rolling = {change.service for change in found if change.resource == "container" and change.verb == "replace"}
    lines = [_rollout(service) for service in project.services if service.name in rolling and service.gate]
    more = [f"- … and {len(lines) - _NOTICES} more"] if len(lines) > _NOTICES else []
    if project.expected_seconds >= 1 and project.converges:
        more.append(f"- takes at least {span(project.expected_seconds)}")
    return [*lines[:_NOTICES], *more, ""] if lines or more else []


def _rollout(service: ServiceStatus) -> str:
    reason = f" ({service.order_reason})" if service.order_reason else ""
    parts = [f"{service.order}{reason}", f"gate: {service.gate}"]
    parts += [f"protection: {service.protection}"] if service.protection else []
    return f"- **{_text(service.name)}**: {_text('; '.join(parts))}"


def _failures(project: ProjectReport) -> list[str]:
    lines = [
        f"- **{_text(item.service)}: {item.reason}{', rolled back' if item.rolled_back else ''}** {_text(item.message)}"
        for item in failures(project)[:_NOTICES]
    ]
    return [*lines, ""] if lines else []


def _troubles(project: ProjectReport) -> list[str]:
    lines = [
        f"- **{_text(item.service or project.name)}: {_reason(item)}** {_text(item.message)}{_way_out(item)}"
        + (f" <sub>{_text(item.source)}</sub>" if item.source else "")
        for item in (*untold(project, ()), *suspended(project))[:_NOTICES]
    ]
    return [*lines, ""] if lines else []


def _reason(condition: Condition) -> str:
    return f"not tried again ({condition.reason})" if is_held(condition) else condition.reason


def _way_out(condition: Condition) -> str:
    if not is_held(condition) or RETRY in condition.message:
        return ""
    return f" ({_text(way_out_of_quarantine(condition.service or ''))})"


def _code(text: str) -> str:
    safe = shorten(clean(text).replace("\n", " "), 500)
    if "`" in safe or "|" in safe or not safe.strip():
        return f"<code>{_text(safe)}</code>"
    return f"`{safe}`"


def _text(text: str) -> str:
    """Safe as running text and in a table cell: nothing from a spec or an engine acts as Markdown, HTML or mention."""
    safe = shorten(clean(text).replace("\n", " "), 500)
    return "".join(f"&#{ord(char)};" if char in _SPECIAL else char for char in safe)


_SPECIAL = frozenset("&<>|`*[@~\\")


def _size(lines: list[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)
