"""Programs within bounds, and a fetch that was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from reconciler.source.git.process import Bounds, Finished, run
from tests.support.git_server import Forge, Repository
from tests.support.git_source import SPEC, source

MEBIBYTE = 1024 * 1024
BOUNDS = {"seconds": 20.0, "output": MEBIBYTE, "file": MEBIBYTE, "memory": 512 * MEBIBYTE}


def shell(script: str, folder: Path, **more: object) -> Finished:
    bounds = Bounds(**{**BOUNDS, **more})  # type: ignore[arg-type]
    return run(("sh", "-c", script), {"PATH": os.environ["PATH"]}, folder, bounds)


def test_a_program_that_ends_by_itself(tmp_path: Path) -> None:
    """It sees the environment that it is given, and no input."""
    done = shell("cat; echo out $HOME; echo err >&2; exit 3", tmp_path)
    assert done == Finished(3, b"out\n", b"err\n")
    assert shell("true", tmp_path).good
    assert not done.good


@pytest.mark.parametrize("then", ["; wait", ""])
def test_all_that_it_started_ends_with_it(tmp_path: Path, then: str) -> None:
    """Also where the program itself has ended, but a child still has its output."""
    number = tmp_path / "number"
    script = f"sleep 60 & echo $! > beside; mv beside number{then}"
    done = shell(script, tmp_path, guard=lambda: not number.exists())
    assert (done.ended, done.good) == ("guard", False)
    assert gone(int(number.read_text()))


@pytest.mark.parametrize("script", ["sleep 60", "exec >/dev/null 2>&1; sleep 60", "sleep 60 &"])
def test_time_is_bounded(tmp_path: Path, script: str) -> None:
    """Whoever has the output, and where it is closed."""
    assert shell(script, tmp_path, seconds=0.2).ended == "time"


def test_output_is_bounded(tmp_path: Path) -> None:
    done = shell("yes", tmp_path)
    assert done.ended == "output"
    assert len(shell("yes | head -c 1000000 >&2; echo last >&2", tmp_path).err) <= 64 * 1024


def test_the_guard_ends_it(tmp_path: Path) -> None:
    assert shell("sleep 60", tmp_path, guard=lambda: False).ended == "guard"
    assert shell("touch over", tmp_path, guard=lambda: not (tmp_path / "over").exists()).ended == "guard"


def test_files_and_memory_are_bounded(tmp_path: Path) -> None:
    bounded = "until [ $(ulimit -f) != unlimited ]; do :; done"  # the bounds are put on it when it runs already
    assert not shell(f"{bounded}; head -c 3000000 /dev/zero > file", tmp_path).good
    assert (tmp_path / "file").stat().st_size == MEBIBYTE
    hungry = f"{sys.executable} -S -c 'bytearray({600 * MEBIBYTE})'"
    assert b"MemoryError" in shell(f"{bounded}; {hungry}", tmp_path).err


def gone(pid: int) -> bool:
    """Whether a process has ended, soon."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


_CHILD = """
import json, sys
from pathlib import Path
from reconciler.model.settings import GitRef, GitSource
from reconciler.source.git.repository import GitRepository
url, folder = json.loads(sys.argv[1])
GitRepository(GitSource("shop", url, GitRef("branch", "main")), Path(folder)).fetch()
"""


@pytest.mark.parametrize("first", [True, False])
def test_a_fetch_that_was_killed_is_begun_anew(
    forge: Forge, repository: Repository, tmp_path: Path, first: bool
) -> None:
    """Killed by -9 with half of a pack on the disk: the next process throws that away, and has all."""
    repository.commit({"compose.yaml": SPEC})
    before = None if first else source(forge, tmp_path).fetch()
    last = repository.commit({"compose.yaml": SPEC, "large": os.urandom(MEBIBYTE)})
    forge.half = threading.Event()
    arguments = json.dumps([f"{forge.url}/shop.git", str(tmp_path / "data")])
    child = subprocess.Popen([sys.executable, "-c", _CHILD, arguments])
    assert forge.half.wait(20)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    forge.half = None
    assert (tmp_path / "data/fetching").exists()
    (tmp_path / "data/objects/sha1.git/shallow.lock").touch()
    again = source(forge, tmp_path)
    assert again.kept() == before
    checkout = again.fetch()
    assert checkout.revision.commit == last
    assert len(Path(checkout.root, "large").read_bytes()) == MEBIBYTE
    assert not (tmp_path / "data/fetching").exists()
    assert not list((tmp_path / "data").rglob("tmp_pack*"))
