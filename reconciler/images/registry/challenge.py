"""What a registry asks for with 401: the WWW-Authenticate header (RFC 9110, section 11.6.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the grammar's word
_SCHEME = re.compile(rf"\s*,?\s*({_TOKEN})(?=\s|,|$)(?!\s*=)")
_PARAMETER = re.compile(rf'\s*,?\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))')
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Basic:
    """A user name and a password are asked for."""


@dataclass(frozen=True)
class Bearer:
    """A token is asked for: where it is issued, for which service, and for what; the last two may be empty."""

    realm: str
    service: str
    scope: str


def parse_challenge(header: str) -> Bearer | Basic | None:
    """The first challenge that can be met, a token preferred; None where there is none."""
    offered = _challenges(header)
    for scheme, parameters in offered:
        if scheme == "bearer" and parameters.get("realm"):
            return Bearer(parameters["realm"], parameters.get("service", ""), parameters.get("scope", ""))
    return Basic() if any(scheme == "basic" for scheme, _ in offered) else None


def _challenges(header: str) -> list[tuple[str, Mapping[str, str]]]:
    found: list[tuple[str, Mapping[str, str]]] = []
    position = 0
    while match := _SCHEME.match(header, position):
        parameters: dict[str, str] = {}
        position = match.end()
        while parameter := _PARAMETER.match(header, position):
            name, quoted, plain = parameter.groups()
            parameters[name.lower()] = plain if quoted is None else _ESCAPE.sub(r"\1", quoted)
            position = parameter.end()
        found.append((match[1].lower(), parameters))
    return found
