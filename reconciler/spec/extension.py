"""Grammar of a service's `x-reconcile`: rollout, image and mutation. For `canonical`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconciler.following.patterns import parse_pattern
from reconciler.following.ranges import parse_range
from reconciler.following.windows import check_window
from reconciler.spec import forms
from reconciler.spec.forms import Rule, Spot, from_plain, listing, need_text, section
from reconciler.spec.nodes import MalformedError, shown
from reconciler.spec.policies import check_drain_signal
from reconciler.spec.volumes import clean

_RANGE_HINT = "write it as ^1.2, ~1.2.3, 1.x, >=1.2 <2, 1.2 - 1.4 or 1.x || 3.x"
_PATTERN_HINT = "it is Python's; in a Compose file each $ of it is written $$"
_WINDOW_HINT = "minute, hour, day, month, day of the week, such as * 2-4 * * 1-5"


def service_rules(command: Rule, paths: Rule) -> Rule:
    """`services.*.x-reconcile`; commands and lists of files as the caller reads them."""
    drain = section(
        {
            "command": command,
            "delay": forms.duration,
            "path": _request_path,
            "port": forms.whole,
            "signal": check_drain_signal,
        }
    )
    waits = dict.fromkeys(("min_running", "progress_deadline", "settle"), forms.duration)
    return section(
        {
            "image": section({**_IMAGE, "verify": section({"keys": paths})}),
            "rollout": section({**waits, "drain": _method_or(drain)}),
            "mutation": section({"allow": lambda value, spot: listing(_absolute)(forms.text_list(value, spot), spot)}),
        }
    )


def _method_or(drain: Rule) -> Rule:
    """`drain: METHOD` is short for `drain: {method: METHOD}`."""
    return lambda value, spot: drain(from_plain({"method": value}, spot) if isinstance(value, str) else value, spot)


def _absolute(value: Any, _: Spot) -> str:
    if not need_text(value).startswith("/"):
        raise MalformedError(f"{shown(value)} is not an absolute path", f"write /{shown(value)[1:-1]}")
    return clean(value)


def _request_path(value: Any, _: Spot) -> str:
    if not need_text(value).startswith("/"):
        raise MalformedError(f"{shown(value)} does not begin with /")
    return str(value)


def _read_by(parse: Callable[[str], object], hint: str) -> Rule:
    """A rule for a text that `parse` can read, as it is; an empty one says nothing."""

    def check(value: Any, _: Spot) -> str:
        text = need_text(value)
        try:
            if text:
                parse(text)
        except ValueError as error:
            raise MalformedError(str(error), hint) from None
        return text

    return check


_IMAGE: dict[str, Rule] = {
    "range": _read_by(parse_range, _RANGE_HINT),
    **dict.fromkeys(("filter", "extract"), _read_by(parse_pattern, _PATTERN_HINT)),
    "cooldown": forms.duration,
    "window": _read_by(check_window, _WINDOW_HINT),
}
