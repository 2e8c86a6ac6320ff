"""Whether a regular expression could try for ever: how many ways there are to find a text in the same place.

Python's matcher goes back and tries every way there is, and nothing can interrupt it. After each character that an
expression can match, this looks at those that may follow: where two of them can be the same character, there are two
ways on. If both come back to where they parted, each turn doubles the ways, without end. Otherwise the ways multiply:
by the number of those that follow, and in a repeat also by its turns. What is found is never too little: capitals
count as small letters, every repeat as one without end (but for `.{4}` and the like), and what an anchor rules out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from re import _parser  # type: ignore[attr-defined]  # what `re` itself reads expressions with; it has no public name
from typing import Any

MOST_DOUBLINGS = 24  # some hundredths of a second
_TURNS = 6  # doublings: a tag has at most 128 characters
_MOST_COPIES = 16
_DIGITS, _LETTERS, _MARKS = frozenset("0123456789"), frozenset("abcdefghijklmnopqrstuvwxyz"), frozenset("_.-")
_ALL = _DIGITS | _LETTERS | _MARKS  # what tags are made of
_WORD = _DIGITS | _LETTERS | {"_"}
_CATEGORIES = {
    "CATEGORY_DIGIT": _DIGITS,
    "CATEGORY_NOT_DIGIT": _ALL - _DIGITS,
    "CATEGORY_WORD": _WORD,
    "CATEGORY_NOT_WORD": _ALL - _WORD,
    "CATEGORY_SPACE": frozenset[str](),
    "CATEGORY_NOT_SPACE": _ALL,
}
_ENDLESS = (
    "it could be tried for ever: let each turn of a repeat begin or end with something of its own, as in "
    r"\d+(\.\d+)*"
)
_ONE_CHARACTER = ("LITERAL", "NOT_LITERAL", "ANY", "IN")
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


def check_ways(text: str) -> None:
    """ValueError for an expression (one that compiles) with more ways than can be tried in a tag of 128 characters."""
    if _doublings(_parser.parse(text)) > MOST_DOUBLINGS:
        raise ValueError("it could be tried for ever: too many parts of it can take the same characters")


def _doublings(items: Any) -> int:
    """How often the number of ways doubles. ValueError where it does so without end."""
    ways = _Ways()
    start = ways.sequence(items)
    return ways.doublings(start.first)


@dataclass(frozen=True)
class _Part:
    """A part of an expression: whether it can match nothing, and the characters that it can begin and end with."""

    empty: bool = True
    first: tuple[int, ...] = ()
    last: tuple[int, ...] = ()


@dataclass
class _Ways:
    """The characters of an expression by number: what each can be, and which may follow it, by every way of its own."""

    characters: list[frozenset[str]] = field(default_factory=list)
    after: list[list[int]] = field(default_factory=list)
    asserted: int = 0

    def sequence(self, items: Iterable[tuple[Any, Any]]) -> _Part:
        whole = _Part()
        for kind, value in items:
            part = self.item(str(kind), value)
            self.link(whole, part)
            first = whole.first + part.first if whole.empty else whole.first
            last = part.last + whole.last if part.empty else part.last
            whole = _Part(whole.empty and part.empty, first, last)
        return whole

    def link(self, before: _Part, behind: _Part) -> None:
        for one in before.last:
            self.after[one] += behind.first

    def item(self, kind: str, value: Any) -> _Part:
        if kind in _ONE_CHARACTER:
            return self.character(_meant(kind, value))
        if kind in _REPEATS:
            return self.repeat(*value)
        if kind == "BRANCH":
            return self.branch(value[1])
        if kind == "SUBPATTERN":
            return self.sequence(value[-1])
        if kind == "ATOMIC_GROUP":
            return self.sequence(value)
        if kind in ("ASSERT", "ASSERT_NOT"):
            self.asserted = max(self.asserted, _doublings(value[1]))
        elif kind not in ("AT", "FAILURE"):
            raise ValueError("it could be tried for ever: it refers back to a group")
        return _Part()

    def character(self, meant: frozenset[str]) -> _Part:
        self.characters.append(meant)
        self.after.append([])
        number = (len(self.after) - 1,)
        return _Part(empty=False, first=number, last=number)

    def repeat(self, least: int, most: int, items: Any) -> _Part:
        if least == most <= _MOST_COPIES and len(items) == 1 and str(items[0][0]) in _ONE_CHARACTER:
            return self.sequence(list(items) * most)
        part = self.sequence(items)
        if most > 1:
            if part.empty and (least > 1 or most != _parser.MAXREPEAT):
                raise ValueError(_ENDLESS)
            self.link(part, part)
        return _Part(part.empty or not least, part.first, part.last)

    def branch(self, alternatives: Any) -> _Part:
        parts = [self.sequence(one) for one in alternatives]
        if sum(part.empty for part in parts) > 1:
            raise ValueError(_ENDLESS)
        first = tuple(one for part in parts for one in part.first)
        last = tuple(one for part in parts for one in part.last)
        return _Part(any(part.empty for part in parts), first, last)

    def doublings(self, start: Iterable[int]) -> int:
        reached = [self.reached(number) for number in range(len(self.after))]
        found = self.asserted + self.alike(start).bit_length()
        for number, following in enumerate(self.after):
            back = [one for one in following if number in reached[one]]
            if self.alike(back):
                raise ValueError(_ENDLESS)
            more = self.alike(following).bit_length()
            found += more + _TURNS if more and back else more
        return found

    def alike(self, following: Iterable[int]) -> int:
        """How many ways more than one lead to the same character."""
        pairs = combinations(enumerate(self.characters[one] for one in following), 2)
        same = {number for (one, here), (other, there) in pairs if here & there for number in (one, other)}
        return max(0, len(same) - 1)

    def reached(self, start: int) -> set[int]:
        """The characters that can come after this one, itself included."""
        found, todo = {start}, [start]
        while todo:
            fresh = {*self.after[todo.pop()]} - found
            found |= fresh
            todo += fresh
        return found


def _meant(kind: str, value: Any) -> frozenset[str]:
    """The characters, in small letters, that one item may match."""
    if kind == "LITERAL":
        return _ALL & {chr(value).lower()}
    if kind == "NOT_LITERAL":
        return _ALL - ({chr(value)} - _LETTERS)
    return _class(value) if kind == "IN" else _ALL


def _class(members: Any) -> frozenset[str]:
    listed: frozenset[str] = frozenset()
    for kind, value in members:
        name = str(kind)
        if name == "RANGE":
            listed |= {chr(code).lower() for code in range(value[0], min(value[1], 127) + 1)}
        elif name == "CATEGORY":
            listed |= _CATEGORIES[str(value)]
        elif name == "LITERAL":
            listed |= {chr(value).lower()}
    negated = str(members[0][0]) == "NEGATE"
    return _ALL - (listed - _LETTERS) if negated else _ALL & listed
