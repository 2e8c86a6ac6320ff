"""Checks a value against a JSON Schema: the keywords of draft-07 that ours uses, and an error for any other keyword."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_NOTES = {"$schema", "title", "description", "deprecated", "definitions", "deprecationMessage", "patternErrorMessage"}
_OF_FORMS = {"anyOf", "oneOf"}
_OF_CONTENT = {"allOf", "items", "properties", "patternProperties", "additionalProperties"}


def complaints(schema: Json, value: Any) -> list[str]:
    """What is wrong with the value, each with its path; [] where it is valid. LookupError for an unknown keyword."""
    return list(_complaints(schema, schema, value, "$"))


def _complaints(root: Json, schema: Json, value: Any, at: str) -> Iterator[str]:
    if "$ref" in schema:
        yield from _complaints(root, root["definitions"][schema["$ref"].removeprefix("#/definitions/")], value, at)
        return
    unknown = schema.keys() - _CHECKS.keys() - _NOTES - _OF_FORMS - _OF_CONTENT
    if unknown:
        raise LookupError(f"{min(unknown)} is not a keyword that is checked")
    for keyword in schema.keys() & _CHECKS.keys():
        if not _CHECKS[keyword](schema[keyword], value):
            yield f"{at}: {value!r} fails {keyword} {schema[keyword]!r}"
    for keyword in schema.keys() & _OF_FORMS:
        fitting = sum(not list(_complaints(root, form, value, at)) for form in schema[keyword])
        if fitting == 0 or (keyword == "oneOf" and fitting > 1):
            yield f"{at}: {value!r} fits {fitting} of {len(schema[keyword])} forms"
    for form in schema.get("allOf", ()):
        yield from _complaints(root, form, value, at)
    yield from _inside(root, schema, value, at)


def _inside(root: Json, schema: Json, value: Any, at: str) -> Iterator[str]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _complaints(root, schema.get("items", {}), item, f"{at}[{index}]")
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _entry(root, schema, key, item, f"{at}.{key}")


def _entry(root: Json, schema: Json, key: str, item: Any, at: str) -> Iterator[str]:
    forms = [form for pattern, form in schema.get("patternProperties", {}).items() if re.search(pattern, key)]
    forms += [schema["properties"][key]] if key in schema.get("properties", {}) else []
    others = schema.get("additionalProperties", {})
    if not forms and others is False:
        yield f"{at}: unknown key"
        return
    for form in forms or [others]:
        yield from _complaints(root, form, item, at)


def _is(names: str | list[str], value: Any) -> bool:
    known = [names] if isinstance(names, str) else names
    if isinstance(value, bool):
        return "boolean" in known
    whole = isinstance(value, float) and value.is_integer() and "integer" in known
    return whole or any(isinstance(value, _TYPES[name]) for name in known)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    "type": _is,
    "enum": lambda wanted, value: value in wanted,
    "pattern": lambda wanted, value: not isinstance(value, str) or re.search(wanted, value) is not None,
    "minLength": lambda wanted, value: not isinstance(value, str) or len(value) >= wanted,
    "minimum": lambda wanted, value: not _is_number(value) or value >= wanted,
    "maximum": lambda wanted, value: not _is_number(value) or value <= wanted,
    "required": lambda wanted, value: not isinstance(value, dict) or set(wanted) <= value.keys(),
}
