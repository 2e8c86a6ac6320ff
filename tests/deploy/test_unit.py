"""deploy/reconciler.service: systemd takes it, and it stays as shut as it is."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy/reconciler.service"
EXPOSURE = 2.0  # systemd calls 0 perfect, 10 dangerous


@pytest.fixture
def analyzed(tmp_path: Path) -> Path:
    """The unit, with a program that is on this machine."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    found = tmp_path / UNIT.name
    found.write_text(re.sub("^(ExecStart)=.*$", r"\1=/bin/true", UNIT.read_text(), flags=re.MULTILINE))
    return found


def test_systemd_takes_it(analyzed: Path) -> None:
    """Without a word."""
    done = subprocess.run(["systemd-analyze", "verify", str(analyzed)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_shut(analyzed: Path) -> None:
    """By systemd's own count."""
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE * 10:.0f}", str(analyzed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(rf"Overall exposure level for {UNIT.name}: [01]\.\d", done.stdout)
