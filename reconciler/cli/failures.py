"""What went wrong, as `error: file:line: what happened` and `hint: what to do`. No traceback for what we know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from reconciler.cli.palette import Palette
from reconciler.cli.values import clean
from reconciler.errors import PolicyErrors, ReconcilerError, SettingsErrors, SpecErrors
from reconciler.model.project import Notice


def error_text(error: ReconcilerError, palette: Palette) -> str:
    """One line per error that it holds, each followed by its hint."""
    return "\n".join(line for one in _each(error) for line in _lines(one.source, one.message, one.hint, palette))


def notices(error: ReconcilerError) -> tuple[Notice, ...]:
    """The same errors as rows of a report."""
    return tuple(
        Notice(one.code, f"{one.message}{f' ({one.hint})' if one.hint else ''}", one.source or "")
        for one in _each(error)
    )


def notice_text(notice: Notice, palette: Palette) -> str:
    """A refusal or failure out of a report, one line each."""
    return "\n".join(_lines(notice.source, notice.message, None, palette))


def usage_text(error: click.ClickException, palette: Palette) -> str:
    """A mistake on the command line, with click's own guess at what was meant, and where to read more."""
    return "\n".join(_lines(None, error.format_message(), _usage_hint(error), palette))


def internal_text(error: BaseException, palette: Palette) -> str:
    """A mistake of ours in one line."""
    what = f"internal error: {type(error).__name__}: {error}".replace("\n", " ")
    return "\n".join(_lines(None, what, "please report it, with what --log-level debug prints", palette))


def _each(error: ReconcilerError) -> Iterator[ReconcilerError]:
    if isinstance(error, SpecErrors | SettingsErrors | PolicyErrors):
        for one in error.errors:
            yield from _each(one)
    else:
        yield error


def _lines(source: str | None, message: str, hint: str | None, palette: Palette) -> Iterator[str]:
    place = f"{clean(source)}: " if source else ""
    yield f"{palette.remove('error:')} {place}{clean(message)}"
    if hint:
        yield f"{palette.change('hint:')} {clean(hint)}"


def _usage_hint(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchCommand) and Path(error.command_name).exists():
        return f"to read specs from there: reconcile -f {error.command_name}"
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'reconcile'} --help lists what there is"
