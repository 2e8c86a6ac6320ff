"""Regular expressions of users (`filter`, `extract`): Python's, searched for in tags of at most 128 characters."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

from reconciler.following.backtracking import check_ways

LONGEST_PATTERN = 200
VERSION_GROUP = "version"


@lru_cache(maxsize=256)
def parse_pattern(text: str) -> re.Pattern[str]:
    """The expression. ValueError where it is none, with the place counted from 1, or where it could run for ever."""
    if len(text) > LONGEST_PATTERN:
        raise ValueError(f"the regular expression is longer than {LONGEST_PATTERN} characters")
    pattern = _compiled(text)
    check_ways(text)
    return pattern


def _compiled(text: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            return re.compile(text, re.ASCII)
    except re.error as error:
        place = "" if error.pos is None else f" at character {error.pos + 1}"
        raise ValueError(f"{text!r} is not a regular expression: {error.msg}{place}") from None
    except FutureWarning as warning:
        raise ValueError(f"{text!r} will not always mean what it means now: {warning}") from None
    except (OverflowError, RecursionError):
        raise ValueError(f"{text!r} is too large for a regular expression") from None


def extracted(pattern: re.Pattern[str], tag: str) -> str | None:
    """What the expression finds in the tag: its group `version`, else its first group, else all that it matches.

    None where it finds nothing, or the group is no part of what it finds.
    """
    found = pattern.search(tag)
    if found is None:
        return None
    group = VERSION_GROUP if VERSION_GROUP in pattern.groupindex else min(1, pattern.groups)
    text: str | None = found[group]
    return text
