"""All keys that a spec may have, read off the models. For the documents and warnings that are made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_origin

from reconciler.spec.schema.base import Section
from reconciler.spec.schema.project import Spec
from reconciler.spec.schema.service import Service

ANY = "*"
ITEM = "[]"


@dataclass(frozen=True)
class Key:
    """One key: where it stands (`*` for a name of the user's, `[]` for an item of a list), and its section."""

    path: tuple[str, ...]
    model: type[Section]

    @property
    def name(self) -> str:
        """The key itself."""
        return self.path[-1]


@cache
def keys() -> tuple[Key, ...]:
    """Every key of a spec in long form, those not supported yet included, each section after the key that holds it.

    `include` and `extends` are among them: the models do not declare them, because they are carried out before.
    """
    return (Key(("include",), Spec), Key(("services", ANY, "extends"), Service), *_keys(Spec, ()))


def flat(annotation: Any) -> list[Any]:
    """The alternatives of a union and the type inside of Annotated."""
    arguments = get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return flat(arguments[0])
    if not arguments or get_origin(annotation) in (dict, list):
        return [annotation]
    return [inner for one in arguments for inner in flat(one)]


def is_section(annotation: Any) -> bool:
    """Whether it is a model of ours."""
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _keys(model: type[Section], path: tuple[str, ...]) -> Iterator[Key]:
    for name, annotation in model.keys().items():
        yield Key((*path, name), model)
        for inner, steps in _sections(annotation):
            yield from _keys(inner, (*path, name, *steps))
    for name in sorted(model.not_yet):
        yield Key((*path, name), model)


def _sections(annotation: Any) -> Iterator[tuple[type[Section], tuple[str, ...]]]:
    """The sections that a value holds, and the steps to them."""
    for one in flat(annotation):
        if is_section(one):
            yield one, ()
        elif get_origin(one):
            step = ITEM if get_origin(one) is list else ANY
            yield from ((model, (step, *steps)) for model, steps in _sections(get_args(one)[-1]))
