"""Keys whose value is one word of a fixed set: `restart`, `pull_policy`, and values that come with a later version.

Compose itself lets any `restart` through and leaves the engine to ignore it; here a word that means nothing is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from reconciler.spec.nodes import MalformedError, shown

_RESTARTS = ("no", "always", "unless-stopped", "on-failure")
_RETRIES = re.compile(r"on-failure:[0-9]{1,9}", re.ASCII)
_PULLS = ("always", "missing", "if_not_present", "never", "build")
_TIMED_PULL = re.compile(r"refresh|daily|weekly|every_([0-9]+[wdhms])+", re.ASCII)


def check_restart(value: Any) -> Any:
    """`no`, `always`, `unless-stopped`, `on-failure` or `on-failure:N`, as it is."""
    if not isinstance(value, str) or value in ("", *_RESTARTS) or _RETRIES.fullmatch(value):
        return value
    raise _unknown(value, _RESTARTS)


def check_pull_policy(value: Any) -> Any:
    """A pull policy as it is; those that ask a registry on a schedule are not supported yet."""
    if not isinstance(value, str) or value in ("", *_PULLS):
        return value
    if _TIMED_PULL.fullmatch(value):
        raise MalformedError(f"{shown(value)} is not supported yet", f"use one of {', '.join(_PULLS)}")
    raise _unknown(value, _PULLS)


def not_yet(*later: str) -> Callable[[Any, object], Any]:
    """A rule that refuses by name values that belong to the key but are not supported yet."""

    def check(value: Any, _: object) -> Any:
        if value in later:
            raise MalformedError(f"{shown(value)} is not supported yet")
        return value

    return check


def _unknown(value: str, known: tuple[str, ...]) -> MalformedError:
    near = get_close_matches(value, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"
    return MalformedError(f"{shown(value)} is not a known value", hint)
