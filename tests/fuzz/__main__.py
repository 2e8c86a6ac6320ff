"""Loads damaged compose projects until the time is over: `FUZZ_SECONDS` (60), `FUZZ_SEED` (a new one each run).

Where an engine answers, a third of the time goes to random ignore files, held against the docker CLI. Exits 1 at the
first case that hangs, raises what it may not, or does not load again; its files are kept and named.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from random import Random
from types import FrameType

from tests.fuzz import ignoring
from tests.support.fuzzing import check, clear, damaged, recorded

LONGEST = 10.0


class HangError(BaseException):
    """A case took longer than LONGEST seconds."""


def main() -> int:
    """The exit code."""
    seed = int(os.environ.get("FUZZ_SEED") or secrets.randbelow(2**32))
    seconds = float(os.environ.get("FUZZ_SECONDS") or 60)
    sys.stdout.write(f"FUZZ_SEED={seed} FUZZ_SECONDS={seconds:g}\n")
    sys.stdout.flush()
    signal.signal(signal.SIGALRM, _hang)
    random, engine = Random(seed), ignoring.answers()  # noqa: S311  damage is no secret
    failed = _run(random, time.monotonic() + (seconds * 2 / 3 if engine else seconds))
    if not engine:
        sys.stdout.write("no engine here: ignore files were left out\n")
    return failed or (ignoring.run(random, time.monotonic() + seconds / 3) if engine else 0)


def _run(random: Random, end: float) -> int:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-")).resolve() / "shop"
    tried = loaded = 0
    for case in damaged(random, recorded()):
        if time.monotonic() > end:
            break
        folder.mkdir(exist_ok=True)
        signal.setitimer(signal.ITIMER_REAL, LONGEST)
        try:
            loaded += check(case, folder) is not None
        except (Exception, HangError):  # noqa: BLE001  whatever it is, it is what is looked for
            signal.setitimer(signal.ITIMER_REAL, 0)
            traceback.print_exc()
            sys.stderr.write(f"case {tried}, {case.order} with {dict(case.environment)}: kept in {folder}\n")
            return 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        clear(folder)
        tried += 1
    folder.rmdir()
    folder.parent.rmdir()
    sys.stdout.write(f"{tried} cases, of which {loaded} loaded\n")
    return 0


def _hang(_: int, __: FrameType | None) -> None:
    raise HangError


if __name__ == "__main__":
    sys.exit(main())
