"""What a rule is: data about it, and one check for each kind of payload that it looks at. The rules are in `table`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from reconciler.model.project import Build

Kind = Literal["container", "endpoint", "network", "volume", "build", "image", "service", "operation"]
Takes = Literal["nothing", "names", "patterns", "paths", "ports", "subnets", "keys", "number"]


@dataclass(frozen=True)
class Finding:
    """Something that a rule does not allow: the spec's field, what is asked for in words, and which one of a list.

    `value` is what the rule's list would have to have; "" where the rule has no list. Nothing secret is in any of them.
    """

    field: str
    message: str
    value: str = ""


def _as_written(path: str) -> str:
    return path


def _bases(build: Build) -> Iterable[str]:
    return (reference for reference, _ in build.bases)


@dataclass(frozen=True)
class Ground:
    """What a check knows beside the payload and the rule's parameter.

    `roots` are folders of the engine's machine that the project may mount, absolute; `real_path` follows symbolic links
    (the path itself where that cannot be seen from here), `base_images` tells the images that a build starts from.
    `joined` are modes (`container:ID`) that join a container of the project's own, `carried` the anonymous volumes that
    a replica takes over. `job` says that the service is to complete.
    """

    project: str
    roots: tuple[str, ...] = ()
    real_path: Callable[[str], str] = _as_written
    base_images: Callable[[Build], Iterable[str]] = _bases
    joined: frozenset[str] = frozenset()
    carried: frozenset[str] = frozenset()
    job: bool = False


# The payload, the parameter. A payload is an images.Used, a Service, a Build, an operation's kind, else the raw body
# (an `endpoint` stands in that of a container).
Check = Callable[[Any, Any, Ground], Iterable[Finding]]


@dataclass(frozen=True)
class Rule:
    """One rule. `title` completes "what a spec may not have:", `why` is a sentence, `reference` of CIS or OWASP.

    `standard` and `strict` are what holds at that level: False (off), True (on), or the parameter. Nothing is denied at
    the level `open`. `meaning` says what the parameter is, where there is one.
    """

    name: str
    title: str
    why: str
    checks: Mapping[Kind, Check] = field(repr=False)
    takes: Takes = "nothing"
    meaning: str = ""
    standard: Any = False
    strict: Any = False
    reference: str = ""

    def default(self, level: str) -> Any:
        """What holds at that level."""
        return {"open": False, "standard": self.standard}.get(level, self.strict)
