"""A pass over a build that needs nothing: a context of 5,000 files and 200 MB is read for its key. Needs no engine.

Alone: BENCH_ONLY=build. Beside it reading and hashing those files, one after another. Both are processes of their own,
timed after their imports: what is compared is the pass.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILES, FOLDERS, BYTES = 5000, 100, 200 * 1000 * 1000
BAR_RATIO, BAR_MB = 1.3, 150.0
_IGNORED = ".git\n**/*.tmp\nnode_modules\ndocs/*.md\n!docs/README.md\n*.log\n"

_LIMIT = """
import hashlib
began = time.perf_counter()
found = sorted(os.path.join(folder, name) for folder, _, names in os.walk(sys.argv[1]) for name in names)
for path in found:
    with open(path, "rb") as file:
        hashlib.file_digest(file, "sha256").digest()
"""
_OURS = """
from reconciler.images.build_key import with_content, with_key
from reconciler.model.project import Build
began = time.perf_counter()
build = with_content(Build(sys.argv[1], os.path.join(sys.argv[1], "Dockerfile")), "bench", "web", "", None)
assert with_key(build, {}).key
"""
_MEASURED = """
import json, os, resource, sys, time
{work}
wall = time.perf_counter() - began
usage = resource.getrusage(resource.RUSAGE_SELF)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print(json.dumps([wall, usage.ru_utime + usage.ru_stime, int(peak) / 1024]))
"""


@dataclass(frozen=True)
class Sample:
    """One pass: wall seconds, CPU seconds and peak MB of its process."""

    wall: float
    cpu: float
    rss: float


Results = dict[str, list[Sample]]


def make(root: Path) -> Path:
    """The context: files of many sizes that add up to BYTES, in folders."""
    chooser = random.Random(5)  # noqa: S311 - sizes of files
    weights = [chooser.paretovariate(1.2) for _ in range(FILES)]
    block = chooser.randbytes(1 << 20)
    for number, weight in enumerate(weights):
        folder = root / f"part-{number % FOLDERS:02d}" / "src"
        folder.mkdir(parents=True, exist_ok=True)
        size = int(BYTES * weight / sum(weights))
        start = chooser.randrange(len(block))
        content = (block[start:] + block * (size // len(block) + 1))[:size]
        (folder / f"file-{number}.bin").write_bytes(content)
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (root / ".dockerignore").write_text(_IGNORED)
    return root


def one_pass(work: str, root: Path) -> Sample:
    """A process that does it."""
    code = _MEASURED.format(work=work)
    done = subprocess.run([sys.executable, "-c", code, str(root)], check=True, capture_output=True, text=True)
    return Sample(*json.loads(done.stdout))


def measure(folder: Path, rounds: int) -> Results:
    """All rounds: who -> samples; they take turns at going first. The files are in memory before the first."""
    root = make(folder / "context")
    works = {"limit": _LIMIT, "reconcile": _OURS}
    one_pass(_LIMIT, root)
    results: Results = {name: [] for name in works}
    for number in range(rounds):
        for name in list(works)[:: 1 if number % 2 else -1]:
            print(f"keys of builds, round {number + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            results[name].append(one_pass(works[name], root))
    return results


def report(results: Results) -> None:
    """Prints the figures and whether the bars are met."""
    print(f"\nthe key of a context of {FILES} files, {BYTES // 1_000_000} MB, {os.cpu_count()} cores")
    print(f"{'who':<10} {'wall s':>8} {'min-max':>15} {'cpu s':>8} {'rss MB':>8}")
    for name, samples in results.items():
        walls = [sample.wall for sample in samples]
        cpu, rss = (median(getattr(sample, field) for sample in samples) for field in ("cpu", "rss"))
        print(f"{name:<10} {median(walls):>8.3f} {f'{min(walls):.3f}-{max(walls):.3f}':>15} {cpu:>8.2f} {rss:>8.0f}")
    ratio = _typical(results["reconcile"], "wall") / _typical(results["limit"], "wall")
    peak = _typical(results["reconcile"], "rss")
    for what, value, bar in (("key / limit", ratio, BAR_RATIO), ("peak RSS, MB", peak, BAR_MB)):
        print(f"{what:<26} {value:>7.2f}   bar {bar:<5} {'met' if value <= bar else 'MISSED'}")


def _typical(samples: list[Sample], field: str) -> float:
    return float(median(getattr(sample, field) for sample in samples))
