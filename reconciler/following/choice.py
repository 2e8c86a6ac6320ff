"""Which tags a service with `track: semver` may follow (`Following` says how)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from reconciler.following.patterns import extracted, parse_pattern
from reconciler.following.ranges import Range, parse_range
from reconciler.following.versions import Order, Version, is_tag, parse_version
from reconciler.model.project import Following

_Rank = tuple[bool, bool, int, bool, str]


def candidates(written: str, running: str | None, tags: Iterable[str], following: Following) -> tuple[str, ...]:
    """The tags that a service with `track: semver` may run, newest first, one for each version.

    `written` is the tag in the spec: the others have its suffix and as many numbers, and pre-releases count where it or
    the range names one. A tag in which no version is found admits every number of them, and those without a suffix.
    Nothing is older than the tag that runs, or, where none does, than the one written, unless the policy does not admit
    that: a range that was narrowed leads down. Raises ValueError for a policy that `spec` refuses.
    """
    policy = _Policy.of(written, following)
    base = written if running is None else running
    floor = policy.version(base)
    admitted = {tag: version for tag in {*tags} if (version := policy.version(tag)) is not None}
    newest: dict[Order, str] = {}
    for tag in sorted(admitted, key=_preference(written, running, admitted)):
        newest.setdefault(admitted[tag].order, tag)
    found = [newest[order] for order in sorted(newest, reverse=True)]
    return tuple(tag for tag in found if floor is None or tag == base or admitted[tag].order > floor.order)


@dataclass(frozen=True)
class _Policy:
    """What the tag that is written and `Following` say together. `like` is the version of the tag, if it has one."""

    like: Version | None
    range: Range
    passes: Callable[[str], object]
    text: Callable[[str], str | None]

    @classmethod
    def of(cls, written: str, following: Following) -> _Policy:
        pattern = parse_pattern(following.extract) if following.extract else None

        def text(tag: str) -> str | None:
            return tag if pattern is None else extracted(pattern, tag)

        like = parse_version(text(written) or "") if is_tag(written) else None
        return cls(like, parse_range(following.range, like), parse_pattern(following.filter).search, text)

    def version(self, tag: str) -> Version | None:
        """The version of a tag that is admitted, None for every other."""
        if not is_tag(tag) or not self.passes(tag):
            return None
        version = parse_version(self.text(tag) or "")
        return version if version and self._compatible(version) and self.range.admits(version) else None

    def _compatible(self, version: Version) -> bool:
        if self.like is None:
            return not version.suffix
        return version.suffix == self.like.suffix and len(version.numbers) == len(self.like.numbers)


def _preference(written: str, running: str | None, versions: Mapping[str, Version]) -> Callable[[str], _Rank]:
    """How to sort tags so that of those for one version the best comes first.

    That is the one that runs, then the one written, then the most exact one, then one with a `v` or without as written.
    """

    def rank(tag: str) -> _Rank:
        same_form = tag[:1].isdecimal() == written[:1].isdecimal()
        return tag != running, tag != written, -len(versions[tag].numbers), not same_form, tag

    return rank
