"""Random ignore files, many in one context, and what the docker CLI copies of it: for the differential tests and fuzz.

Each case has a folder of its own in one context, with the same files, and its patterns have the folder before them: one
build answers for all of them. What a pattern means at the root is tried with contexts of a single case.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import SpecError
from reconciler.images.context import read_context
from reconciler.images.dockerignore import Ignore, Verdict, parse_ignore
from reconciler.model.project import Build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

FILES = (
    *("a", "b", "ab", "a.b", "B", "-", "]", "é", "a b", "*", "[a]", "^a", "a^", "1", "(a)", "a+", "|", "{a}", "$a"),
    *("d/a", "d/b", "d/ab", "d/d/a", "d/d/a.b", "d/e/B", "e/a", "e/d/b", "e/d/d/ab", "a.d/a", "D/a"),
)
_OWN = {"Dockerfile", ".dockerignore"}
_PIECES = (
    *("a", "b", "ab", "a.b", "B", "d", "e", "D", "a.d", "-", "é"),
    *("*", "**", "?", "a*", "*b", "*.*", "?b", "a?", "**b", "a**", "***", "*?", "d*"),
    *("[ab]", "[^a]", "[a-c]", "[!a]", "[]]", "[a-", "[\\]]", "\\*", "\\[a]", "\\a", "[^ab]*", "[d-e]", "[*]"),
    *("^a", "^*", "^", "a^", "*^", "(a)", "(*)", "a+", "?+", "|", "{a}", "{*", "{1,}", "$a", "$*", "*$"),
    *("\\d", "\\w*", "\\S", "\\W?", "\\(a)", "\\^a", "[\\^]a", "[.$]", "[(+|]", "a[^]]"),
    *("..", ".", ""),
)


@dataclass(frozen=True)
class Context:
    """A context on disk, and the ignore file of each of its cases by the case's folder ("": the root itself)."""

    root: Path
    cases: dict[str, str]


def random_lines(random: Random, folder: str) -> str:
    """An ignore file that our parser takes, of one to five patterns that mean nothing outside of the folder."""
    while True:
        lines = "\n".join(_pattern(random) for _ in range(random.randint(1, 5)))
        if not folder or ".." not in re.split("[/\n]", lines):
            try:
                parse_ignore("\n".join(_prefixed(line, folder) for line in lines.split("\n")).encode(), "random")
            except SpecError:
                continue
            return lines


def many(random: Random, root: Path, count: int) -> Context:
    """A context of so many cases."""
    return _written(root, {name: random_lines(random, name) for name in (f"case-{number}/" for number in range(count))})


def single(random: Random, root: Path) -> Context:
    """A context of one case, whose patterns stand as they are."""
    return _written(root, {"": random_lines(random, "")})


def wrong_cases(context: Context, copied: set[str], kept: set[str]) -> Iterator[str]:
    """For each case that the docker CLI sees otherwise: its ignore file, and what only one of the two copies.

    The Dockerfile and the ignore file are left out: the classic builder of the engine decides on them by rules of its
    own, which are older than the CLI's on an older engine.
    """
    for folder, lines in context.cases.items():
        theirs, ours = ({path for path in paths - _OWN if path.startswith(folder)} for paths in (copied, kept))
        if theirs != ours:
            yield f"{lines!r}: only docker {sorted(theirs - ours)}, only here {sorted(ours - theirs)}"


def kept_here(context: Context) -> set[str]:
    """What we would send."""
    root = context.root
    return {entry.path for entry in read_context(Build(str(root), str(root / "Dockerfile"))).entries}


def kept_as_classic(context: Context) -> set[str]:
    """The same, but without what the classic CLI never looks for.

    It walks into a folder that is left out only where the folder itself is written in a `!` pattern.
    """
    ignore = parse_ignore((context.root / ".dockerignore").read_bytes(), ".dockerignore")
    return set(_walk(context.root, "", ignore, None))


def by_classic_builder(root: Path) -> set[str]:
    """What `docker build` copies, by the classic builder; nothing of it stays."""
    tag = f"rcdk-ignore:{uuid.uuid4().hex[:12]}"
    docker("build", "--quiet", "--tag", tag, str(root), buildkit=False)
    try:
        container = docker("create", "--label", "io.reconciler.test=1", tag, "none").decode().strip()
        exported = docker("export", container)
        docker("rm", container)
    finally:
        docker("image", "rm", tag)
    return _below_context(exported)


def by_buildkit(root: Path) -> set[str]:
    """What `docker buildx build` copies; no image is made."""
    return _below_context(docker("buildx", "build", "--quiet", "--output=type=tar,dest=-", str(root)))


def docker(*arguments: str, buildkit: bool = True) -> bytes:
    """What the docker CLI prints; CalledProcessError where it fails."""
    environment = {**os.environ, "DOCKER_BUILDKIT": str(int(buildkit))}
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, env=environment).stdout


def _pattern(random: Random) -> str:
    pieces = (random.choice(_PIECES) for _ in range(random.choice((1, 1, 2, 2, 3, 4))))
    return "!" * (random.random() < 1 / 3) + "/".join(pieces) + "/" * (random.random() < 1 / 10)


def _written(root: Path, cases: dict[str, str]) -> Context:
    prefixed = []
    for folder, lines in cases.items():
        for name in FILES:
            path = root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        prefixed += [_prefixed(line, folder) for line in lines.split("\n")]
    (root / ".dockerignore").write_text("\n".join(prefixed))
    unshared = f"LABEL io.reconciler.test=1 built-for={uuid.uuid4().hex}"
    (root / "Dockerfile").write_text(f"FROM scratch\n{unshared}\nCOPY . /context/\n")
    return Context(root, cases)


def _prefixed(line: str, folder: str) -> str:
    return f"!{folder}{line[1:]}" if line.startswith("!") else f"{folder}{line}"


def _walk(folder: Path, prefix: str, ignore: Ignore, above: Verdict | None) -> Iterator[str]:
    for child in sorted(folder.iterdir()):
        path = f"{prefix}{child.name}"
        verdict = ignore.verdict(path, above)
        inside: list[str] = []
        if child.is_dir() and (not verdict.ignored or _is_written(path, ignore)):
            inside = list(_walk(child, f"{path}/", ignore, verdict))
        if inside or not verdict.ignored:
            yield path
        yield from inside


def _is_written(folder: str, ignore: Ignore) -> bool:
    return any(pattern.keeps and f"{pattern.text}/".startswith(f"{folder}/") for pattern in ignore.patterns)


def _below_context(exported: bytes) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(exported)) as archive:
        names = [member.name.rstrip("/") for member in archive]
    return {name.removeprefix("context/") for name in names if name.startswith("context/")}
