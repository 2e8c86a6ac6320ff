"""The small grammars: durations, sizes, bare YAML words, shell words, ports, mounts."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.spec.durations import format_duration, parse_duration, parse_seconds
from reconciler.spec.nodes import MalformedError, kind_of, shown
from reconciler.spec.ports import parse_port
from reconciler.spec.scalars import number_text, resolve, tagged
from reconciler.spec.shellwords import MAX_WORDS, split_words
from reconciler.spec.sizes import parse_bytes
from reconciler.spec.volumes import parse_volume, resolve_path

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "nanoseconds", "printed"),
    [
        ("10s", 10 * SECOND, "10s"),
        ("1m30s", 90 * SECOND, "1m30s"),
        ("1.5h", 5400 * SECOND, "1h30m0s"),
        (".5s", SECOND // 2, "500ms"),
        ("1w2d3h", 219 * 3600 * SECOND, "219h0m0s"),
        ("1h1h", 7200 * SECOND, "2h0m0s"),
        ("+5s", 5 * SECOND, "5s"),
        ("-5s", -5 * SECOND, "-5s"),
        ("1us", 1000, "1µs"),
        ("1µs5ns", 1005, "1.005µs"),
        ("0", 0, "0s"),
        ("30s500ms", 30_500_000_000, "30.5s"),
    ],
)
def test_durations_are_gos_with_days_and_weeks(text: str, nanoseconds: int, printed: str) -> None:
    """A duration is read into nanoseconds exactly and printed as Go prints it."""
    assert (parse_duration(text), format_duration(nanoseconds)) == (nanoseconds, printed)
    assert parse_seconds(text) == nanoseconds / SECOND


@pytest.mark.parametrize(
    "text", ["", "s", "10", "1m 30s", "10S", "1M", "1y", "1:30", " 1s", "1s ", "9" * 99 + "w", "1" * 200 + "s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A number without a unit, an unknown unit and anything else are no durations."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1024", 1024),
        ("64m", 64 * 1024**2),
        ("1GiB", 1024**3),
        (".5g", 1024**3 // 2),
        ("1 g", 1024**3),
        ("1b", 1),
        ("2TB", 2 * 1024**4),
        ("1e3", 1000),
        ("-1", -1),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_sizes_are_binary(text: str, size: int) -> None:
    """Units are powers of 1024 in any case; -1 is what `memswap_limit` calls unlimited."""
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "b", "g", "1Mi", "1bb", "1x", "1,000", "1  g", "-1g", "1e999", "9223372036854775808"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    """Unknown units, separators and sizes beyond 63 bits are refused."""
    with pytest.raises(ValueError, match="size"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("True", True),
        ("false", False),
        ("~", None),
        ("", None),
        ("017", 15),
        ("0o17", 15),
        ("-0x10", -16),
        ("0b11", 3),
        ("1_000", 1000),
        ("08", 8.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("._5", "._5"),
        ("22:22", "22:22"),
        ("1e400", "1e400"),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775809", -(2.0**63)),
        ("2024-01-01", "2024-01-01T00:00:00Z"),
        ("2024-01-01T01:02:03.50+02:00", "2024-01-01T01:02:03.5+02:00"),
        ("2024-01-01 01:02:03", "2024-01-01T01:02:03Z"),
        ("2024-13-01", "2024-13-01"),
        ("9" * 500, "9" * 500),
    ],
)
def test_bare_words_mean_what_compose_reads(word: str, value: Any) -> None:
    """YAML 1.2 with the octals, binaries and underscores that go-yaml kept; YAML 1.1's yes and 22:22 are strings."""
    resolved = resolve(word)
    assert resolved == value
    assert isinstance(resolved, type(value))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1000, "1000"),
        (1.1, "1.1"),
        (1e5, "100000"),
        (1e6, "1e+06"),
        (123456789.0, "1.23456789e+08"),
        (-0.00012, "-0.00012"),
        (1e-7, "1e-07"),
        (0.0, "0"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        (float("nan"), "NaN"),
    ],
)
def test_numbers_become_text_as_in_go(number: float, text: str) -> None:
    """A number in `environment` or `labels` is written in Go's shortest form."""
    assert number_text(number) == text


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [
        ("str", "1", "1"),
        ("int", "3", 3),
        ("float", "1", 1.0),
        ("bool", "true", True),
        ("binary", "aGk=", "hi"),
        ("foo", "x", "x"),
    ],
)
def test_explicit_tags_decide_the_type(tag: str, text: str, value: Any) -> None:
    """`!!int "3"` is a number; tags that mean nothing here leave the text."""
    assert tagged(f"tag:yaml.org,2002:{tag}", text) == value


