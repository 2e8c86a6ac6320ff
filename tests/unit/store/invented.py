"""Hypothesis strategies for the model's dataclasses, made of their annotations: a new field is covered unasked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=4),
    int: st.integers(),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    NoneType: st.none(),
}
JSON_VALUES = st.recursive(
    st.one_of(*SCALARS.values()),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(SCALARS[str], inner, max_size=2),
    max_leaves=4,
)


def invented(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of this type."""
    if hint is Any:
        return JSON_VALUES
    if isinstance(hint, type) and is_dataclass(hint):
        return st.builds(hint, **{name: invented(kind) for name, kind in get_type_hints(hint).items()})
    return SCALARS[hint] if hint in SCALARS else GENERIC[get_origin(hint)](*get_args(hint))


def _tuples(*hints: Any) -> st.SearchStrategy[Any]:
    if hints[-1] is Ellipsis:
        return st.lists(invented(hints[0]), max_size=2).map(tuple)
    return st.tuples(*map(invented, hints))


def _one_of(*hints: Any) -> st.SearchStrategy[Any]:
    return st.one_of(*map(invented, hints))


def _mappings(key: Any, value: Any) -> st.SearchStrategy[Any]:
    return st.dictionaries(invented(key), invented(value), max_size=2)


GENERIC: dict[Any, Callable[..., st.SearchStrategy[Any]]] = {
    Literal: lambda *values: st.sampled_from(values),
    Union: _one_of,
    UnionType: _one_of,
    Mapping: _mappings,
    tuple: _tuples,
    frozenset: lambda hint: st.frozensets(invented(hint), max_size=2),
}
