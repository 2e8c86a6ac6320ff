"""Counts the requests that are lost while v1 -> v2 -> v3 roll out behind a proxy. `bash tests/run.sh traffic`.

    python -m tests.traffic [--app NAME] [--guard NAME] [--proxy NAME] [--retries N] [--requests N] [--rate N]

--app (dies, stops or serves on SIGTERM), --guard and --proxy are repeatable. Guards: publish, drain, signal, both (see
project.ROLLOUTS), none (a roll-out without any), compose (docker compose up; COMPOSE names a binary), idle (no
roll-out). Exits 1 where a guarded row loses a request. Server, proxy and client are containers on the project's
network: the engine may be anywhere.
"""

# ruff: noqa: T201  (its table is its result)
from __future__ import annotations

import argparse
import subprocess
import sys

from tests.bench import api
from tests.traffic import image, project, rollers, table
from tests.traffic.row import Row, measure

APPS = ("dies", "stops", "serves")
GUARDS = (*project.ROLLOUTS, "compose", "idle")
SUITE = ("publish", "both", "compose")


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.traffic", description=__doc__.split("\n")[0])
    parser.add_argument("--app", action="append", choices=APPS)
    parser.add_argument("--guard", action="append", choices=GUARDS)
    parser.add_argument("--proxy", action="append", choices=project.PROXIES)
    parser.add_argument("--retries", type=int, default=0, help="of HAProxy")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    return parser.parse_args()


def rows(chosen: argparse.Namespace) -> list[Row]:
    """The rows asked for, without those that cannot be had here: for these a line says why."""
    guards = chosen.guard or list(SUITE)
    if "compose" in guards and not rollers.compose_command():
        print("no docker compose here: its rows are left out (COMPOSE names a binary)", file=sys.stderr)
        guards.remove("compose")
    proxies = [proxy for proxy in chosen.proxy or ["haproxy"] if _has_image(proxy)]
    apps = chosen.app or APPS
    return [Row(proxy, app, guard, chosen.retries) for proxy in proxies for guard in guards for app in apps]


def _has_image(proxy: str) -> bool:
    name = f"reconciler-demo/{proxy}:1"
    found = subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode == 0
    if not found:
        print(f"no image {name} here: its rows are left out", file=sys.stderr)
    return found


def main() -> int:
    """Measures and prints every row; 1 where a bar is missed or nothing could be measured."""
    chosen = options()
    image.build()
    version = api.call("GET", "/version")
    print(f"engine {version['Version']} (API {version['ApiVersion']}), {chosen.rate:.0f} requests/s")
    print(table.head(), flush=True)
    outcomes = []
    for row in rows(chosen):
        outcome = measure(row, chosen.requests, chosen.rate)
        outcomes.append(outcome)
        print(table.line(outcome, chosen.requests), flush=True)
    return int(not outcomes or any(outcome.missed(chosen.requests) for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
