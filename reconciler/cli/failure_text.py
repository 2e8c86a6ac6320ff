"""What a container that failed left behind: exit code, health checks, last lines. Part of reports and histories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from reconciler.cli.palette import Palette
from reconciler.cli.values import clean, shorten
from reconciler.model.memory import Failure
from reconciler.model.observed import Probe

_PROBES = 5


def remains_lines(failure: Failure, log: str, palette: Palette, *, width: int, indent: str, most: int) -> Iterator[str]:
    """What the container of a failure left behind, with at most `most` lines of its log; nothing where nothing is."""
    if failure.exit_code is not None:
        yield palette.faint(f"{indent}exit code {failure.exit_code}")
    probes = [_probe(probe, sum(1 for _ in same)) for probe, same in groupby(failure.health_log, _without_time)]
    yield from _quoted("health log:", probes[-_PROBES:], palette, width, indent)
    lines = clean(log.rstrip()).split("\n")[-most:] if log.strip() else []
    yield from _quoted(f"last lines of {failure.container}:", lines, palette, width, indent)


def _without_time(probe: Probe) -> tuple[int, str]:
    return probe.exit_code, probe.output.strip()


def _probe(said: tuple[int, str], times: int) -> str:
    code, output = said
    again = f" ({times} times)" if times > 1 else ""
    text = clean(output).replace("\n", " ")
    return f"exit code {code}{again}{': ' + text if text else ''}"


def _quoted(title: str, lines: Iterable[str], palette: Palette, width: int, indent: str) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number == 0:
            yield palette.faint(f"{indent}{title}")
        yield palette.faint(f"{indent}| {shorten(line, width - len(indent) - 2)}")