@pytest.mark.parametrize(
    ("tag", "text"), [("int", "x"), ("int", "true"), ("float", "x"), ("bool", "yes"), ("binary", "/w==")]
)
def test_a_tag_that_does_not_fit_is_refused(tag: str, text: str) -> None:
    """`!!bool yes` is no boolean."""
    with pytest.raises(ValueError, match="not"):
        tagged(f"tag:yaml.org,2002:{tag}", text)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("", []),
        ("  a   b\t\nc ", ["a", "b", "c"]),
        ("sh -c 'a; b'", ["sh", "-c", "a; b"]),
        ('a "b\\"c" \'\'', ["a", 'b"c', ""]),
        ("a\\ b", ["a b"]),
        ("--x='a b'", ["--x=a b"]),
        ("echo $(b c)d `e f`", ["echo", "$(b c)d", "`e f`"]),
        ("$X $", ["$X", "$"]),
    ],
)
def test_a_command_line_is_split_without_a_shell(command: str, words: list[str]) -> None:
    """Quotes and backslashes group; substitutions stay text."""
    assert split_words(command) == words


@pytest.mark.parametrize(
    "command", ["a; b", "a | b", "a && b", "a > b", "(a)", "a)", "`a", "$((1+2))", "a 'b", 'a "b', "a \\"]
)
def test_what_needs_a_shell_is_refused(command: str) -> None:
    """Splitting would drop what follows an operator, so it is an error that says how to write it."""
    with pytest.raises(MalformedError, match=r"needs a shell|unclosed quote|backslash"):
        split_words(command)


def test_a_command_has_an_end() -> None:
    """A command of absurd length is refused before it costs memory."""
    with pytest.raises(MalformedError, match="more than"):
        split_words("a " * (MAX_WORDS + 2))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80", [(80, None, None, "tcp")]),
        ("8080:80/UDP", [(80, "8080", None, "udp")]),
        ("127.0.0.1::80", [(80, None, "127.0.0.1", "tcp")]),
        ("[::1]:8080:80", [(80, "8080", "::1", "tcp")]),
        ("8000-8001:80-81", [(80, "8000", None, "tcp"), (81, "8001", None, "tcp")]),
        ("8000-8002:80", [(80, "8000-8002", None, "tcp")]),
        ("80-81", [(80, None, None, "tcp"), (81, None, None, "tcp")]),
    ],
)
def test_short_ports_expand(text: str, expected: list[tuple[Any, ...]]) -> None:
    """Ranges of equal length give an entry each; a host range for one port stays one entry."""
    ports = [
        (port["target"], port.get("published"), port.get("host_ip"), port["protocol"]) for port in parse_port(text)
    ]
    assert ports == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "a:80",
        "80:a",
        "80:",
        "70000:80",
        "90-80:80",
        "8080:80-82",
        "80:80/foo",
        "localhost:80:80",
        "::1:80:80",
        "[::1]:80",
    ],
)
def test_what_is_no_port_is_refused(text: str) -> None:
    """Names, empty parts, ports beyond 65535, ranges of different length and unknown protocols are errors."""
    with pytest.raises(MalformedError):
        parse_port(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/d", {"type": "volume", "target": "/d"}),
        ("/data/", {"type": "volume", "target": "/data", "volume": {}}),
        ("db:/data", {"type": "volume", "source": "db", "target": "/data", "volume": {}}),
        ("a:/b", {"type": "volume", "source": "a", "target": "/b", "volume": {}}),
        (
            "./a:/b:ro",
            {"type": "bind", "source": "./a", "target": "/b", "bind": {"create_host_path": True}, "read_only": True},
        ),
        (
            "db:/data:nocopy,z",
            {"type": "volume", "source": "db", "target": "/data", "volume": {"nocopy": True}, "bind": {"selinux": "z"}},
        ),
        ("C:\\x:/b:cached", {"type": "bind", "source": "C:\\x", "target": "/b", "bind": {"create_host_path": True}}),
        (
            "~:/b:rslave",
            {
                "type": "bind",
                "source": "~",
                "target": "/b",
                "bind": {"create_host_path": True, "propagation": "rslave"},
            },
        ),
    ],
)
def test_short_mounts_have_a_long_form(text: str, expected: dict[str, Any]) -> None:
    """A source that looks like a path is a bind, any other a volume, even of one letter; `cached` means nothing."""
    assert parse_volume(text) == expected


@pytest.mark.parametrize("text", ["", ":foo", "/foo::ro", "/a:/b:", "/a:/b:ro:z"])
def test_what_is_no_mount_is_refused(text: str) -> None:
    """Empty sections and too many colons are errors."""
    with pytest.raises(MalformedError):
        parse_volume(text)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("./a/../b/", "/p/b"),
        ("..", "/"),
        ("/a//b/", "/a//b/"),
        ("~", "/h"),
        ("~/x", "/h/x"),
        ("\\\\.\\pipe\\d", "\\\\.\\pipe\\d"),
    ],
)
def test_paths_begin_at_the_project(path: str, expected: str) -> None:
    """Relative paths begin at the project's folder, `~` at the home folder, absolute ones stay as written."""
    assert resolve_path(path, "/p", "/h") == expected


def test_errors_quote_no_novels() -> None:
    """A value in a message is shortened; a type has a name that a person understands."""
    assert len(shown("x" * 1000)) < 100
    assert [kind_of(value) for value in (True, 1, "x", {}, [], None, object())] == [
        "a boolean",
        "a number",
        "a string",
        "a mapping",
        "a list",
        "nothing",
        "object",
    ]
