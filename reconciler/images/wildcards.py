"""Matches a path against a pattern of many wildcards in time that grows with their product, not beyond.

Called by `dockerignore` where a regular expression would try every way to share the path between the wildcards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

NAME, REST, FOLDERS = "[^/]*", ".*", "(?:.*/)?"
WILDCARDS = (NAME, REST, FOLDERS)


class Walk:
    """A pattern as its parts, each one of WILDCARDS or the expression of exactly one character."""

    def __init__(self, parts: Sequence[str]) -> None:
        self._steps = [part if part in WILDCARDS else re.compile(part, re.DOTALL) for part in parts]

    def match(self, path: str) -> bool:
        """Whether all of the path matches."""
        places = {0}
        for step in self._steps:
            places = _after(step, path, places)
            if not places:
                return False
        return len(path) in places


def _after(step: str | re.Pattern[str], path: str, places: set[int]) -> set[int]:
    """Where the path may go on after a step that begins at any of the places, of which there is at least one."""
    if isinstance(step, re.Pattern):
        return {place + 1 for place in places if step.match(path, place)}
    if step == NAME:
        return _to_slashes(path, places)
    first = min(places)
    if step == REST:
        return set(range(first, len(path) + 1))
    return places | {place + 1 for place in range(first, len(path)) if path[place] == "/"}


def _to_slashes(path: str, places: set[int]) -> set[int]:
    """The places, and all that follow them up to the next slash."""
    reached: set[int] = set()
    for place in range(min(places), len(path) + 1):
        if place in places or (place - 1 in reached and path[place - 1] != "/"):
            reached.add(place)
    return reached
