"""The version that an image's tag names, and how two of them compare.

The numbers count as in SemVer, however many there are. What follows them is a pre-release where it begins with a word
that is known to mean one; everything else is a suffix, which says what the image is made for and not how new it is
(`-alpine`, `-1`): only tags with the same suffix can replace each other, as in Renovate's Docker versioning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Order = tuple[tuple[int, ...], tuple[int | str, ...]]

LONGEST_TAG = 128  # OCI distribution spec, "Pulling manifests"

_TAG = re.compile(rf"[a-zA-Z0-9_][a-zA-Z0-9._-]{{0,{LONGEST_TAG - 1}}}", re.ASCII)
_NUMBERS = re.compile(r"[vV]?([0-9]+(?:\.[0-9]+)*)(.*)", re.ASCII | re.DOTALL)
_PRERELEASE = re.compile(
    r"(?:[._-]?(alpha|beta|rc|preview|pre|dev|milestone|snapshot|nightly|canary)((?:[.-]?[0-9]+(?:[.-][0-9]+)*)?)"
    r"|(a|b)([0-9]+)|[._-]?(m)([.-]?[0-9]+(?:[.-][0-9]+)*))(?=$|[._+-])",
    re.ASCII | re.IGNORECASE,
)
_DIGITS = re.compile("[0-9]+", re.ASCII)
_COMMIT = re.compile("(?=.*[a-f])[0-9a-f]{7,40}", re.ASCII)
_ATTACHED = re.compile(r"sha256-[0-9a-f]{64}(\..*)?", re.ASCII)
_RELEASE: tuple[int | str, ...] = (1,)


@dataclass(frozen=True)
class Version:
    """A version: `numbers` as written, leading zeros aside; `prerelease` as its word and numbers, () for a release.

    `suffix` is what follows them, such as `-alpine3.18`.
    """

    numbers: tuple[int, ...]
    prerelease: tuple[int | str, ...] = ()
    suffix: str = ""

    @property
    def order(self) -> Order:
        """What versions are compared by (SemVer 2.0.0, 11): missing numbers are zeros, and suffixes say nothing."""
        return significant(self.numbers), (0, *self.prerelease) if self.prerelease else _RELEASE


def parse_version(text: str) -> Version | None:
    """The version that a text names: `v1.2.3`, `1.2-alpine`, `1.2.3-rc.1`, `3.13.0b2`; None where it names none.

    Numbers of a single pre-release count wherever they stand: `rc1`, `rc.1` and `rc-1` are one. An abbreviated commit
    that happens to begin with a digit is no version.
    """
    found = _NUMBERS.fullmatch(text)
    if found is None or len(text) > LONGEST_TAG or _COMMIT.fullmatch(text):
        return None
    numbers = tuple(map(int, found[1].split(".")))
    early = _PRERELEASE.match(found[2])
    if early is None:
        return Version(numbers, suffix=found[2])
    word, counts = (part for part in early.groups() if part is not None)
    prerelease = (word.lower(), *map(int, _DIGITS.findall(counts)))
    return Version(numbers, prerelease, found[2][early.end() :])


def significant(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers without zeros at their end: 1.4 and 1.4.0 are the same version."""
    end = len(numbers)
    while end and not numbers[end - 1]:
        end -= 1
    return numbers[:end]


def is_tag(text: str) -> bool:
    """Whether it can be an image's tag (OCI distribution spec), and not one that registries keep signatures under."""
    return bool(_TAG.fullmatch(text)) and not _ATTACHED.fullmatch(text)
