"""The README's commands, as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engine.gallery import SPECS, Gallery

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
COMMAND = re.compile(r"^\.venv/bin/(reconcile .*?)(?:\s+#.*)?$", re.MULTILINE)


@pytest.fixture
def own_files(tmp_path: Path) -> Iterator[Gallery]:
    """A folder with a compose.yaml, as the README assumes; its name is the project's."""
    folder = tmp_path / f"reconciler-test-readme-{os.getpid()}"
    shutil.copytree(SPECS / "hello", folder)
    made = Gallery(folder, folder.name)
    yield made
    made.remove()


def test_commands_do_what_the_readme_shows(own_files: Gallery) -> None:
    """Every `reconcile` command of the quick start succeeds in a folder with a compose.yaml."""
    commands = COMMAND.findall((ROOT / "README.md").read_text())
    assert len(commands) > 3
    for command in commands:
        arguments = [str(Path(sys.executable).parent / "reconcile"), *shlex.split(command)[1:]]
        done = subprocess.run(arguments, cwd=own_files.spec, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert own_files.containers()


def test_links_lead_somewhere() -> None:
    """Every relative link of the README and of the gallery's page names a file of the project."""
    for page in (ROOT / "README.md", SPECS / "README.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
