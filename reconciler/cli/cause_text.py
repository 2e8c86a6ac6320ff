"""The causes of a change as aligned lines: field, before, after, file:line. Part of `plan_text`."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.cli.palette import Palette
from reconciler.cli.phrases import wrapped
from reconciler.cli.values import ARROW, arrow, clean, shorten, shorten_path, show
from reconciler.model.operation import Difference

_INDENT = " " * 6
_FIELD = 30
_SOURCE = 36


def sole_reason(causes: tuple[Difference, ...]) -> Difference | None:
    """The one cause that its reason says fully, so that it needs no lines of its own; None otherwise."""
    sole = causes[0] if len(causes) == 1 else None
    if sole is None or (_has_values(sole) and not sole.reason):
        return None
    return sole if sole.before is None or sole.after is None else None


def reason_text(cause: Difference) -> str:
    """A words-only cause on one line."""
    return clean(cause.reason or cause.field).replace("\n", " ")


def cause_sentence(cause: Difference) -> str:
    """The whole cause on one line, for logs: `image: a -> b (reason) at file:line`."""
    values = f"{cause.field}: {show(cause.before)} {ARROW}{show(cause.after)}" if _has_values(cause) else ""
    reason = (f" ({clean(cause.reason)})" if values else clean(cause.reason or cause.field)) if cause.reason else ""
    return f"{values}{reason}{f' at {clean(cause.source)}' if cause.source else ''}"


def place(cause: Difference) -> str:
    """The cause's `file:line`, short enough to stand at a line's end."""
    return shorten_path(clean(cause.source), _SOURCE)


def cause_lines(causes: tuple[Difference, ...], width: int, palette: Palette) -> Iterator[str]:
    """Every cause in columns that line up within the block."""
    fields = min(max((len(cause.field) for cause in causes if _has_values(cause)), default=0), _FIELD)
    sources = max((len(place(cause)) for cause in causes), default=0)
    room = width - len(_INDENT) - fields - sources - 4
    bodies = [_body(cause, fields, room) for cause in causes]
    column = max(len(body[0]) for body in bodies) if bodies else 0
    for cause, body in zip(causes, bodies, strict=True):
        yield _with_place(body[0], column, cause, palette)
        yield from (f"{_INDENT}{line}" for line in body[1:])


def _body(cause: Difference, fields: int, room: int) -> list[str]:
    if not _has_values(cause):
        return [shorten(reason_text(cause), room + fields + 2)]
    first, *rest = arrow(cause.before, cause.after, room)
    reason = f" ({reason_text(cause)})" if cause.reason else ""
    if reason and (rest or len(first) + len(reason) > room):
        rest, reason = [*rest, *wrapped(cause.reason, room, "")], ""
    field = shorten(clean(cause.field), _FIELD).ljust(fields)
    return [f"{field}  {first}{reason}", *(f"{' ' * fields}  {line}" for line in rest)]


def _with_place(text: str, column: int, cause: Difference, palette: Palette) -> str:
    source = place(cause)
    return f"{_INDENT}{text.ljust(column)}  {palette.faint(source)}" if source else f"{_INDENT}{text}"


def _has_values(cause: Difference) -> bool:
    return cause.before is not None or cause.after is not None
