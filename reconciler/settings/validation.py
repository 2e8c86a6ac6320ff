"""A settings document against the models; what is wrong in the words of a settings file, all at once and in order."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from reconciler.errors import SettingsError
from reconciler.settings.shape import Top
from reconciler.settings.sources import check_sources
from reconciler.spec.nodes import Mark, Path, Table, kind_of, path_text, shown, source_text
from reconciler.spec.schema.check import placed
from reconciler.spec.schema.tree import flat, is_section

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_KINDS = {"dict_type": "a mapping", "model_type": "a mapping", "list_type": "a list"}
_LONGEST_KEY = 60


def validated(document: Table, base: str) -> tuple[Top | None, list[SettingsError]]:
    """The document as models, None where it is invalid, and what is wrong; relative paths begin at `base`."""
    found: list[tuple[Mark, SettingsError]] = list(check_sources(document))
    valid = None
    try:
        valid = Top.model_validate(document, context={"base": base})
        found += _check_backoff(valid, document)
    except ValidationError as error:
        found += [_translated(document, one) for one in error.errors(include_url=False)]
    return valid, [error for _, error in sorted(found, key=lambda one: (one[0][1] == 0, one[0]))]


def _check_backoff(valid: Top, document: Table) -> Iterator[tuple[Mark, SettingsError]]:
    if valid.backoff.first > valid.backoff.most:
        mark = document.mark("backoff")
        message = "backoff.first is longer than backoff.most"
        yield (
            mark,
            SettingsError(message, source=source_text(mark), hint="the waiting time grows from one to the other"),
        )


def _translated(document: Table, details: ErrorDetails) -> tuple[Mark, SettingsError]:
    path, mark = placed(document, _without_tag(details["loc"]))
    message, hint = _wording(document, path, details)
    return mark, SettingsError(f"{path_text(path)}: {message}", source=source_text(mark), hint=hint)


def _without_tag(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The location without the name of the variant of a source, which is a key of the source as well."""
    return (*location[:2], *location[3:]) if location[0] == "sources" else location


def _wording(document: Table, path: Path, details: ErrorDetails) -> tuple[str, str | None]:
    kind, value = details["type"], details.get("input")
    if kind == "extra_forbidden":
        return "unknown key", _nearest(str(path[-1]), _known_keys(document, path[:-1]))
    if kind == "missing":
        return "is required", None
    if kind == "literal_error":
        return _not_one_of(str(details["ctx"]["expected"]), value)
    if kind.startswith("union_tag"):
        return "a source has git: or directory:", "git: URL of a repository, or directory: PATH on this machine"
    if kind in _KINDS:
        return f"must be {_KINDS[kind]}, not {kind_of(value)}", None
    return details["msg"].removeprefix("Value error, "), None


def _known_keys(document: Table, path: Path) -> list[str]:
    """The keys of the section at a path."""
    model: Any = Top
    value: Any = document
    inside: list[Any] = []
    for step in path:
        value = value[step]
        if isinstance(step, str):
            inside = [one for one in _flat(model.model_fields[step].annotation) if is_section(one)]
        model = next((one for one in inside if _fits(one, value)), inside[0])
    return list(model.model_fields)


def _flat(annotation: Any) -> list[Any]:
    return [inner for one in flat(annotation) for inner in (flat(get_args(one)[-1]) if get_args(one) else [one])]


def _fits(model: Any, value: Any) -> bool:
    """Whether it is the variant of a source that the entry's key asks for."""
    told = {"git", "directory"} & model.model_fields.keys()
    return not told or (isinstance(value, dict) and bool(told & value.keys()))


def _nearest(word: str, known: list[str]) -> str:
    near = get_close_matches(word[:_LONGEST_KEY], known, 1)
    return f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(known))}"


def _not_one_of(expected: str, value: Any) -> tuple[str, str | None]:
    known = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    near = get_close_matches(str(value)[:_LONGEST_KEY], known, 1)
    what = shown(value) if isinstance(value, str) else kind_of(value)
    return f"{what} is not one of {', '.join(known)}", f"did you mean {near[0]!r}?" if near else None
