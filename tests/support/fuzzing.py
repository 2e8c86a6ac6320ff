"""Damaged compose projects: mutations of recorded ones, and what must hold for whatever comes of them.

Used by the fuzz test of the suite (a fixed seed) and by `tests/run.sh fuzz` (any seed, for as long as asked).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import yaml

from reconciler.errors import SpecError, UsageError
from reconciler.spec.load import Loaded, Request, load
from reconciler.spec.lowering import lower
from reconciler.spec.render import render

RECORDED = Path(__file__).parents[1] / "unit" / "spec" / "data" / "compose_answers.jsonl"
HOME = {"HOME": "/nonexistent"}
_TEXTS = (
    *("${A", "${A:-", "}", "$$", "${A:?", "$", "${A:-${B:-c}}", "${A+", "\\$"),
    *("&a ", "*a", "<<: ", "!reset ", "!override ", "!!int ", "!!str ", "!!binary ", "---\n", "...\n", "? "),
    *(": ", "- ", "#", "'", '"', "|\n", ">\n", "[", "]", "{", "}", ",", "\t", "\n", "\r\n", "  ", "%YAML 1.2\n"),
    *("\x00", "\x7f", "\u0085", "\u2028", "\ufeff", "\udcff", "é", "\U0001f600", "~", "null", ".inf", "-.inf", ".nan"),
    *("0x", "0o8", "017", "1e400", "1e-400", "99999999999999999999", "-1", "2024-01-01", "22:22", "yes", "=", "<<"),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**63, -(2**63), 2**64, 10**30, 0.5, 1e300, float("inf"), float("nan")),
    *(
        "",
        " ",
        "x",
        "$A",
        "${A:-b}",
        "a=b",
        "=",
        "a:b",
        ":",
        "::",
        "/",
        "./x",
        "~",
        "80:80",
        "80-90:80-90/udp",
        "[::1]:1:1",
    ),
    *(
        "1s",
        "1h1m",
        "-1s",
        "1e9s",
        "64m",
        "-1",
        "1.5g",
        "service:a",
        "container:x",
        "host",
        "no",
        "on-failure:3",
        "always",
    ),
    *(
        "/a:/b:ro",
        "/a:/b:z,ro",
        "v:/v",
        "C:\\a:/b",
        "a b 'c d'",
        "'",
        '"',
        "\\",
        "x" * 300,
        "é",
        "a\nb",
        "<<",
        "*",
        "a..b",
    ),
    *([], {}, [None], [[]], [{}], {"a": None}, ["a", "a"], {"x-a": 1}, [1, "1"], {"driver": "d"}, {"target": 1}),
)


_SPEC = """\
services:
  web:
    image: example/web:1.4-alpine
    pull_policy: every_1d12h
    x-reconcile:
      rollout: {settle: 2s, drain: {method: exec, command: touch /leaving, delay: 5s}, min_running: 5s}
      mutation: {config: report, allow: [/tmp, /run]}
      image:
        track: semver
        range: ">=1.4-rc.1 <2 || ^3.x, ~3.1 || 1.2 - 1.4"
        filter: ^v?(1|3)[.-]\\d+$$
        extract: (?P<version>\\d.*)
        cooldown: 1d
        window: "*/5 2-4,22 1,L JAN-MAR MON#2"
        verify: {keys: [web.pub, ./keys/other.pub]}
"""
_PEM = b"""\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""


@dataclass(frozen=True)
class Case:
    """The files of one project by name, those to load in order, and the shell's variables."""

    files: Mapping[str, bytes]
    order: tuple[str, ...]
    environment: Mapping[str, str]


OURS = Case({"compose.yaml": _SPEC.encode(), "web.pub": _PEM, "keys/other.pub": _PEM}, ("compose.yaml",), {})


