"""What `policy.rules` of the settings say about a rule: whether it holds, and its parameter."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

from reconciler.policy.containers import limit_names
from reconciler.policy.host_paths import clean
from reconciler.policy.rule import Rule, Takes

_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)
_LAST_PORT = 65535
_KEY = re.compile("sha256:[0-9a-f]{64}")


def parameter(rule: Rule, value: Any) -> Any:
    """False where the rule is off, else what its checks take: True, a tuple, or a number.

    `true` is what the level `standard` has, else `strict`. ValueError says what to write.
    """
    if value is False:
        return False
    if value is True:
        return _switched_on(rule)
    if rule.takes == "nothing":
        raise ValueError(f"{rule.name} takes true or false")
    if rule.takes == "number":
        return _number(rule, value)
    if not isinstance(value, list | tuple):
        raise ValueError(f"{rule.name} takes true, false or a list: {rule.meaning}")  # noqa: TRY004 - of the settings
    return tuple(_item(rule, item) for item in value)


def _switched_on(rule: Rule) -> Any:
    defaults = [value for value in (rule.standard, rule.strict) if value is not False]
    if defaults or rule.takes in {"nothing", "keys"}:
        return defaults[0] if defaults else True
    kind = "a number" if rule.takes == "number" else "a list"
    raise ValueError(f"{rule.name} takes {kind}: {rule.meaning}")


def _number(rule: Rule, value: Any) -> int:
    if isinstance(value, int) and value > 0:
        return value
    raise ValueError(f"{rule.name} takes a number above 0: {rule.meaning}")


def _item(rule: Rule, item: Any) -> Any:
    text = str(item) if isinstance(item, int) and not isinstance(item, bool) else item
    if not isinstance(text, str) or not text:
        raise ValueError(f"{rule.name} takes a list of texts: {rule.meaning}")
    if rule.name == "limits" and text not in limit_names():
        raise ValueError(f"limits knows {', '.join(limit_names())}, not {text!r}")
    return _READERS.get(rule.takes, _plain)(text)


def _plain(text: str) -> str:
    return text


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not an absolute path")
    return clean(text)


def _ports(text: str) -> tuple[int, int]:
    match = _PORT.fullmatch(text.strip())
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 0 < first <= last <= _LAST_PORT:
        raise ValueError(f"{text!r} is no port, and no range such as 1-1023")
    return first, last


def _subnet(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(f"{text!r} is no subnet: {error}") from None


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise ValueError(f"{text!r} is no fingerprint: write sha256: and 64 hex digits")
    return text


_READERS: Mapping[Takes, Callable[[str], Any]] = {"paths": _path, "ports": _ports, "subnets": _subnet, "keys": _key}
