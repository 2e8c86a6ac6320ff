"""Random ignore files, by our rules and by the docker CLI's, classic and buildx, until the time is over."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.builders import has_buildx
from tests.support.ignoring import (
    Context,
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
    from random import Random

AT_ONCE = 100


def answers() -> bool:
    """Whether there is a docker CLI and an engine behind it."""
    try:
        docker("version")
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def run(random: Random, end: float) -> int:
    """The exit code: 1 at the first context in which a case differs; its patterns are printed."""
    tried, rounds, buildx = 0, 0, has_buildx()
    while time.monotonic() < end:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            root = Path(folder) / "context"
            context = many(random, root, AT_ONCE) if rounds % 2 else single(random, root)
            if wrong := _compared(context, buildx=buildx):
                sys.stderr.write("\n".join(wrong) + "\n")
                return 1
            tried, rounds = tried + len(context.cases), rounds + 1
    builders = "both builders" if buildx else "the classic builder alone"
    sys.stdout.write(f"{tried} ignore files by {builders}\n")
    return 0


def _compared(context: Context, *, buildx: bool) -> list[str]:
    wrong = [*wrong_cases(context, by_classic_builder(context.root), kept_as_classic(context))]
    if buildx:
        wrong += wrong_cases(context, by_buildkit(context.root), kept_here(context))
    return wrong
