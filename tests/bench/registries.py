"""Resolving 100 services over 20 repositories by our own registry client. Needs no engine.

Alone: BENCH_ONLY=registry. The registry is a stand-in on loopback in this same process, so its time counts as well; a
pass is what every dry-run and every converge does before it plans. Nothing has moved since the pass before.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.digests import Manifest
from reconciler.images.registry.settings import Settings
from tests.support.standin import StandIn, index, manifest

REPOSITORIES, TAGS = 20, 5
BAR = 1.0


@dataclass(frozen=True)
class Pass:
    """One pass: wall seconds, HEADs, and requests of any other kind."""

    wall: float
    heads: int
    others: int


def one_pass(client: RegistryClient, server: StandIn) -> Pass:
    """Resolves all; every answer has to be a digest."""
    server.asked.clear()
    references = [f"{server.host}/app-{name}:{tag}" for tag in range(TAGS) for name in range(REPOSITORIES)]
    began = perf_counter()
    found = client.resolve(references)
    wall = perf_counter() - began
    assert all(isinstance(found[reference], Manifest) for reference in references), "not all were resolved"
    methods = Counter(server.methods())
    heads = methods.pop("HEAD", 0)
    return Pass(wall, heads, methods.total())


def measure(rounds: int) -> list[Pass]:
    """So many passes of one client, the first of which connects."""
    server = StandIn(lambda _asked: manifest(index("linux/amd64", "linux/arm64")))
    try:
        with RegistryClient(lambda _host: None, Settings(())) as client:
            return [one_pass(client, server) for _ in range(rounds)]
    finally:
        server.close()


def report(passes: list[Pass]) -> None:
    """Prints the figures and whether the bars are met."""
    walls = [item.wall for item in passes]
    heads, others = max(item.heads for item in passes), max(item.others for item in passes)
    print(
        f"\nresolving {REPOSITORIES * TAGS} services over {REPOSITORIES} repositories, {os.cpu_count()} cores, loopback"
    )
    print(f"median of {len(walls)}: {median(walls):.3f} s ({min(walls):.3f}-{max(walls):.3f}), first {walls[0]:.3f} s")
    for what, value, bar in (("HEADs", heads, REPOSITORIES * TAGS), ("other requests", others, 0)):
        print(f"{what:<26} {value:>7}   bar {bar:<5} {'met' if value <= bar else 'MISSED'}")
    wall = median(walls)
    print(f"{'resolve, s':<26} {wall:>7.2f}   bar {BAR:<5} {'met' if wall <= BAR else 'MISSED'}")
