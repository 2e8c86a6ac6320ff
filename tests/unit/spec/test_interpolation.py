from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.spec.interpolation import MAX_NESTING, MAX_TEXT, MAX_VALUE, interpolate
from reconciler.spec.nodes import MalformedError

VALUES = {"SET": "value", "EMPTY": "", "BIG": "x" * 1024 * 1024}


def run(text: str) -> tuple[str, list[str]]:
    unset: list[str] = []
    return interpolate(text, VALUES.get, unset.append), unset


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("a", "a"),
        ("$SET-${SET}", "value-value"),
        ("$$SET $${SET} $$$SET", "$SET ${SET} $value"),
        ("$1 $(x) $ a$", "$1 $(x) $ a$"),
        ("${SET:-d}${SET-d}", "valuevalue"),
        ("${EMPTY:-d}${EMPTY-d}", "d"),
        ("${NONE:-d}${NONE-d}", "dd"),
        ("${SET:+y}${EMPTY:+y}${EMPTY+y}${NONE+y}", "yy"),
        ("${SET:?no}${SET?no}${EMPTY?no}", "valuevalue"),
        ("${NONE:-${OTHER:-${SET}}}", "value"),
        ("${NONE:-a:-b?c}", "a:-b?c"),
        ("${NONE:-{}}", "{}"),
        ('${NONE:-{"a":1}}', '{"a":1}'),
        ("${NONE:-a{b}c}", "a{b}c"),
        ("${NONE:-{}", "{"),
        ("${NONE:-a}b}", "ab}"),
        ("${NONE:-$$x}", "$x"),
    ],
)
def test_every_operator_and_nesting(text: str, result: str) -> None:
    """The grammar of the Compose Spec; braces inside a default are balanced where they can be."""
    assert run(text) == (result, [])


@pytest.mark.parametrize(
    ("text", "unset"), [("$NONE ${OTHER}", ["NONE", "OTHER"]), ("${SET:-$NONE}", []), ("${NONE:-$OTHER}", ["OTHER"])]
)
def test_a_missing_variable_becomes_empty_and_is_reported(text: str, unset: list[str]) -> None:
    """Only variables whose value was wanted are reported."""
    assert run(text)[1] == unset


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NONE:?say why}", "required variable NONE is missing a value: say why"),
        ("${EMPTY:?}", "required variable EMPTY is missing a value"),
        ("${NONE?$SET}", "required variable NONE is missing a value: value"),
        ("${SET:-${NONE:?x}}", "required variable NONE is missing a value: x"),
    ],
)
def test_a_required_variable_is_an_error(text: str, message: str) -> None:
    """`?` names the variable and the author's message; as in Compose, also inside a default that is not taken."""
    with pytest.raises(MalformedError) as caught:
        run(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text", ["${", "${}", "${ SET}", "${1}", "${SET", "${SET:=x}", "${SET%x}", "${SET:-a", "${SET:-a\nb}", "${é}"]
)
def test_what_is_no_substitution_is_refused(text: str) -> None:
    """`${` begins a substitution or is an error; a literal one is written `$${`."""
    with pytest.raises(MalformedError, match="invalid interpolation"):
        run(text)


@pytest.mark.parametrize(
    "make",
    [
        lambda: "${A:-" * (MAX_NESTING + 2) + "}" * (MAX_NESTING + 2),
        lambda: "$SET" + "x" * MAX_TEXT,
        lambda: "$BIG" * (MAX_VALUE // len(VALUES["BIG"]) + 1),
    ],
)
def test_substitution_is_bounded(make: Callable[[], str]) -> None:
    """Depth, length and growth have limits that no real value meets."""
    with pytest.raises(MalformedError, match=r"nested|longer|larger"):
        run(make())
