"""`reconcile history`: one paragraph per rollout, the newest last, so that it stands above the prompt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, tzinfo
from types import MappingProxyType

from reconciler.cli.cause_text import cause_lines
from reconciler.cli.changes import redacted
from reconciler.cli.failure_text import remains_lines
from reconciler.cli.moments import moment, span
from reconciler.cli.palette import PLAIN, Palette
from reconciler.cli.phrases import WIDTH, count, revision_text, targets_text, wrapped
from reconciler.cli.values import clean
from reconciler.model.history import ActionRecord, ReplicaRecord, RolloutRecord
from reconciler.model.memory import Failure

Past = Iterable[tuple[str, tuple[RolloutRecord, ...]]]
_INDENT = " " * 6
_LOG_LINES = 5
_BATCHES = 4
_TRIGGERS = {
    "spec": "spec changed",
    "image": "a newer image was followed",
    "dependency": "a dependency was replaced",
    "drift": "drift",
    "rollback": "rolled back by hand",
    "retry": "retried by hand",
}
_ACTIONS = {
    "suspend": "suspended",
    "resume": "resumed",
    "sync": "sync asked for",
    "retry": "retry asked for",
    "rollback": "rollback asked for",
    "down": "taken down",
    "volume.remove": "volume deleted",
}
_UP = "up"


def render(
    past: Past,
    actions: Mapping[str, tuple[ActionRecord, ...]] = MappingProxyType({}),
    *,
    width: int = WIDTH,
    palette: Palette = PLAIN,
    zone: tzinfo | None = UTC,
) -> str:
    """All projects' rollouts, with what persons asked for between them, ending in a line break."""
    found = ((name, records, actions.get(name, ())) for name, records in past)
    return "\n".join(_project(name, records, asked, width, palette, zone) for name, records, asked in found)


def rollout_lines(
    record: RolloutRecord, width: int, palette: Palette, zone: tzinfo | None, *, with_failure: bool = True
) -> Iterator[str]:
    """One rollout: how it ended and when, what caused it, batch by batch how its replicas came up, what failed."""
    yield from _head(record, width, palette, zone)
    if record.message and not (record.failure and record.message in record.failure.message):
        yield from wrapped(record.message, width, _INDENT)
    yield from cause_lines(tuple(redacted(cause) for cause in record.cause), width, palette)
    yield from (palette.faint(line) for line in wrapped(_way(record), width, _INDENT))
    yield from _batches(record, width, palette)
    yield from _notes(record, width, palette, zone)
    if record.failure and with_failure:
        yield from _failure(record, record.failure, width, palette)


def _notes(record: RolloutRecord, width: int, palette: Palette, zone: tzinfo | None) -> Iterator[str]:
    times = ", ".join(moment(time, zone) for time in record.taken_up)
    taken_up = (f"interrupted, and taken up again at {times}",) if times else ()
    for note in (*taken_up, *record.notes):
        yield from (palette.change(line) for line in wrapped(note, width, _INDENT))


def _failure(record: RolloutRecord, failure: Failure, width: int, palette: Palette) -> Iterator[str]:
    head, *rest = wrapped(f"{failure.reason}: {failure.message}", width - len(_INDENT) - 2, "")
    yield f"{_INDENT}{palette.remove(f'! {head}')}"
    yield from (f"{_INDENT}  {line}" for line in rest)
    yield from remains_lines(failure, record.logs, palette, width=width, indent=f"{_INDENT}  ", most=_LOG_LINES)


def _project(
    name: str,
    records: tuple[RolloutRecord, ...],
    actions: tuple[ActionRecord, ...],
    width: int,
    palette: Palette,
    zone: tzinfo | None,
) -> str:
    if not (records or actions):
        return f"{name}: no rollout is recorded\n"
    rollouts = sorted(records, key=lambda record: record.number)
    parts = [(record.began_at, list(rollout_lines(record, width, palette, zone))) for record in rollouts]
    parts += [(action.at, list(_action(action, width, palette, zone))) for action in actions]
    lines = [palette.strong(name)]
    for _, paragraph in sorted(parts, key=lambda part: part[0]):
        lines += ["", *paragraph]
    return "\n".join([*lines, ""])


