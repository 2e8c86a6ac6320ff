"""The ignore rules, without an engine. The same rules are held against the docker CLI in tests/engine."""

from __future__ import annotations

import pytest

from reconciler.errors import SpecError
from reconciler.images.dockerignore import parse_ignore


@pytest.mark.parametrize(
    ("lines", "path", "ignored"),
    [
        ("build", "build/out.o", True),
        ("build", "BUILD/out.o", False),
        ("build", "src/build", False),
        ("*.txt", "a.txt", True),
        ("*.txt", "docs/a.txt", False),
        ("**/*.txt", "a.txt", True),
        ("**/*.txt", "x/y/a.txt", True),
        ("**/x", "a/x/b", True),
        ("**x", "ax", True),
        ("**x*", "axb", False),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("docs/**", "docs/a/b", True),
        ("docs/**", "docs", False),
        ("?.txt", "a.txt", True),
        ("?.txt", "ab.txt", False),
        ("[^a].txt", "a.txt", False),
        ("[^a].txt", "b.txt", True),
        ("[!a].txt", "a.txt", True),
        ("[!a].txt", "b.txt", False),
        ("[a-c].txt", "b.txt", True),
        (r"[\]x].txt", "].txt", True),
        (r"\#hash", "#hash", True),
        ("#hash", "#hash", False),
        (" #hash", "#hash", True),
        (r"\!bang", "!bang", True),
        ("/build/", "build/x", True),
        ("./a/../b", "b", True),
        ("a.txt\r\nb.txt\r\n", "b.txt", True),
        ("docs\n!docs/keep.md", "docs/keep.md", False),
        ("docs\n!docs/keep.md", "docs/drop.md", True),
        ("!docs/keep.md\ndocs", "docs/keep.md", True),
        ("docs\n!**/keep.md", "docs/sub/keep.md", False),
        ("*\n!src", "src/deep/a.go", False),
        ("*\n!src\nsrc/deep", "src/deep/a.go", True),
        ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", True),
        ("a+b(c)|{d}$.txt", "a+b(c)|{d}$.txt", True),
        ("^a", "^a", True),
        ("^a*", "^a", False),
        ("^a*", "ab", True),
        ("^*", "x", True),
        ("a^*", "a^b", False),
        ("**/^a", "x/^a", True),
        ("^a/**", "^a/b", True),
        (r"\d", "1", True),
        (r"\d", "d", False),
        (r"\a", "a", False),
        (r"\w*", "_x", True),
        (".", "a.txt", False),
        ("/", "a.txt", False),
    ],
)
def test_last_match_wins(lines: str, path: str, *, ignored: bool) -> None:
    """A path is left out if the last pattern that matches it or a folder above it has no `!`."""
    assert parse_ignore(lines.encode(), "x").ignores(path) is ignored


def test_byte_order_mark_belongs_to_no_pattern() -> None:
    """Editors put a byte order mark before the first line; it is not part of that line."""
    assert parse_ignore(b"\xef\xbb\xbfa.txt\n", "x").ignores("a.txt")


@pytest.mark.parametrize(
    "bad",
    [
        "!",
        "! ",
        "[",
        "a[",
        "[]a]",
        "[a-",
        "[z-a]",
        "[-x]",
        "tail\\",
        "\\e",
        "\\1",
        "\\é",
        "[*]",
        "[a?]",
        "[[:alpha:]]",
        "[\\d]",
    ],
)
def test_what_docker_refuses_is_refused_with_its_line(bad: str) -> None:
    """A malformed pattern is an error that names file and line, never a pattern that silently matches nothing."""
    with pytest.raises(SpecError) as caught:
        parse_ignore(f"ok\n{bad}\n".encode(), "/ctx/.dockerignore")
    assert caught.value.source == "/ctx/.dockerignore:2"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("lines", "folder", "prunes"),
    [
        ("node_modules", "node_modules", True),
        ("node_modules\n!src/keep", "node_modules", True),
        ("docs\n!docs/keep.md", "docs", False),
        ("docs\n!docs/a/keep.md", "docs/b", True),
        ("docs\n!docs/*/keep.md", "docs/b", False),
        ("docs\n!**/keep.md", "docs", False),
    ],
)
def test_a_folder_is_read_only_if_something_in_it_may_be_kept(lines: str, folder: str, *, prunes: bool) -> None:
    """A left-out folder is not walked (node_modules is large) unless a `!` pattern can reach into it."""
    assert parse_ignore(lines.encode(), "x").prunes(folder) is prunes
