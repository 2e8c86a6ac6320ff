"""Record what `docker compose up` makes of the files in `inspected/`, as the answers of `test_inspect_differential`.

    python -m tests.engine.record_inspected docker compose

Run it against an engine of API 1.41. It removes what it made.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from docker import APIClient

from reconciler.engine.docker_connect import resolve_target
from tests.support.command import Site, build
from tests.support.inspection import ANSWERS, CASES, PLAIN, Ground, groups, reduced

PROJECT = "recorded"


def main(compose: list[str]) -> None:
    """Write the answers of that Compose."""
    api = APIClient(base_url=resolve_target(None, None, os.environ).host, version="1.41", timeout=60)
    image = f"{PROJECT}-image:1"
    build(api, image)
    try:
        found = {group: record(compose, api, group, image) for group in groups()}
    finally:
        api.remove_image(image)
    (plain,) = found["process"]["containers"][PLAIN]
    answers = {group: reduced(made, plain) for group, made in found.items()}
    ANSWERS.write_text(json.dumps(answers, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def record(compose: list[str], api: Any, group: str, image: str) -> dict[str, Any]:
    """What the engine has after `up` on one file; fails where Compose does."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "site"
        shutil.copytree(CASES, folder)
        ground = Ground(f"{PROJECT}{group}", folder, image, network=213, ports=27)
        line = [*compose, "-p", ground.project, "-f", str(folder / f"{group}.yaml"), "up", "-d"]
        try:
            subprocess.run(line, check=True, env={**os.environ, **ground.variables}, cwd=folder)
            return ground.made(api)
        finally:
            sweep(ground, api)


def sweep(ground: Ground, api: Any) -> None:
    """Remove the project's containers, networks and volumes."""
    mine = {"label": f"com.docker.compose.project={ground.project}"}
    for row in api.containers(all=True, filters=mine):
        api.remove_container(row["Id"], force=True, v=True)
    Site(ground.project, ground.folder, api, ground.image).sweep()


if __name__ == "__main__":
    main(sys.argv[1:])
