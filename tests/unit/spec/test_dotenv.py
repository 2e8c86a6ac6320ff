from __future__ import annotations

import pytest

from reconciler.spec.dotenv import EnvFileError, parse_env_file, parse_raw_file

SHELL = {"SHELL_VAR": "shell", "A": "from shell"}


def parse(text: str) -> dict[str, str]:
    return parse_env_file(text, SHELL, lambda _: None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("\n \t# comment\nB=1", {"B": "1"}),
        ("B=1\r\nC: 2\r\n", {"B": "1", "C": "2"}),
        ("\ufeffexport B=1\nexport\tC=2\nexport=3", {"B": "1", "C": "2", "export": "3"}),
        ("B = x y \nC=a#b\nD=a # b\nE=#x", {"B": "x y", "C": "a#b", "D": "a", "E": "#x"}),
        ("SHELL_VAR\nMISSING\n", {"SHELL_VAR": "shell"}),
        ("B='$SHELL_VAR it\\'s'", {"B": "$SHELL_VAR it's"}),
        ('B="a\nb" # c\nC="x\\ty\\$z\\0101\\0\\q"', {"B": "a\nb", "C": "x\ty$zA\\\\q"}),
        ("B=1\nC=$B${B:+2} $A", {"B": "1", "C": "12 from shell"}),
        ("A.B[0]-c=1\né=2", {"A.B[0]-c": "1", "é": "2"}),
        ("B=1\nB=2\nC=", {"B": "2", "C": ""}),
        ("B=\"x\"#z\nC=''", {"B": "x", "C": ""}),
    ],
)
def test_env_files_are_read_as_compose_does(text: str, found: dict[str, str]) -> None:
    """Comments, export, quotes, escapes, several lines, inheritance and substitution; the shell wins in `$VAR`."""
    assert parse(text) == found


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("A=1\nB C=2", 2, "'B C=2' is not a variable"),
        ("=1", 1, "'=1' is not a variable"),
        ("A/B=1", 1, "does not begin with a variable name"),
        ("\nA", 2, "'A' has no value and no end of line"),
        ('A="x', 1, "is never closed"),
        ("A='x'y", 1, "'y' follows a quoted value"),
        ("A=1\nB=${", 2, "invalid interpolation"),
        ("A=1\nB=${C:?why}", 2, "required variable C is missing a value: why"),
    ],
)
def test_malformed_lines_are_named(text: str, line: int, message: str) -> None:
    """What is no variable is an error with its line, never a variable of a strange name."""
    with pytest.raises(EnvFileError, match=message.replace("(", "\\(")) as caught:
        parse(text)
    assert caught.value.line == line


def test_growth_is_bounded() -> None:
    """Variables that double each other end in an error, not in all memory."""
    doubling = "A0=xxxxxxxx\n" + "".join(f"A{n}=$A{n - 1}$A{n - 1}\n" for n in range(1, 40))
    with pytest.raises(EnvFileError, match="larger than 4 MB"):
        parse_env_file(doubling, {}, lambda _: None)


def test_raw_files_are_taken_literally() -> None:
    """`format: raw` knows comments and inheritance, and no quotes, escapes or substitution."""
    text = "\ufeff# c\n\nB=\"x\" # y\nC=$A='z'\nSHELL_VAR\nMISSING\n"
    assert parse_raw_file(text, SHELL) == {"B": '"x" # y', "C": "$A='z'", "SHELL_VAR": "shell"}


@pytest.mark.parametrize("text", ["=1", "A B=1"])
def test_raw_files_need_names(text: str) -> None:
    """A line without a variable name is an error in a raw file too."""
    with pytest.raises(EnvFileError, match="variable name"):
        parse_raw_file(text, {})