def recorded() -> list[Case]:
    """The compose texts whose answers are recorded, and one of ours to ten of them."""
    lines = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").strip().split("\n")]
    theirs = [
        Case({name: text.encode() for name, text in one["files"].items()}, tuple(one["order"]), one["env"])
        for one in lines
    ]
    return [*theirs, *[OURS] * (len(theirs) // 10)]


def damaged(random: Random, cases: list[Case]) -> Iterator[Case]:
    """Endless cases, each with one to four mutations of one of its files."""
    while True:
        case = random.choice(cases)
        for _ in range(random.randint(1, 4)):
            name = random.choice(sorted(case.files))
            other = random.choice(cases)
            content = random.choice(_MUTATIONS)(random, case.files[name], other.files[other.order[0]])
            case = replace(case, files={**case.files, name: content})
        yield case


def check(case: Case, folder: Path) -> Loaded | None:
    """Load and lower the case; None where it is refused as it should be. Any other exception is a finding.

    AssertionError where what is printed as YAML does not load again to the same document.
    """
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with chdir(folder):
        try:
            loaded = load(Request(case.order), {**HOME, **case.environment})
        except (SpecError, UsageError):
            return None
        json.loads(render(loaded.document, "json"), parse_constant=_no_json)
        _load_again(loaded, folder)
        try:
            lower(loaded)
        except SpecError:
            return None
    return loaded


def _load_again(loaded: Loaded, folder: Path) -> None:
    if loaded.disabled or not loaded.document["services"]:
        return
    printed = folder / "printed.yaml"
    printed.write_text(render(loaded.document, "yaml"), encoding="utf-8")
    again = load(Request((str(printed),), profiles=("*",), project_dir=loaded.working_dir), HOME)
    assert again.document == loaded.document, "what is printed loads again to the same document"


def _no_json(constant: str) -> float:
    raise AssertionError(f"{constant} is no JSON")


def _insert_text(random: Random, content: bytes, _: bytes) -> bytes:
    at = random.randint(0, len(content))
    return content[:at] + random.choice(_TEXTS).encode(errors="surrogateescape") + content[at:]


def _delete(random: Random, content: bytes, _: bytes) -> bytes:
    at = random.randint(0, len(content))
    return content[:at] + content[at + random.randint(1, 20) :]


def _repeat(random: Random, content: bytes, _: bytes) -> bytes:
    start = random.randint(0, len(content))
    piece = content[start : start + random.randint(1, 60)]
    return content[:start] + piece * random.choice((2, 3, 50)) + content[start:]


def _flip(random: Random, content: bytes, _: bytes) -> bytes:
    damaged_bytes = bytearray(content or b" ")
    damaged_bytes[random.randrange(len(damaged_bytes))] = random.randrange(256)
    return bytes(damaged_bytes)


def _splice(random: Random, content: bytes, other: bytes) -> bytes:
    return content[: random.randint(0, len(content))] + other[random.randint(0, len(other)) :]


def _swap_lines(random: Random, content: bytes, _: bytes) -> bytes:
    lines = content.split(b"\n")
    one, two = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    return b"\n".join(lines)


def _edit_tree(random: Random, content: bytes, other: bytes) -> bytes:
    """One value, key or item of the document is put elsewhere, taken out or becomes another."""
    tree, donor = _parsed(content), _parsed(other)
    places = list(_places(tree))
    if not places:
        return content
    parent, key = random.choice(places)
    action = random.randrange(4)
    if action == 0:
        del parent[key]
    elif action == 1:
        parent[key] = random.choice(_VALUES)
    else:
        donated, name = random.choice(list(_places(donor)) or [({"a": 1}, "a")])
        if action == 2 and isinstance(parent, dict) and isinstance(name, str):
            parent[name] = donated[name]
        else:
            parent[key] = donated[name]
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode(errors="surrogatepass")


def _parsed(content: bytes) -> Any:
    try:
        return yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, TypeError, IndexError, AttributeError, OverflowError):  # PyYAML's own findings
        return None


def _places(value: Any, depth: int = 20) -> Iterator[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        if depth:
            yield from _places(value[key], depth - 1)


_Mutation = Callable[[Random, bytes, bytes], bytes]
_MUTATIONS: tuple[_Mutation, ...] = (
    *(_insert_text, _delete, _repeat, _flip, _splice, _swap_lines),
    *(_edit_tree,) * 6,
)


def clear(folder: Path) -> None:
    """Remove the files of a case."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() or path.is_symlink() else path.rmdir()
