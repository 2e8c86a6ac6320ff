"""Validates a document in long form against the models, and says in the words of a spec what is wrong and where."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import ValidationError

from reconciler.errors import SpecError
from reconciler.spec.nodes import MAX_ERRORS, NOWHERE, Items, Mark, Path, Table, kind_of, path_text, shown, source_text
from reconciler.spec.scalars import number_text
from reconciler.spec.schema.base import Section
from reconciler.spec.schema.project import Spec
from reconciler.spec.schema.support import NOT_YET, Support, support_of
from reconciler.spec.schema.tree import flat, is_section

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_KINDS = {
    "string_type": "a string",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "list_type": "a list",
}
MISSING = "is required"
_LONGEST_KEY = 60
_CONTAINER_NAME_HINT = "two or more of a-z A-Z 0-9 _ . -, beginning with a letter or digit"


def check_document(document: Table) -> list[SpecError]:
    """The errors of the document's shape (the first 100), in file order; [] where it is valid."""
    try:
        Spec.model_validate(document)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=True)
        found = [_translate(document, one) for one in details[:MAX_ERRORS]]
        return [error for _, error in sorted(found, key=lambda pair: pair[0])]
    return []


def model_at(path: Path) -> type[Section]:
    """The model of the section that stands at a path of a document."""
    annotation: Any = Spec
    for step in path:
        annotation = _inside(annotation, step)
    model: type[Section] = next(one for one in flat(annotation) if is_section(one))
    return model


def _inside(annotation: Any, step: str | int) -> Any:
    """The annotation of an entry or item: a section's field, or what a dict or list holds."""
    for one in flat(annotation):
        if is_section(one):
            return one.keys()[str(step)]
    return get_args(next(one for one in flat(annotation) if get_origin(one)))[-1]


def _translate(document: Table, details: ErrorDetails) -> tuple[Mark, SpecError]:
    path, mark = placed(document, details["loc"])
    message, hint = _wording(path, details)
    return mark, SpecError(f"{path_text(path)}: {message}", source=source_text(mark), hint=hint)


def placed(document: Table, location: tuple[int | str, ...]) -> tuple[Path, Mark]:
    """The path in the document that pydantic means by a location, and where that was written.

    Steps that name a variant of a union are left out.
    """
    value: Any = document
    path: list[str | int] = []
    mark = NOWHERE
    for step in location:
        if isinstance(value, Table) and isinstance(step, str) and step in value:
            mark = value.mark(step)
        elif isinstance(value, Items) and isinstance(step, int) and step < len(value):
            mark = value.marks[step]
        elif step == location[-1] and isinstance(value, Table) and step != "[key]":
            path.append(step)
            break
        else:
            continue
        value = value[step]
        path.append(step)
    return tuple(path), mark


def _wording(path: Path, details: ErrorDetails) -> tuple[str, str | None]:
    kind, value = details["type"], details.get("input")
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "missing":
        return MISSING, None
    if kind == "string_pattern_mismatch":
        return f"{shown(str(value))} is not a valid name", _pattern_hint(path)
    if kind == "literal_error":
        return _not_one_of(str(details["ctx"]["expected"]), value)
    if kind in _KINDS:
        return _wrong_type(kind, value)
    return details["msg"].removeprefix("Value error, ").replace("Input should be", "must be"), None


def _wrong_type(kind: str, value: Any) -> tuple[str, str | None]:
    quote = kind == "string_type" and isinstance(value, int | float)
    what = number_text(value) if kind == "int_type" and isinstance(value, float) else kind_of(value)
    return f"must be {_KINDS[kind]}, not {what}", "quote it" if quote else None


def _unknown_key(path: Path) -> tuple[str, str | None]:
    *parent, key = path
    model = model_at(tuple(parent))
    if key in model.not_yet:
        return f"{key!r} is {_refusal(support_of(model, str(key)))}", None
    near = get_close_matches(str(key)[:_LONGEST_KEY], [*model.keys(), *model.not_yet], 1)
    return "unknown key", f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(model.keys()))}"


def _refusal(support: Support) -> str:
    return support.reason if support is NOT_YET else f"not supported: {support.reason}"


def _pattern_hint(path: Path) -> str:
    return _CONTAINER_NAME_HINT if path[-1] == "container_name" else "use letters, digits, '.', '_' and '-'"


def _not_one_of(expected: str, value: Any) -> tuple[str, str | None]:
    known = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    near = get_close_matches(str(value)[:_LONGEST_KEY], known, 1)
    what = shown(value) if isinstance(value, str) else kind_of(value)
    return f"{what} is not one of {', '.join(known)}", f"did you mean {near[0]!r}?" if near else None
