from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import SpecError
from reconciler.spec.yaml_nodes import MAX_BYTES, MAX_DEPTH, MAX_DOCUMENTS, read_documents


def value_of(text: str) -> Any:
    return read_documents(text.encode(), "f.yaml")[0].value


def refusal_of(data: bytes) -> str:
    with pytest.raises(SpecError) as caught:
        read_documents(data, "f.yaml")
    return str(caught.value)


def test_every_entry_knows_its_line() -> None:
    """Keys are marked with their own line, list items with theirs, and aliased content with where it is written."""
    table = value_of("a:\n  - x\n  - y\nb: &m\n  c: 1\nd:\n  <<: *m\n  e: 2\n")
    assert table.marks == {"a": ("f.yaml", 1), "b": ("f.yaml", 4), "d": ("f.yaml", 6)}
    assert table["a"].marks == [("f.yaml", 2), ("f.yaml", 3)]
    assert table["d"].marks == {"c": ("f.yaml", 5), "e": ("f.yaml", 8)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x {b: 1}\nc: {<<: *x, b: 2, d: 3}", {"b": 2, "d": 3}),
        ("a: 1\nc: {<<: [{b: 1, d: 1}, {b: 2, e: 2}]}", {"b": 1, "d": 1, "e": 2}),
        ('a: 1\nc: {"<<": 1}', {"<<": 1}),
    ],
)
def test_merge_keys_add_what_is_missing(text: str, expected: dict[str, int]) -> None:
    """What stands in the mapping wins over `<<`, earlier mappings win over later ones; a quoted << is a plain key."""
    assert value_of(text)["c"] == expected


def test_scalars_have_anchors_too() -> None:
    """An alias of a scalar is its value."""
    assert value_of("a: &x 5\nb: *x") == {"a": 5, "b": 5}


def test_tags_and_styles_decide_the_type() -> None:
    """Quoted text is text; `!` alone changes nothing; an explicit tag does."""
    assert value_of("[1, \"1\", ! 1, ! '1', !!str 1, !other x, |-\n  1\n]".replace("|-\n  1\n", "'1'")) == [
        1,
        "1",
        1,
        "1",
        "1",
        "x",
        "1",
    ]


def test_one_file_may_hold_several_documents() -> None:
    """Documents come in order, an empty one as nothing; a byte order mark is no content."""
    documents = read_documents(b"\xef\xbb\xbfa: 1\n---\n---\nb: 2\n", "f.yaml")
    assert [one.value for one in documents] == [{"a": 1}, None, {"b": 2}]
    assert read_documents(b"", "f.yaml") == []


def test_reset_and_override_become_paths() -> None:
    """`!reset` leaves nothing, `!override` leaves its value; both name the path to forget."""
    document = read_documents(
        b"a:\n  b: !reset [1]\n  c: !override {d: 1}\n  e: !reset null\n  f: !override 1\n", "f.yaml"
    )[0]
    assert document.value == {"a": {"c": {"d": 1}, "f": 1}}
    assert document.resets == (("a", "b"), ("a", "c"), ("a", "e"), ("a", "f"))
    assert read_documents(b"!reset x", "f.yaml")[0].value is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a: 1\nb: 2\na: 3", "f.yaml:3: key 'a' is already set at line 1 (remove one of the two)"),
        (b"a: {<<: {b: 1}, <<: {c: 1}}", "f.yaml:1: key '<<' is already set at line 1"),
        (b"1: a", 'f.yaml:1: key 1 must be a string, not a number (quote it: "1")'),
        (b"\n~: a", "f.yaml:2: key None must be a string, not nothing"),
        (b"[a]: b", "f.yaml:1: a key must be a string, not a mapping or a list"),
        (b"a: *x", "f.yaml:1: unknown alias *x"),
        (b"a: &x [*x]", "f.yaml:1: alias *x contains itself"),
        (b"a:\n  <<: 1", "f.yaml:2: << takes a mapping or a list of mappings"),
        (b"a: !!int x", "f.yaml:1: 'x' is not a whole number"),
        (b"%YAML 1.2\n---\na: 1", "f.yaml:1: %YAML 1.2 is not what a spec is read as (remove the line)"),
        (b"- !reset a", "f.yaml:1: !reset and !override stand on the value of a key"),
        (b"a: b: c", "f.yaml:1: invalid YAML: mapping values are not allowed"),
        (b"a: \x01", "f.yaml: invalid YAML: control characters are not allowed"),
        (b"a: 1\nb: \xff", "f.yaml:2: invalid UTF-8 (byte 0xff)"),
        (b"a: 1\nb: \0", "f.yaml:2: the file holds a NUL byte"),
    ],
)
def test_malformed_yaml_names_its_line(data: bytes, message: str) -> None:
    """Whatever is wrong with a file is said with file and line."""
    assert refusal_of(data).startswith(message)


BOMB = b"a0: &a0 [x, x]\n" + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 60))
MERGE_BOMB = b"a0: &a0 {k: v}\n" + b"".join(
    b"a%d: &a%d {<<: [*a%d, *a%d]}\n" % (n, n, n - 1, n - 1) for n in range(1, 60)
)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[" * 200_000, f"nested more than {MAX_DEPTH} levels deep"),
        (b"{a: " * 200_000, f"nested more than {MAX_DEPTH} levels deep"),
        (b"x" * (MAX_BYTES + 1), "larger than 8 MB"),
        (b"- a\n" * 300_000, "more than 250000 nodes"),
        (BOMB, "once aliases are expanded"),
        (MERGE_BOMB, "once aliases are expanded"),
        (b"---\na\n" * (MAX_DOCUMENTS + 2), "documents in one file"),
    ],
)
def test_hostile_files_are_refused_early(data: bytes, message: str) -> None:
    """Depth, size, number of documents and expansion of aliases are bounded before anything is copied."""
    assert message in refusal_of(data)
