"""Which images a build of a Dockerfile uses, and where they stand in it. Called by `bases`.

Only what the wanted stage needs counts, as in BuildKit. What an ONBUILD says is about builds on top of this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.images.dockerfile.lines import Dockerfile, Instruction, Word, read_dockerfile
from reconciler.images.dockerfile.variables import UnresolvedError, expand

_NOTHING = "scratch"
_FROM = re.compile(r"""--from=["']?(?P<image>[^"']+)""")
_MOUNT = re.compile(r"""--mount=["']?(?:[^,]*,)*?from=(?P<image>[^,"']+)""")
_SOURCES = {"COPY": _FROM, "RUN": _MOUNT}

Values = dict[str, str | None]


@dataclass(frozen=True)
class Place:
    """The characters from `start` to `end` name `image`, in which variables are replaced."""

    start: int
    end: int
    image: str


@dataclass(frozen=True)
class Mentions:
    """`syntax` is the image of the frontend, which is no part of what is built; `unknown` are words as written."""

    places: tuple[Place, ...] = ()
    syntax: Place | None = None
    unknown: tuple[str, ...] = ()


@dataclass
class _Stage:
    name: str
    base: Word
    sources: list[Word] = field(default_factory=list)


def find_images(text: str, arguments: Mapping[str, str], target: str | None, platform: str, built_on: str) -> Mentions:
    """The images that building `target` (None: the last stage) for `platform` on an engine of `built_on` uses.

    Platforms are `os/arch` or `os/arch/variant`.
    """
    parsed = read_dockerfile(text)
    values = _globals(parsed, arguments, _platform_values(platform, built_on))
    stages = _stages(parsed.instructions)
    found: list[Place] = []
    unknown: list[str] = []
    for index in sorted(_needed(stages, target, values, parsed.escape)):
        stage = stages[index]
        for word, image in (
            (stage.base, _base(stage, values, parsed.escape)),
            *((it, it.text) for it in stage.sources),
        ):
            if image is None or (word is not stage.base and "$" in image):
                unknown.append(word.text)
            elif image != _NOTHING and _stage_of(image, stages, index if word is stage.base else None) is None:
                found.append(Place(word.start, word.end, image))
    return Mentions(tuple(found), _syntax(parsed), tuple(dict.fromkeys(unknown)))


def _syntax(parsed: Dockerfile) -> Place | None:
    return Place(parsed.syntax.start, parsed.syntax.end, parsed.syntax.text) if parsed.syntax else None


def _platform_values(platform: str, built_on: str) -> Values:
    values: Values = {}
    for prefix, text in (("TARGET", platform), ("BUILD", built_on)):
        system, architecture, variant = (*text.split("/"), "", "")[:3]
        values |= {f"{prefix}PLATFORM": text, f"{prefix}OS": system}
        values |= {f"{prefix}ARCH": architecture, f"{prefix}VARIANT": variant}
    return values


def _globals(parsed: Dockerfile, arguments: Mapping[str, str], values: Values) -> Values:
    """What FROM may refer to: the arguments before the first of them, and platforms."""
    values |= {name: arguments[name] for name in values if name in arguments}
    for instruction in parsed.instructions:
        if instruction.name == "FROM":
            break
        for word in instruction.arguments if instruction.name == "ARG" else ():
            name, equals, default = word.text.partition("=")
            if name in arguments:
                values[name] = arguments[name]
            elif equals:
                values[name] = _expanded(default, values, parsed.escape)
    return values


def _stages(instructions: Sequence[Instruction]) -> list[_Stage]:
    stages: list[_Stage] = []
    for instruction in instructions:
        if instruction.name == "FROM" and instruction.arguments:
            base, *rest = instruction.arguments
            named = len(rest) > 1 and rest[0].text.upper() == "AS"
            stages.append(_Stage(rest[1].text.lower() if named else "", base))
        elif stages and instruction.name in _SOURCES:
            stages[-1].sources += _sources(instruction)
    return stages


def _sources(instruction: Instruction) -> Iterator[Word]:
    """What COPY --from and RUN --mount=from name."""
    for flag in instruction.flags:
        if match := _SOURCES[instruction.name].match(flag.text):
            yield flag.cut(*match.span("image"))


def _base(stage: _Stage, values: Values, escape: str) -> str | None:
    return _expanded(stage.base.text, values, escape) or None


def _expanded(text: str, values: Values, escape: str) -> str | None:
    try:
        return expand(text, values, escape)
    except UnresolvedError:
        return None


def _stage_of(name: str, stages: Sequence[_Stage], before: int | None) -> int | None:
    """The stage of that name; `before` a stage for FROM, where a number is no stage."""
    wanted = name.lower()
    named = [index for index, stage in enumerate(stages[:before]) if stage.name and stage.name == wanted]
    if named:
        return named[-1]
    return int(name) if before is None and name.isdecimal() and int(name) < len(stages) else None


def _needed(stages: Sequence[_Stage], target: str | None, values: Values, escape: str) -> set[int]:
    """The target and every stage that it is made of; all of them where there is no such target."""
    if not stages:
        return set()
    last = len(stages) - 1 if target is None else _stage_of(target, stages, None)
    if last is None:
        return set(range(len(stages)))
    needed: set[int] = set()
    queue = [last]
    while queue:
        index = queue.pop()
        if index in needed:
            continue
        needed.add(index)
        stage = stages[index]
        above = _stage_of(_base(stage, values, escape) or "", stages, index)
        beside = (_stage_of(word.text, stages, None) for word in stage.sources)
        queue += [found for found in (above, *beside) if found is not None]
    return needed
