"""Ranges of versions as npm and Masterminds write them: `^1.2`, `~1.2.3`, `1.x`, `>=1.2 <2`, `1.2 - 1.4`, `1 || 3`.

A blank or a comma means and, `||` means or. A pre-release is in a range that names one of the same version (npm's
rule); `>=1.4-0` names all of them (as with Masterminds).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reconciler.following.versions import Order, Version, parse_version, significant

LONGEST_RANGE = 200

Numbers = tuple[int, ...]

_COMPLETE = 3
_BETWEEN = re.compile(r"[\s,]+", re.ASCII)
_HYPHEN = re.compile(r"\s+-\s+", re.ASCII)
_BOUND = re.compile(r"(~>|>=|<=|>|<|=|\^|~|)\s*([^\s,<>=^~]+)", re.ASCII)
_PARTIAL = re.compile(r"[vV]?((?:[0-9]+\.)*)(?:([0-9]+)(-.+)?|[xX*](?:\.[xX*])*)", re.ASCII)
_STRICT = ("<", ">")
_LOWEST = ("",)  # the pre-release `-0`: before all others of its version


@dataclass(frozen=True)
class Comparator:
    """What a version must be to a bound."""

    holds: Callable[[Order, Order], bool]
    bound: Order


@dataclass(frozen=True)
class Alternative:
    """Comparators that all hold; `named` are the versions of which pre-releases are meant too, None for all."""

    comparators: tuple[Comparator, ...]
    named: frozenset[Numbers] | None

    def admits(self, version: Version) -> bool:
        """Whether the version is meant, a pre-release by name."""
        known = not version.prerelease or self.named is None or significant(version.numbers) in self.named
        return known and all(one.holds(version.order, one.bound) for one in self.comparators)


@dataclass(frozen=True)
class Range:
    """The versions that one of the alternatives admits."""

    alternatives: tuple[Alternative, ...]

    def admits(self, version: Version) -> bool:
        """Whether the version is in the range; its suffix says nothing."""
        return any(one.admits(version) for one in self.alternatives)


@dataclass(frozen=True)
class _Partial:
    """A bound as written: `1.2`, `1.x` and `*` stand for all that begins so (`whole` is false)."""

    numbers: Numbers
    prerelease: tuple[int | str, ...]
    whole: bool


def parse_range(text: str, written: Version | None = None) -> Range:
    """The range; pre-releases of the same version as `written` are in it where that is one. "" is `^written`, or all.

    ValueError with what cannot be read.
    """
    if len(text) > LONGEST_RANGE:
        raise ValueError(f"the range is longer than {LONGEST_RANGE} characters")
    more = frozenset({significant(written.numbers)} if written and written.prerelease else ())
    if not text.strip():
        meant = _Partial(written.numbers, written.prerelease, whole=True) if written else _Partial((), (), whole=False)
        return Range((_alternative([("^", meant)], more),))
    return Range(tuple(_alternative(list(_bounds(part, text)), more) for part in text.split("||")))


def _alternative(bounds: list[tuple[str, _Partial]], more: frozenset[Numbers]) -> Alternative:
    comparators = tuple(one for sign, partial in bounds for one in _COMPARATORS[sign](partial))
    early = [partial for _, partial in bounds if partial.prerelease]
    named = more | {significant(partial.numbers) for partial in early}
    return Alternative(comparators, None if any(one.prerelease == _LOWEST for one in early) else named)


def _bounds(part: str, text: str) -> Iterator[tuple[str, _Partial]]:
    """The signs and bounds of one alternative, at least one."""
    ends = _HYPHEN.split(part.strip())
    if len(ends) == 2:  # noqa: PLR2004  two ends
        yield from zip((">=", "<="), (_partial(end, text) for end in ends), strict=True)
        return
    rest = part.strip()
    while True:
        found = _BOUND.match(rest)
        if found is None:
            raise ValueError(_unreadable(rest, text))
        bound = _partial(found[2], text)
        if found[1] in _STRICT and not bound.numbers:
            raise ValueError(f"nothing is {found[0]!r}, as the range {text!r} has it")
        yield found[1], bound
        rest = _BETWEEN.sub("", rest[found.end() :], count=1) if found.end() < len(rest) else ""
        if not rest:
            return


def _partial(bound: str, text: str) -> _Partial:
    found = _PARTIAL.fullmatch(bound)
    if found is None:
        raise ValueError(_unreadable(bound, text))
    numbers = tuple(int(number) for number in f"{found[1]}{found[2] or ''}".split(".") if number)
    if found[3] is None:
        return _Partial(numbers, (), whole=found[2] is not None and len(numbers) >= _COMPLETE)
    if found[3] == "-0":
        return _Partial(numbers, _LOWEST, whole=True)
    version = parse_version(bound)
    if version is None or version.suffix or not version.prerelease:
        raise ValueError(f"{found[3]!r} in the range {text!r} is no pre-release: suffixes are those of the image's tag")
    return _Partial(numbers, version.prerelease, whole=True)


def _unreadable(rest: str, text: str) -> str:
    return f"{rest or 'nothing'!r} in the range {text!r} cannot be read"


def _at(partial: _Partial) -> Order:
    return Version(partial.numbers, partial.prerelease).order


def _below(numbers: Numbers) -> Order:
    return Version(numbers, _LOWEST).order


def _next(numbers: Numbers, index: int) -> Numbers:
    return (*numbers[:index], numbers[index] + 1)


def _equal(partial: _Partial) -> Iterator[Comparator]:
    if partial.whole:
        yield Comparator(operator.eq, _at(partial))
    else:
        yield from (*_at_least(partial), *_at_most(partial))


def _at_least(partial: _Partial) -> Iterator[Comparator]:
    yield Comparator(operator.ge, _at(partial))


def _at_most(partial: _Partial) -> Iterator[Comparator]:
    if partial.whole:
        yield Comparator(operator.le, _at(partial))
    elif partial.numbers:
        yield Comparator(operator.lt, _below(_next(partial.numbers, len(partial.numbers) - 1)))


def _above(partial: _Partial) -> Iterator[Comparator]:
    if partial.whole:
        yield Comparator(operator.gt, _at(partial))
    else:
        yield Comparator(operator.ge, Version(_next(partial.numbers, len(partial.numbers) - 1)).order)


def _less(partial: _Partial) -> Iterator[Comparator]:
    yield Comparator(operator.lt, _at(partial) if partial.whole else _below(partial.numbers))


def _tilde(partial: _Partial) -> Iterator[Comparator]:
    return _within(partial, min(1, len(partial.numbers) - 1))


def _caret(partial: _Partial) -> Iterator[Comparator]:
    """Up to the next change of the first number that is not 0, or of the last one."""
    first = next((index for index, number in enumerate(partial.numbers) if number), len(partial.numbers) - 1)
    return _within(partial, first)


def _within(partial: _Partial, index: int) -> Iterator[Comparator]:
    yield from _at_least(partial)
    if partial.numbers:
        yield Comparator(operator.lt, _below(_next(partial.numbers, index)))


_COMPARATORS: dict[str, Callable[[_Partial], Iterator[Comparator]]] = {
    "": _equal,
    "=": _equal,
    ">": _above,
    ">=": _at_least,
    "<": _less,
    "<=": _at_most,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}
