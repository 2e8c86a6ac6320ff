"""The two output streams: results to stdout, everything else to stderr. A reader that went away stops nothing."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO

from reconciler.cli.palette import Palette, palette_for
from reconciler.cli.phrases import WIDTH
from reconciler.errors import ReconcilerError

_NARROWEST = 80


def prepare() -> None:
    """Whatever the locale, no character can make printing fail."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")


def result(text: str) -> None:
    """Write to stdout exactly this text. ReconcilerError where it cannot be written, on a full disk for instance."""
    failure = _write(sys.stdout, text, 1)
    if failure:
        raise ReconcilerError(f"the result cannot be written to stdout: {failure}")


def say(text: str) -> None:
    """Write a line to stderr; there is no better place to complain where that fails."""
    _write(sys.stderr, f"{text}\n", 2)


def result_palette(*, no_color: bool) -> Palette:
    """Colours for stdout."""
    return palette_for(sys.stdout, no_color=no_color)


def message_palette(*, no_color: bool) -> Palette:
    """Colours for stderr."""
    return palette_for(sys.stderr, no_color=no_color)


def plan_width() -> int:
    """Columns for running text: the terminal's, between 80 and 100; 100 where stdout is none, for stable bytes."""
    return max(_NARROWEST, min(WIDTH, _columns())) if sys.stdout.isatty() else WIDTH


def table_width() -> int | None:
    """Columns for a table: the terminal's; None (as wide as it needs) where stdout is no terminal."""
    return max(_NARROWEST, _columns()) if sys.stdout.isatty() else None


def is_live() -> bool:
    """Whether stderr can show lines that change."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _columns() -> int:
    return shutil.get_terminal_size((WIDTH, 24)).columns


def _write(stream: TextIO, text: str, descriptor: int) -> str:
    """Why the text could not be written; empty where it was, or where its reader went away."""
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
        return "" if isinstance(error, BrokenPipeError) else error.strerror or type(error).__name__
    return ""
