"""Our ignore rules against the docker CLI's own: what a real build copies must be what we would send."""

from __future__ import annotations

import subprocess
import uuid
from random import Random
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import SpecError
from reconciler.images.context import read_context
from reconciler.model.project import Build
from tests.support.builders import has_buildx
from tests.support.ignoring import (
    by_buildkit,
    by_classic_builder,
    docker,
    kept_as_classic,
    kept_here,
    many,
    single,
    wrong_cases,
)

if TYPE_CHECKING:
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


@pytest.mark.parametrize("lines", CASES.values(), ids=CASES.keys())
def test_same_files_as_the_docker_cli(tree: Path, lines: bytes) -> None:
    """Whatever the docker CLI would copy is what is hashed and sent, and nothing else."""
    (tree / ".dockerignore").write_bytes(lines)
    context = read_context(Build(str(tree), str(tree / "Dockerfile")))
    assert {entry.path for entry in context.entries} == by_classic_builder(tree)


@pytest.mark.parametrize("lines", [b"!\n", b"a[\n", b"tail\\\n"])
def test_same_patterns_refused_as_by_the_docker_cli(tree: Path, lines: bytes) -> None:
    """What the docker CLI refuses is refused here, and by name."""
    (tree / ".dockerignore").write_bytes(lines)
    with pytest.raises(subprocess.CalledProcessError):
        docker("build", "--quiet", str(tree), buildkit=False)
    with pytest.raises(SpecError):
        read_context(Build(str(tree), str(tree / "Dockerfile")))


@pytest.mark.parametrize("seed", [1, 2])
def test_random_patterns_by_the_classic_cli(tmp_path: Path, seed: int) -> None:
    """Eighty ignore files in one build, and one whose patterns stand at the root."""
    random = Random(seed)  # noqa: S311 - patterns are no secret
    for context in (many(random, tmp_path / "many", 80), single(random, tmp_path / "single")):
        assert not list(wrong_cases(context, by_classic_builder(context.root), kept_as_classic(context)))


@pytest.mark.parametrize("seed", [3, 4])
def test_random_patterns_by_buildx(tmp_path: Path, seed: int) -> None:
    """The same; what is sent is compared as it is."""
    if not has_buildx():
        pytest.skip("the docker CLI has no buildx")
    random = Random(seed)  # noqa: S311 - patterns are no secret
    for context in (many(random, tmp_path / "many", 80), single(random, tmp_path / "single")):
        assert not list(wrong_cases(context, by_buildkit(context.root), kept_here(context)))


@pytest.mark.parametrize("builder", ["classic", "buildx"])
def test_the_ignore_file_of_the_dockerfile_is_what_buildx_prefers(tmp_path: Path, builder: str) -> None:
    """`NAME.dockerignore` beside the Dockerfile, also where that lies elsewhere; only the classic CLI has none."""
    context = single(Random(5), tmp_path)  # noqa: S311 - patterns are no secret
    (tmp_path / ".dockerignore").write_text("a\n")
    (tmp_path / "Dockerfile.dockerignore").write_text("b\n")
    assert kept_here(context) & {"a", "b"} == {"a"}
    if builder == "classic":
        assert by_classic_builder(tmp_path) & {"a", "b"} == {"b"}
    elif has_buildx():
        assert by_buildkit(tmp_path) & {"a", "b"} == {"a"}
