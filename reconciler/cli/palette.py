"""Colours of the terminal output, and whether a stream wants them. Pass `PLAIN` for text without escape codes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True)
class Palette:
    """Wraps text in SGR codes when `enabled`; a colour is never the only carrier of a meaning."""

    enabled: bool = False

    def add(self, text: str) -> str:
        """Something comes to be."""
        return self._paint("32", text)

    def change(self, text: str) -> str:
        """Something is replaced, or deserves a look."""
        return self._paint("33", text)

    def remove(self, text: str) -> str:
        """Something goes away or failed."""
        return self._paint("31", text)

    def strong(self, text: str) -> str:
        """A heading."""
        return self._paint("1", text)

    def faint(self, text: str) -> str:
        """Detail that the eye may skip."""
        return self._paint("2", text)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.enabled and text else text


PLAIN = Palette()


def palette_for(stream: TextIO, *, no_color: bool) -> Palette:
    """Colours for a terminal, unless `--no-color`, NO_COLOR (no-color.org: set and not empty) or TERM=dumb says no."""
    unwanted = no_color or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Palette(enabled=not unwanted and stream.isatty())
