"""The JSON Schema (draft-07) of a spec, made of the models. For `reconcile schema`."""

from __future__ import annotations

from typing import Any

from reconciler.spec.editor.texts import TEXTS
from reconciler.spec.editor.written import EXTENDS, FORMS, INCLUDE, Json, loosened
from reconciler.spec.schema.base import Section
from reconciler.spec.schema.project import Spec
from reconciler.spec.schema.service import Service
from reconciler.spec.schema.support import Support, Verdict, support_of
from reconciler.spec.schema.tree import keys

_DRAFT = "http://json-schema.org/draft-07/schema#"
_OPENING = {Verdict.REFUSED: "Refused: ", Verdict.IGNORED: "Ignored: "}
_ELSEWHERE: dict[type[Section], Json] = {Service: {"extends": EXTENDS}, Spec: {"include": INCLUDE}}


def json_schema() -> Json:
    """The schema of a Compose file as it may be written, with `x-reconcile`. The same for the same program.

    It is wider than the loader: what a key's grammar, other keys or the files say is for `reconcile validate`.
    """
    long = Spec.model_json_schema()
    models = {key.model.__name__: key.model for key in keys()}
    definitions = {name: _section(models[name], found) for name, found in sorted(long["$defs"].items())}
    top = {"$schema": _DRAFT, "title": "Compose file with x-reconcile", **_section(Spec, long)}
    return {**top, "definitions": definitions}


def _section(model: type[Section], long: Json) -> Json:
    properties = {key: _property(model, key, _tidy(value)) for key, value in long.get("properties", {}).items()}
    properties |= {key: _property(model, key, {}) for key in model.not_yet}
    properties |= {key: _property(model, key, form) for key, form in _ELSEWHERE.get(model, {}).items()}
    return {
        "type": "object",
        **_if_any("description", TEXTS.get(model.__name__, "")),
        "properties": dict(sorted(properties.items())),
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
        **({"required": long["required"]} if "required" in long else {}),
    }


def _property(model: type[Section], key: str, long: Json) -> Json:
    """What may be written there, and what it means. Beside a `$ref` draft-07 reads nothing, so that stands inside."""
    path = f"{model.__name__}.{key}"
    form, support = FORMS.get(path), support_of(model, key)
    written = form(loosened(long)) if form else loosened(long)
    return {
        **({"allOf": [written]} if "$ref" in written else written),
        **_if_any("description", " ".join(filter(None, (TEXTS.get(path, ""), _limits(support))))),
        **(_refusal(key, support) if support.verdict is Verdict.REFUSED else {}),
    }


def _refusal(key: str, support: Support) -> Json:
    """`deprecated` of later drafts, and what the YAML language server shows as a warning."""
    return {"deprecated": True, "deprecationMessage": f"{key} is refused: {support.reason}"}


def _if_any(keyword: str, text: str) -> Json:
    return {keyword: text} if text else {}


def _limits(support: Support) -> str:
    """The verdict on the key as sentences; "" where there is nothing to say."""
    reason = f"{_OPENING.get(support.verdict, '')}{support.reason}." if support.reason else ""
    api = f"Needs Engine API {support.api}." if support.api else ""
    return " ".join(filter(None, (reason[:1].upper() + reason[1:], api)))


def _tidy(long: Any) -> Any:
    """A part of the models' own schema without their titles and defaults, its references into our definitions."""
    if isinstance(long, list):
        return [_tidy(item) for item in long]
    if not isinstance(long, dict):
        return long
    tidy = {key: _tidy(value) for key, value in long.items() if key not in ("title", "default", "const")}
    if "const" in long:
        tidy["enum"] = [long["const"]]
    if "$ref" in tidy:
        tidy["$ref"] = tidy["$ref"].replace("#/$defs/", "#/definitions/")
    return tidy | ({"additionalProperties": False} if "patternProperties" in tidy else {})
