"""Proves on a real engine that a rollout survives `kill -9` and a bad image. `bash tests/run.sh proof`.

    python -m tests.proof [kill] [bad]

Prints a line for every run and exits 1 where one of them misses what it has to hold. Everything that the program asks
of the engine goes through the guard that the engine suite runs under.
"""

# ruff: noqa: T201  (its table is its result)
from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from tests.proof import bad, kill
from tests.proof.lab import lab
from tests.proof.line import heading

if TYPE_CHECKING:
    from tests.proof.lab import Lab

PARTS = {"kill": kill.prove, "bad": bad.prove}
FEWEST_KILLS = 30


def main() -> int:
    """Runs what the command line names, or all; the exit code."""
    chosen = sys.argv[1:] or list(PARTS)
    if unknown := set(chosen) - PARTS.keys():
        print(f"no part called {unknown.pop()}: {' or '.join(PARTS)}", file=sys.stderr)
        return 64
    missed = 0
    with lab() as found:
        for part in chosen:
            missed += _run(part, found)
    return int(missed > 0)


def _run(part: str, found: Lab) -> int:
    """Run one part and print its table; how many bars were missed."""
    print(f"\n{heading(part)}", flush=True)
    began, lines = time.monotonic(), []
    for line in PARTS[part](found):
        lines.append(line)
        print(line.text, flush=True)
    missed = sum(bool(line.trouble) for line in lines)
    print(f"{len(lines)} runs, {missed} missed, {time.monotonic() - began:.0f} s")
    if part == "kill" and len(lines) < FEWEST_KILLS:
        print(f"only {len(lines)} runs: at least {FEWEST_KILLS} are due")
        missed += 1
    return missed


if __name__ == "__main__":
    sys.exit(main())
