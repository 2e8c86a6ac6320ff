"""Our ignore rules against the docker CLI's own: what a real build copies must be what we would send."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import uuid
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import SpecError
from reconciler.images.context import read_context
from reconciler.model.project import Build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engine

FILES = (
    "a.txt", "b.txt", "[a].txt", "#hash", "!bang", "build.log", "build/out.o", "BUILD/keep", "xbuild/x",
    "docs/keep.md", "docs/drop.md", "docs/sub/keep.md", "docs/sub/x.txt", "src/a.go", "src/a_test.go",
    "src/deep/b_test.go", "node_modules/x/index.js", "pkg/node_modules/y.js", "c/d/e/f.txt", ".git/config",
    "sp ace.txt", "ünïcode.txt", "a+b(c).txt",
)  # fmt: skip
CASES = {
    "case-sensitive": b"build\n",
    "star": b"*.txt\n",
    "any depth": b"**/*.txt\n",
    "class with a literal exclamation mark": b"[!a].txt\n",
    "negated class": b"[^a].txt\n",
    "range": b"[a-b].txt\n",
    "escaped class": b"\\[a].txt\n",
    "escaped hash": b"\\#hash\n",
    "escaped exclamation mark": b"\\!bang\n",
    "comment": b"#hash\n",
    "hash after a space": b" #hash\n",
    "byte order mark": b"\xef\xbb\xbfa.txt\n",
    "kept below": b"docs\n!docs/keep.md\n",
    "kept folder": b"docs/*\n!docs/sub\n",
    "all but": b"*\n!src\n",
    "all but, deep": b"**\n!src/deep\n",
    "left out again": b"docs\n!docs/sub\ndocs/sub/x.txt\n",
    "order": b"!docs/keep.md\ndocs\n",
    "repeated folder after an exception": b"docs\n!docs/sub/keep.md\ndocs\n",
    "folder at any depth": b"**/node_modules\n",
    "trailing slash": b"node_modules/\n",
    "leading slash": b"/build\n",
    "dots": b"./build/../a.txt\n",
    "double star between": b"src/**/*_test.go\n",
    "double star at the end": b"docs/**\n",
    "double star without a slash": b"**.txt\n",
    "question mark": b"doc?\n",
    "one level": b"c/*/e\n",
    "line ends of Windows": b"a.txt\r\nb.txt\r\n",
    "cleaned into an exception": b"*.txt\n./!a.txt\n",
    "plus and brackets": b"a+b(c).txt\n",
    "spaces and letters": "sp ace.txt\nü*\n".encode(),
    "dockerfile and ignore file": b"Dockerfile\n.dockerignore\n",
    "nothing": b"",
}


def docker(*arguments: str) -> bytes:
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, env=environment).stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("a.txt")
    unshared = f"LABEL built-for={uuid.uuid4().hex}"  # no layer is another image's, which may go any time
    (tmp_path / "Dockerfile").write_text(f"FROM scratch\n{unshared}\nLABEL io.reconciler.test=1\nCOPY . /context/\n")
    return tmp_path


@pytest.fixture
def tag() -> Iterator[str]:
    name = f"rcdk-ignore:{uuid.uuid4().hex[:12]}"
    yield name
    docker("image", "rm", name)


def copied(root: Path, tag: str) -> set[str]:
    """The paths below /context in an image built by the docker CLI."""
    docker("build", "--quiet", "--tag", tag, str(root))
    container = docker("create", "--label", "io.reconciler.test=1", tag, "none").decode().strip()
    try:
        exported = docker("export", container)
    finally:
        docker("rm", container)
    with tarfile.open(fileobj=io.BytesIO(exported)) as archive:
        names = [member.name.rstrip("/") for member in archive]
    return {name.removeprefix("context/") for name in names if name.startswith("context/")}


@pytest.mark.parametrize("lines", CASES.values(), ids=CASES.keys())
def test_same_files_as_the_docker_cli(tree: Path, tag: str, lines: bytes) -> None:
    """Whatever the docker CLI would copy is what is hashed and sent, and nothing else."""
    (tree / ".dockerignore").write_bytes(lines)
    context = read_context(Build(str(tree), str(tree / "Dockerfile")))
    assert {entry.path for entry in context.entries} == copied(tree, tag)


@pytest.mark.parametrize("lines", [b"!\n", b"a[\n", b"tail\\\n"])
def test_same_patterns_refused_as_by_the_docker_cli(tree: Path, lines: bytes) -> None:
    """What the docker CLI refuses is refused here, and by name."""
    (tree / ".dockerignore").write_bytes(lines)
    with pytest.raises(subprocess.CalledProcessError):
        docker("build", "--quiet", str(tree))
    with pytest.raises(SpecError):
        read_context(Build(str(tree), str(tree / "Dockerfile")))
