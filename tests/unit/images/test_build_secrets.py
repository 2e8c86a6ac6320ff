"""What a build's secrets contain, and what their hash gives away."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import SpecError
from reconciler.images.build_secrets import LARGEST, LARGEST_VARIABLE, secret_content, secret_hash
from reconciler.model.project import BuildSecret

if TYPE_CHECKING:
    from pathlib import Path


def test_a_content_is_what_was_written(tmp_path: Path) -> None:
    """Byte by byte, from the environment or a file."""
    (tmp_path / "s").write_bytes(b"a\xff\n")
    assert secret_content(BuildSecret("s", str(tmp_path / "s"))) == b"a\xff\n"
    assert secret_content(BuildSecret("s", content="a\udcff\n")) == b"a\xff\n"


def test_the_hash_depends_on_what_else_is_built() -> None:
    """The same secret in another build has another hash: one guess is worth nothing elsewhere."""
    secret = BuildSecret("s", content="a")
    assert secret_hash(secret, b"1") == secret_hash(secret, b"1")
    assert secret_hash(secret, b"1") != secret_hash(secret, b"2")


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "large"])
def test_a_file_that_no_build_can_use_is_named(tmp_path: Path, kind: str) -> None:
    """With the id of the secret; a pipe is not waited for."""
    path = tmp_path / "s"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "large":
        path.write_bytes(b"x" * (LARGEST + 1))
    with pytest.raises(SpecError) as caught:
        secret_content(BuildSecret("token", str(path)))
    assert caught.value.message.startswith(f"the secret token of the build: the file {path} ")


def test_a_variable_has_a_limit_of_its_own() -> None:
    """No program could be given it."""
    with pytest.raises(SpecError, match="the secret s of the build: its variable is larger than 100 kB"):
        secret_content(BuildSecret("s", content="x" * (LARGEST_VARIABLE + 1)))
