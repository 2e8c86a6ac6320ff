"""Loading 1,000 services, whole processes: `reconcile config` beside `docker compose config`. Needs no engine.

Alone: BENCH_ONLY=load. The file has some 25,000 lines and the keys that files in real use have.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from statistics import median

from tests.bench import contenders

SERVICES = 1000
BAR = 1.5
Results = dict[str, list[contenders.Sample]]

_KINDS = 20
_SERVICE = """\
  s{number:04d}:
    image: registry.example.com/app-{kind}:${{TAG:-1.4}}
    command: serve --port 8080 --workers {kind}
    environment:
      LOG_LEVEL: ${{LOG_LEVEL:-info}}
      DATABASE_URL: postgres://app@db-{kind}:5432/app
    ports: ["127.0.0.1:{port}:8080"]
    volumes:
      - data-{kind}:/var/lib/app
      - ./conf/{kind}.conf:/etc/app.conf:ro
    networks: {{default: {{aliases: [app-{number}]}}, back: }}
    healthcheck:
      test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/healthz"]
      interval: 10s
      start_period: 1m30s
    deploy:
      replicas: 1
      update_config: {{order: start-first, parallelism: 1, delay: 5s}}
      resources: {{limits: {{cpus: "0.5", memory: 256m}}}}
    logging: {{driver: json-file, options: {{max-size: 10m, max-file: "3"}}}}
    restart: unless-stopped
    stop_grace_period: 30s
    user: "1000:1000"
    cap_drop: [ALL]
    labels: [app=s{number}, team=team-{kind}]
    depends_on: {depends_on}
"""


def text() -> str:
    """The file."""
    parts = ["name: bench\nservices:\n"]
    for number in range(SERVICES):
        kind = number % _KINDS
        needs = f"{{s{number - kind:04d}: {{condition: service_healthy}}}}" if kind else "{}"
        parts.append(_SERVICE.format(number=number, kind=kind, port=20000 + number, depends_on=needs))
    parts.append("networks: {default: , back: {internal: true}}\nvolumes:\n")
    parts.extend(f"  data-{kind}: {{labels: {{kind: app}}}}\n" for kind in range(_KINDS))
    return "".join(parts)


def measure(folder: Path, rounds: int) -> Results:
    """All rounds: who -> samples. Compose is left out where there is none; they take turns at going first."""
    file = folder / "load.yaml"
    file.write_text(text())
    commands = {"reconcile": [*contenders.reconcile_command(), "config", "-f", str(file), "-o", "json"]}
    if command := contenders.compose_command():
        commands["compose"] = [*command, "-f", str(file), "config", "--format", "json"]
    results: Results = {name: [] for name in commands}
    for number in range(rounds):
        for name in list(commands)[:: 1 if number % 2 else -1]:
            print(f"loading, round {number + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            results[name].append(contenders.run(commands[name]))
    return results


def report(results: Results) -> None:
    """Prints the figures and whether the bar is met."""
    lines = text().count("\n")
    print(f"\nloading {SERVICES} services ({lines} lines), {os.cpu_count()} cores, whole processes")
    print(f"{'who':<10} {'wall s':>8} {'min-max':>15} {'cpu s':>8} {'rss MB':>8}")
    for name, samples in results.items():
        walls = [sample.wall for sample in samples]
        cpu, rss = (median(getattr(sample, field) for sample in samples) for field in ("cpu", "rss"))
        print(f"{name:<10} {median(walls):>8.2f} {f'{min(walls):.2f}-{max(walls):.2f}':>15} {cpu:>8.2f} {rss:>8.0f}")
    wall = median(sample.wall for sample in results["reconcile"])
    print(f"{'load, whole process, s':<26} {wall:>7.2f}   bar {BAR:<5} {'met' if wall <= BAR else 'MISSED'}")
