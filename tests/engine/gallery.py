"""A spec under a project name of its own, run by the command line on the real engine, and what the engine has of it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SPECS = Path(__file__).parents[2] / "specs"


def docker(*arguments: str) -> list[str]:
    """The lines that the docker CLI prints."""
    done = subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


@dataclass
class Gallery:
    """One spec of the gallery under a project name that nobody else uses, and what the engine has of it."""

    spec: Path
    project: str
    said: list[str] = field(default_factory=list)

    def reconcile(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Runs the program on this spec and project; what it printed is kept for the failure message."""
        command = [sys.executable, "-m", "reconciler", "-f", str(self.spec), "-p", self.project, *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        self.said.append(f"{' '.join(options)} -> {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def containers(self) -> dict[str, dict[str, Any]]:
        """Inspected containers of the project by id, in any state."""
        ids = docker("ps", "-aq", "--no-trunc", "--filter", f"label=io.reconciler.project={self.project}")
        rows = json.loads("\n".join(docker("inspect", *ids))) if ids else []
        return {row["Id"]: row for row in rows}

    def of(self, service: str) -> dict[str, dict[str, Any]]:
        """As `containers`, of one service."""
        return {id_: row for id_, row in self.containers().items() if service_of(row) == service}

    def page(self, service: str, url: str) -> str:
        """What a URL answers as seen from inside the first container of a service."""
        return "\n".join(docker("exec", next(iter(self.of(service))), "wget", "-q", "-O-", url))

    def remove(self) -> None:
        """Removes all that carries the project's name, the volume included: it is the test's own."""
        ours = ("--filter", f"label=io.reconciler.project={self.project}")
        for container in docker("ps", "-aq", *ours):
            docker("rm", "-fv", container)
        for network in docker("network", "ls", "-q", *ours):
            docker("network", "rm", network)
        for volume in docker("volume", "ls", "-q", "--filter", f"name=^{self.project}_"):
            docker("volume", "rm", volume)
        for image in docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"{self.project}*"):
            docker("rmi", image)


def service_of(row: dict[str, Any]) -> str:
    """The service that an inspected container belongs to."""
    return str(row["Config"]["Labels"]["io.reconciler.service"])


def is_well(row: dict[str, Any]) -> bool:
    """Whether an inspected container runs, and is healthy where it has a health check."""
    state = row["State"]
    health: str = state.get("Health", {}).get("Status", "healthy")
    return (state["Status"], health) == ("running", "healthy")
