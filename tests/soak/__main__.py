"""The service for a while, on a simulated and on the real engine at once. `bash tests/run.sh soak`.

    SOAK_SECONDS=600 python -m tests.soak [simulated] [real]

After everything runs and a warm-up, things happen at random for most of the time, then nothing does. What each process
uses when all is in sync is compared from before to after, and its CPU is measured where nothing happens. Prints a table
and exits 1 where a bar is missed.
"""

# ruff: noqa: T201  (its table is its result)
from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.soak.subject import Figures, Subject, typical
from tests.soak.subjects import real, simulated

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS = {"simulated": simulated, "real": real}
MEBIBYTE = 1024 * 1024
MOST_GROWTH = 5.0  # MiB
MOST_IDLE = 1.0  # percent of a core
SAMPLES = 10
RELEASES = 4  # of everything at once: after so many the process has seen its largest working set
WARM_UP, BUSY, IDLE = 0.2, 0.6, 0.2
REST = 5.0


@dataclass(frozen=True)
class Verdict:
    """One figure of a service, the bar it is held against, and whether it passes."""

    subject: str
    what: str
    figure: str
    bar: str
    ok: bool

    def __str__(self) -> str:
        """A line of the table."""
        return f"{self.subject:<24} {self.what:<34} {self.figure:>26}  {self.bar:<12} {'ok' if self.ok else 'MISSED'}"


def main() -> int:
    """Runs what the command line names, or both; the exit code."""
    chosen = sys.argv[1:] or list(PARTS)
    if unknown := set(chosen) - PARTS.keys():
        print(f"no part called {unknown.pop()}: {' or '.join(PARTS)}", file=sys.stderr)
        return 64
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended, what was made removed
    seconds = float(os.environ.get("SOAK_SECONDS") or 600)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        subjects = [stack.enter_context(PARTS[part](folder / part)) for part in chosen]
        verdicts = list(soak(subjects, seconds))
        print("\n" + "\n".join(map(str, verdicts)))
        missed = sum(not verdict.ok for verdict in verdicts)
        for subject in subjects:
            if missed:
                print(f"\n{subject.name}, last lines of its log:\n{_tail(subject.log)}")
    return int(missed > 0)


def soak(subjects: list[Subject], seconds: float) -> Iterator[Verdict]:
    """The whole of it; a verdict for everything that is held against a bar."""
    yield from _in_sync(subjects, "in sync after the start")
    _disturb(subjects, WARM_UP * seconds)
    for number in range(RELEASES):
        yield from _in_sync(subjects, f"in sync, warming up {number + 1}", release=True)
    before = _rest(subjects, REST)
    _disturb(subjects, BUSY * seconds)
    yield from _in_sync(subjects, "in sync at the end", release=True)
    quiet = _rest(subjects, REST)
    after = _rest(subjects, max(IDLE * seconds, REST))
    for number, subject in enumerate(subjects):
        yield from _compared(subject, before[number], quiet[number], after[number], max(IDLE * seconds, REST))
    for subject in subjects:
        said = subject.end()
        yield Verdict(subject.name, "ends on SIGTERM", said or "exit 0", "exit 0", not said)


def _compared(subject: Subject, before: Figures, quiet: Figures, after: Figures, seconds: float) -> Iterator[Verdict]:
    grown = (after.rss - before.rss) / MEBIBYTE
    sizes = f"{before.rss / MEBIBYTE:.1f} -> {after.rss / MEBIBYTE:.1f} MiB"
    yield Verdict(
        subject.name,
        f"memory after {subject.events} events",
        f"{grown:+.1f}: {sizes}",
        f"< {MOST_GROWTH:.0f} MiB",
        grown < MOST_GROWTH,
    )
    for what in ("threads", "descriptors"):
        was, now = getattr(before, what), getattr(after, what)
        yield Verdict(subject.name, what, f"{was} -> {now}", "no growth", now <= was)
    idle = 100 * (after.cpu - quiet.cpu) / seconds
    yield Verdict(
        subject.name,
        f"CPU in {seconds:.0f} idle seconds",
        f"{idle:.2f} % of a core",
        f"<= {MOST_IDLE} %",
        idle <= MOST_IDLE,
    )


def _in_sync(subjects: list[Subject], what: str, *, release: bool = False) -> Iterator[Verdict]:
    """Whether everything comes into sync; `release`: at a new version, as one that failed meanwhile is held back."""
    before = [subject.rollouts() if release else {} for subject in subjects]
    for subject in subjects if release else []:
        subject.specs.write_all()
    began = time.monotonic()
    for number, subject in enumerate(subjects):
        said = subject.wait_in_sync(before[number])
        figure = said or f"in {time.monotonic() - began:.0f} s"
        print(f"{subject.name}: {what}: {figure}", flush=True)
        yield Verdict(subject.name, what, figure, "", not said)


def _disturb(subjects: list[Subject], seconds: float) -> None:
    """Let things happen for so long, and say every minute how it is."""
    until = time.monotonic() + seconds
    told = time.monotonic()
    while (now := time.monotonic()) < until:
        for subject in subjects:
            subject.disturb(now)
        if now - told >= 60:
            told = now
            _tell(subjects, until - now)
        time.sleep(0.05)


def _tell(subjects: list[Subject], left: float) -> None:
    for subject in subjects:
        found = subject.take()
        print(
            f"{subject.name}: {subject.events} events, {found.rss / MEBIBYTE:.1f} MiB, {found.threads} threads, "
            f"{found.descriptors} descriptors, {found.cpu:.0f} s of CPU; {left:.0f} s to go",
            flush=True,
        )


def _rest(subjects: list[Subject], seconds: float) -> list[Figures]:
    """Nothing happens for so long; what each uses meanwhile."""
    samples: list[list[Figures]] = [[] for _ in subjects]
    for _ in range(SAMPLES):
        time.sleep(seconds / SAMPLES)
        for number, subject in enumerate(subjects):
            samples[number].append(subject.take())
    return [typical(found) for found in samples]


def _tail(log: Path) -> str:
    return "\n".join(log.read_text().splitlines()[-10:])


if __name__ == "__main__":
    sys.exit(main())
