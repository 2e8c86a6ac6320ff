"""Which object a ref means now: what `ls-remote` says, and the choice among it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.errors import SourceError
from reconciler.following.ranges import Range, parse_range
from reconciler.following.versions import Order, Version, parse_version
from reconciler.model.settings import GitRef

OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BAD_NAME = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|^[./]|[./]$|^$|^@$")
_PEELED = "^{}"
_FOLDERS = {"branch": "refs/heads/", "tag": "refs/tags/", "semver": "refs/tags/"}


@dataclass(frozen=True)
class Target:
    """What is to be followed to: an object (a commit, or the annotated tag `ref` of one), and what it was found by.

    `listed` says that the repository itself named the object.
    """

    object: str
    ref: str
    tag: bool = False
    listed: bool = True


def checked(ref: GitRef, place: str) -> GitRef:
    """The ref, where it can be one (git-check-ref-format, or a range of versions). SourceError otherwise."""
    if ref.kind == "commit" and not OBJECT.fullmatch(ref.value):
        raise _invalid(f"{ref.value!r} is no commit", place, "write all of its 40 (or 64) digits, in small letters")
    if ref.kind in ("branch", "tag") and _BAD_NAME.search(ref.value):
        raise _invalid(f"{ref.value!r} cannot be the name of a {ref.kind}", place, "write it as git branch or tag does")
    if ref.kind == "semver":
        _range(ref, place)
    return ref


def asked_for(ref: GitRef) -> tuple[str, ...]:
    """What `ls-remote` is asked for so that `chosen` finds all it needs."""
    if ref.kind == "branch":
        return ("--heads", _FOLDERS["branch"] + ref.value)
    name = "refs/tags/*" if ref.kind == "semver" else _FOLDERS["tag"] + ref.value
    return ("--tags", name, name + _PEELED)


def parsed(listing: bytes) -> dict[str, str]:
    """The objects by the names of their refs, as `ls-remote` printed them."""
    lines = (line.partition("\t") for line in listing.decode("utf-8", "replace").splitlines())
    return {name: found for found, _, name in lines if OBJECT.fullmatch(found)}


def chosen(ref: GitRef, refs: Mapping[str, str], place: str) -> Target:
    """What the ref means among these. SourceError (SourceInvalid) where it means nothing there."""
    if ref.kind == "semver":
        name = newest((name.removeprefix("refs/tags/") for name in refs if _is_tag(name)), _range(ref, place))
        if name is None:
            raise _invalid(f"no tag is in the range {ref.value!r}", place, "look at the repository's tags, or widen it")
    else:
        name = ref.value
    full = _FOLDERS[ref.kind] + name
    if full not in refs:
        raise _invalid(f"the repository has no {ref.kind} {name!r}", place, "it was removed or renamed, or is mistyped")
    return Target(refs[full], name, ref.kind != "branch")


def newest(tags: Iterable[str], admitted: Range) -> str | None:
    """The tag with the newest version in the range; what is built from one version alike counts by its longest name."""
    found = [
        (_rank(version, tag), tag) for tag in tags if (version := parse_version(tag)) and _counts(version, admitted)
    ]
    return max(found)[1] if found else None


def _counts(version: Version, admitted: Range) -> bool:
    return (not version.suffix or version.suffix.startswith("+")) and admitted.admits(version)


def _rank(version: Version, tag: str) -> tuple[Order, int, str]:
    return version.order, len(version.numbers), tag


def _is_tag(name: str) -> bool:
    return name.startswith("refs/tags/") and not name.endswith(_PEELED)


def _range(ref: GitRef, place: str) -> Range:
    try:
        return parse_range(ref.value)
    except ValueError as error:
        raise _invalid(str(error), place, "write a range such as ^1.2, ~1.2.3 or '>=1.2 <2'") from None


def _invalid(message: str, place: str, hint: str) -> SourceError:
    return SourceError(message, reason="SourceInvalid", source=place, hint=hint)