def _action(action: ActionRecord, width: int, palette: Palette, zone: tzinfo | None) -> Iterator[str]:
    """What a person asked for, in a line, and its detail beneath."""
    subject = f" {action.service}" if action.service else ""
    facts = "  ".join(part for part in (moment(action.at, zone), f"by {action.by}" if action.by else "") if part)
    yield f"  {palette.change(f'* {_ACTIONS[action.action]}{subject}')}  {palette.faint(clean(facts))}"
    yield from wrapped(action.detail, width, _INDENT) if action.detail else []


def _head(record: RolloutRecord, width: int, palette: Palette, zone: tzinfo | None) -> Iterator[str]:
    facts = [moment(record.began_at, zone), _TRIGGERS.get(record.trigger, record.trigger)]
    facts += [f"revision {record.revision}"] if record.revision else []
    title, rest = f"#{record.number} {record.service}  {_verdict(record)}", "  ".join(facts)
    fits = len(title) + len(rest) + 6 <= width
    yield f"  {_paint(record, palette, title)}{f'  {palette.faint(rest)}' if fits else ''}"
    if not fits:
        yield f"{_INDENT}{palette.faint(rest)}"
    if commit := revision_text(record.source_revision):
        yield from (palette.faint(line) for line in wrapped(f"commit {commit}", width, _INDENT))


def _verdict(record: RolloutRecord) -> str:
    if record.verdict == "running":
        return "still running"
    took = span(max(record.ended_at - record.began_at, 0.0)) if record.ended_at else ""
    word = "in" if record.verdict == "completed" else "after"
    return f"{record.verdict} {word} {took}" if took else record.verdict


def _paint(record: RolloutRecord, palette: Palette, title: str) -> str:
    as_asked = record.trigger == "rollback" and record.verdict == "rolled back" and not record.failure
    if record.verdict == "completed" or as_asked:
        return palette.add(f"+ {title}")
    if record.verdict in {"running", "interrupted"}:
        return palette.change(f"~ {title}")
    return palette.remove(f"! {title}")


def _way(record: RolloutRecord) -> str:
    gates = dict.fromkeys(replica.gate for batch in record.batches for replica in batch if replica.gate)
    parts = [record.order, f"gate: {', '.join(gates)}" if gates else ""]
    return "; ".join(part for part in parts if part)


def _batches(record: RolloutRecord, width: int, palette: Palette) -> Iterator[str]:
    """A line per batch; of many that went well, the first ones and how many more."""
    fine = 0
    for number, batch in enumerate(record.batches, 1):
        good = [replica for replica in batch if replica.verdict == _UP]
        fine += len(good) == len(batch)
        if len(good) == len(batch) and fine > _BATCHES:
            continue
        label = f"{number}. "
        for text in _batch_texts(record, good, [replica for replica in batch if replica.verdict != _UP]):
            head, *rest = wrapped(text, width - len(_INDENT) - len(label), "")
            yield f"{_INDENT}{label}{head}"
            yield from (f"{_INDENT}{' ' * len(label)}{line}" for line in rest)
            label = " " * len(label)
    if fine > _BATCHES:
        noun = "batch" if fine - _BATCHES == 1 else "batches"
        yield palette.faint(f"{_INDENT}   and {fine - _BATCHES} more {noun}, all {_all_up(record)}")


def _all_up(record: RolloutRecord) -> str:
    up = sum(1 for batch in record.batches for replica in batch if replica.verdict == _UP)
    return f"up ({count(up, 'replica')} in total)"


def _batch_texts(record: RolloutRecord, good: list[ReplicaRecord], bad: list[ReplicaRecord]) -> Iterator[str]:
    if good:
        names = targets_text(tuple(f"{record.service}/{replica.slot}" for replica in good))
        yield f"{names} {_times(record, good)}"
    for replica in bad:
        name = f"{record.service}/{replica.slot}"
        yield f"{name} {replica.verdict.removeprefix(f'{name}: ').removeprefix(f'{name} ') or 'not up'}"


def _times(record: RolloutRecord, good: list[ReplicaRecord]) -> str:
    up = max(replica.up_at for replica in good)
    stopped = max(replica.old_stopped_at for replica in good)
    parts = [f"up after {span(max(up - record.began_at, 0.0))}" if up else _UP]
    parts += [f"old stopped after {span(max(stopped - record.began_at, 0.0))}"] if stopped else []
    return ", ".join(parts)
