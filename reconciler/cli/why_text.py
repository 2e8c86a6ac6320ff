"""`reconcile why SERVICE`: why a service is as it is, what it waits for, and how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, tzinfo

from reconciler.cli.cause_text import cause_lines
from reconciler.cli.changes import redacted
from reconciler.cli.failure_text import remains_lines
from reconciler.cli.history_text import rollout_lines
from reconciler.cli.moments import moment
from reconciler.cli.palette import PLAIN, Palette
from reconciler.cli.phrases import WIDTH, condition_lines, gate_lines, way_out_of_quarantine, wrapped
from reconciler.cli.status_text import mutation_lines
from reconciler.cli.values import name_of
from reconciler.cli.verdicts import is_held
from reconciler.model.history import Explanation
from reconciler.model.step import ServiceStatus

_SETTLED = {"Healthy", "Completed"}
_LOG_LINES = 10


def render(explanation: Explanation, *, width: int = WIDTH, palette: Palette = PLAIN, zone: tzinfo | None = UTC) -> str:
    """The explanation, most important first, ending in a line break."""
    sections = (
        list(_present(explanation, width, palette, zone)),
        list(_waiting(explanation, width, palette, zone)),
        list(_quarantine(explanation, width, palette, zone)),
        list(_conditions(explanation, width, palette)),
        list(_pending(explanation, width, palette)),
        list(_last(explanation, width, palette, zone)),
        list(_next_steps(explanation, width, palette)),
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _present(explanation: Explanation, width: int, palette: Palette, zone: tzinfo | None) -> Iterator[str]:
    status = explanation.status
    yield _headline(explanation, palette)
    yield from wrapped(status.message, width, "  ") if status.message else []
    counts = f"{status.running}/{status.desired} running, {status.healthy} healthy, {status.up_to_date} up to date"
    yield from wrapped(f"now: {counts}; {_image(status)}", width, "  ")
    stable = explanation.stable
    if stable:
        number = f"revision {stable.revision}, " if stable.revision else ""
        since = f", since {moment(stable.at, zone)}" if stable.at else ""
        yield from wrapped(f"last stable: {number}{name_of(stable.reference)}{since}", width, "  ")
    yield from mutation_lines(status, width)


def _headline(explanation: Explanation, palette: Palette) -> str:
    status = explanation.status
    settled = status.health in _SETTLED and status.sync == "Synced"
    words = f"{status.name} is {status.health}{' and ' if settled else ', '}{status.sync}"
    reason = f": {status.reason}" if status.reason else ""
    where = palette.faint(f"  (project {explanation.project})")
    paint = palette.add if settled else palette.remove if status.health == "Degraded" else palette.change
    return f"{paint(words + reason)}{where}"


def _image(status: ServiceStatus) -> str:
    return name_of(f"{status.image}@{status.digest}" if status.digest and "@" not in status.image else status.image)


def _waiting(explanation: Explanation, width: int, palette: Palette, zone: tzinfo | None) -> Iterator[str]:
    until = moment(explanation.waits_until, zone) if explanation.waits_until else ""
    waiting = explanation.status.waiting
    if not (until or waiting):
        return
    what = f"waits for {waiting}" if waiting else "looked at again"
    yield from wrapped(f"{what}{' until ' if waiting and until else ' at ' if until else ''}{until}", width, "")
    yield from gate_lines(explanation.status, width, palette)


def _quarantine(explanation: Explanation, width: int, palette: Palette, zone: tzinfo | None) -> Iterator[str]:
    failure = explanation.quarantine
    if failure is None:
        return
    since = f" since {moment(failure.at, zone)}" if failure.at else ""
    what = "rolled back and not tried again" if failure.rolled_back else "not tried again"
    yield f"{palette.remove(f'quarantined{since}')}: {what}: {failure.reason}"
    last = explanation.last
    logs = last.logs if last and last.failure and last.failure.container == failure.container else ""
    yield from wrapped(failure.message, width, "  ") if failure.message not in explanation.status.message else []
    yield from remains_lines(failure, logs, palette, width=width, indent="  ", most=_LOG_LINES)
    if not explanation.next_steps:
        yield from wrapped(way_out_of_quarantine(failure.service), width, "  ")


def _conditions(explanation: Explanation, width: int, palette: Palette) -> Iterator[str]:
    """What stalls it or keeps it as it is, unless the headline or the quarantine has said so."""
    for condition in explanation.conditions:
        if condition.message not in explanation.status.message and not is_held(condition):
            yield from condition_lines(condition, width, palette)


def _pending(explanation: Explanation, width: int, palette: Palette) -> Iterator[str]:
    last = explanation.last
    if explanation.pending and not (last and last.cause == explanation.pending):
        yield "differs from the spec:"
        yield from cause_lines(tuple(redacted(cause) for cause in explanation.pending), width, palette)


def _last(explanation: Explanation, width: int, palette: Palette, zone: tzinfo | None) -> Iterator[str]:
    record = explanation.last
    if record is None:
        yield "last change: none is recorded"
        return
    yield "last change:"
    told = explanation.quarantine is not None and record.failure == explanation.quarantine
    yield from rollout_lines(record, width, palette, zone, with_failure=not told)


def _next_steps(explanation: Explanation, width: int, palette: Palette) -> Iterator[str]:
    if explanation.next_steps:
        yield palette.strong("to go on:")
        for step in explanation.next_steps:
            yield from wrapped(step, width, "  ")
