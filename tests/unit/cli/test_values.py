from __future__ import annotations

from typing import Any

import pytest

from reconciler.cli.values import arrow, clean, shorten_path, show


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "(none)"),
        ("(none)", '"(none)"'),
        ("", '""'),
        ("plain text", "plain text"),
        (" padded ", '" padded "'),
        ("a -> b", '"a -> b"'),
        ("line\nbreak", '"line\\nbreak"'),
        ("\u202egnp.exe", '"\\u202egnp.exe"'),
        (True, "true"),
        (3, "3"),
        ({"b": 1, "a": [None]}, '{"a": [null], "b": 1}'),
        ("web:1@sha256:" + "ab" * 32, "web:1@abababababab"),
        ("sha256:" + "ab" * 32, "abababababab"),
        ("postgres://me:secret@db/x", "postgres://me:***@db/x"),
    ],
)
def test_a_value_is_one_unambiguous_line(value: Any, text: str) -> None:
    """What looks like text is text; everything else is JSON; digests are short; passwords are hidden."""
    assert show(value) == text


def test_a_pair_that_fits_stands_on_one_line() -> None:
    """Short values are read side by side."""
    assert arrow("info", "debug", 40) == ("info -> debug",)


def test_a_pair_that_does_not_fit_stands_one_above_the_other() -> None:
    """Long values are read in columns, whole where they fit."""
    assert arrow("a" * 20, "b" * 20, 30) == (f"   {'a' * 20}", f"-> {'b' * 20}")


def test_control_characters_are_escaped_and_line_breaks_kept() -> None:
    """A container's log cannot move the cursor."""
    assert clean("a\x1b[31m\nb\tc") == "a\\x1b[31m\nb       c"


def test_a_path_loses_its_front() -> None:
    """The file's name and line say most."""
    assert shorten_path("very/long/compose.yaml:12", 16) == "…compose.yaml:12"
