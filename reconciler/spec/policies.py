"""Keys whose value is one word of a fixed set: `restart`, `pull_policy`, `pid`, `ipc`, signals; and MAC addresses.

Compose itself lets any `restart` through and leaves the engine to ignore it; here a word that means nothing is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from reconciler.spec.durations import parse_seconds
from reconciler.spec.nodes import MalformedError, shown

_RESTARTS = ("no", "always", "unless-stopped", "on-failure")
_RETRIES = re.compile(r"on-failure:[0-9]{1,9}", re.ASCII)
_PULLS = ("always", "missing", "if_not_present", "never", "build")
_JOINED = ("service:", "container:")
_MAC = re.compile(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}|[0-9a-f]{4}(\.[0-9a-f]{4}){2}", re.ASCII | re.IGNORECASE)
_SIGNALS = (
    *("SIGUSR1", "SIGUSR2", "SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGALRM", "SIGWINCH", "SIGCONT", "SIGURG"),
    *("SIGABRT", "SIGPIPE", "SIGCHLD", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGIO", "SIGPWR", "SIGTRAP", "SIGVTALRM"),
)
_FATAL = ("SIGKILL", "SIGSTOP")
_REAL_TIME = re.compile(r"SIGRT(MIN|MAX)([+-][0-9]{1,2})?", re.ASCII)
_EVERY = re.compile(r"every_([0-9]+[wdhms])+", re.ASCII)
_INTERVALS = {"daily": 86_400.0, "weekly": 604_800.0}


def check_restart(value: Any) -> Any:
    """`no`, `always`, `unless-stopped`, `on-failure` or `on-failure:N`, as it is."""
    if not isinstance(value, str) or value in ("", *_RESTARTS) or _RETRIES.fullmatch(value):
        return value
    raise _unknown(value, _RESTARTS)


def check_pull_policy(value: Any) -> Any:
    """A pull policy, with those that ask a registry on a schedule: `daily`, `every_12h` (Compose Spec).

    `if_not_present` is the old name of `missing`. ValueError for a time that is too long.
    """
    if not isinstance(value, str) or value in (*_PULLS, "refresh") or pull_interval(value) is not None:
        return "missing" if value == "if_not_present" else value
    raise _unknown(value, (*_PULLS, "daily", "weekly", "every_DURATION"))


def pull_interval(policy: str) -> float | None:
    """Seconds after which the pull policy has a registry asked again; None for one without a schedule."""
    return parse_seconds(policy.removeprefix("every_")) if _EVERY.fullmatch(policy) else _INTERVALS.get(policy)


def check_namespace(*plain: str) -> Callable[[Any, object], Any]:
    """A rule for `pid` or `ipc`: one of these words, `service:NAME` or `container:NAME`, as it is."""

    def check(value: Any, _: object) -> Any:
        if not isinstance(value, str) or value in ("", *plain) or value.startswith(_JOINED):
            return value
        raise _unknown(value, (*plain, *(f"{prefix}NAME" for prefix in _JOINED)))

    return check


def check_mac_address(value: Any, _: object) -> Any:
    """A MAC address as it is."""
    if not isinstance(value, str) or not value or _MAC.fullmatch(value):
        return value
    raise MalformedError(f"{shown(value)} is not a MAC address", "write it as 02:42:ac:11:65:43, in quotes")


def check_drain_signal(value: Any, _: object) -> Any:
    """A signal's name in capitals with its SIG, from `usr1`; those that end a process at once ask nothing of it."""
    if not isinstance(value, str):
        return value
    name = f"SIG{value.upper().removeprefix('SIG')}"
    if name in _FATAL:
        raise MalformedError(f"{shown(value)} cannot be heard by a process", "use one that it handles, such as SIGUSR1")
    if name not in _SIGNALS and not _REAL_TIME.fullmatch(name):
        raise _unknown(value, _SIGNALS)
    return name


def rollback_action(value: Any, _: object) -> Any:
    """What to do about a failed rollback, as it is: anything but another rollback."""
    if value == "rollback":
        raise MalformedError("'rollback' would be the rollback of a rollback", "use pause or continue")
    return value


def _unknown(value: str, known: tuple[str, ...]) -> MalformedError:
    near = get_close_matches(value, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"
    return MalformedError(f"{shown(value)} is not a known value", hint)
