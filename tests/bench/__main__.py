"""Measures converging services (cold, no-op, replacing all, rolling all), loading, building, serving and reacting.

`bash tests/run.sh bench`. Settings: BENCH_ROUNDS (5), BENCH_SERVICES (50), BENCH_ONLY (build, load, registry: no engine
needed; or serving, reacting), COMPOSE (a Compose binary, where `docker compose` is not there or not the one).

All contenders take their turn in every round, on one engine, in an order that rotates. Prints a table and writes
.cache/bench.json. Missing a bar is a finding, not a failure: the bars are for a quiet machine.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median

from tests.bench import api, building, contenders, loading, reacting, registries, serving, table

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SERVICES = int(os.environ.get("BENCH_SERVICES", "50"))
CONCURRENCIES = (4, 8, 16, 24)
PHASES = {"cold": "1", "no-op": "1", "update": "2", "roll": "3"}
FIELDS: dict[str, dict[str, object]] = {"roll": contenders.ROLL}
RESULT = Path(__file__).parents[2] / ".cache" / "bench.json"


def check(contender: contenders.Contender, value: str) -> None:
    """Ends the bench where a contender has not done the work that it is timed for."""
    rows = api.containers(contender.project)
    running = [row for row in rows if row["State"] == "running"]
    if len(rows) != SERVICES or len(running) != SERVICES:
        sys.exit(f"{contender.name}: {len(running)} of {len(rows)} containers run, {SERVICES} should")
    stale = [row["Names"][0] for row in rows if f"VALUE={value}" not in api.environment(row["Id"])]
    if stale:
        sys.exit(f"{contender.name}: {len(stale)} containers lack VALUE={value}, {stale[0]} is one")


def one_round(contender: contenders.Contender) -> dict[str, contenders.Sample]:
    """Every phase once, from nothing and back to nothing."""
    samples = {}
    contender.begin()
    try:
        for phase, value in PHASES.items():
            if phase == "no-op" and isinstance(contender, contenders.Limit):
                continue
            samples[phase] = contender.converge(value, **FIELDS.get(phase, {}))
            check(contender, value)
    finally:
        api.remove_project(contender.project)
    return samples


def best_limit() -> contenders.Limit:
    """The raw calls at the concurrency that is fastest here, chosen per phase."""
    tried = {workers: one_round(contenders.Limit(SERVICES, workers)) for workers in CONCURRENCIES}
    limit = contenders.Limit(SERVICES)
    for phase in limit.workers:
        limit.workers[phase] = min(tried, key=lambda workers: tried[workers][phase].wall)
    return limit


def measure(entrants: list[contenders.Contender]) -> table.Samples:
    """All rounds of all contenders: phase -> contender -> samples."""
    results: table.Samples = {phase: {} for phase in PHASES}
    for number in range(ROUNDS):
        turn = number % len(entrants)
        for contender in entrants[turn:] + entrants[:turn]:
            print(f"round {number + 1} of {ROUNDS}: {contender.name}", file=sys.stderr, flush=True)
            for phase, sample in one_round(contender).items():
                results[phase].setdefault(contender.name, []).append(sample)
    return {phase: dict(sorted(found.items(), key=_position)) for phase, found in results.items()}


def _position(item: tuple[str, object]) -> int:
    return ["limit", "compose", "reconcile"].index(item[0])


def help_wall() -> float:
    """Median wall seconds of `reconcile --help` over ten runs."""
    executable = str(Path(sys.executable).with_name("reconcile"))
    return median(contenders.run([executable, "--help"]).wall for _ in range(10))


def report(results: table.Samples, limit: contenders.Limit, seconds: float, loads: loading.Results) -> None:
    """Prints the table and the bars, and keeps the samples in a file."""
    version = api.call("GET", "/version")
    print(f"\nengine {version['Version']} (API {version['ApiVersion']}), {os.cpu_count()} cores, {SERVICES} services")
    at_once = " and ".join(f"{workers} ({phase})" for phase, workers in limit.workers.items())
    print(f"median of {ROUNDS}; limit: raw calls, {at_once} at once")
    print(*table.rows(results), sep="\n")
    print()
    for what, value, bar in table.bars(results, seconds):
        print(f"{what:<26} {value:>7.2f}   bar {bar:<5} {'met' if value <= bar else 'MISSED'}")
    loading.report(loads)
    plain = {
        phase: {name: [asdict(one) for one in samples] for name, samples in found.items()}
        for phase, found in {**results, "load": loads}.items()
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"engine": version["Version"], "help": seconds, "samples": plain}, indent=1))


def main() -> None:
    """Runs the bench."""
    if os.environ.get("BENCH_ONLY") == "registry":
        registries.report(registries.measure(ROUNDS))
        return
    if os.environ.get("BENCH_ONLY") == "serving":
        serving.report(serving.measure(ROUNDS))
        return
    if os.environ.get("BENCH_ONLY") == "reacting":
        reacting.report(reacting.measure(ROUNDS))
        return
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as folder:
        if os.environ.get("BENCH_ONLY") == "build":
            building.report(building.measure(Path(folder), ROUNDS))
            return
        loads = loading.measure(Path(folder), ROUNDS)
        if os.environ.get("BENCH_ONLY") == "load":
            loading.report(loads)
            return
        keys, resolves = building.measure(Path(folder), ROUNDS), registries.measure(ROUNDS)
        os.environ["RECONCILER_STATE_DIR"] = str(Path(folder) / "state")
        limit = best_limit()
        entrants: list[contenders.Contender] = [limit, contenders.reconcile(SERVICES, Path(folder))]
        if found := contenders.compose(SERVICES, Path(folder)):
            entrants.append(found)
        else:
            print("no docker compose here: measured against the limit only (COMPOSE names a binary)", file=sys.stderr)
        report(measure(entrants), limit, help_wall(), loads)
        registries.report(resolves)
        building.report(keys)
        serving.report(serving.measure(ROUNDS))
        reacting.report(reacting.measure(ROUNDS))


if __name__ == "__main__":
    main()
