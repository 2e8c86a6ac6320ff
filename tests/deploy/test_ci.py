"""The example CI jobs: their files parse, and their commands do here what the comments beside them say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CI = ROOT / "deploy/ci"
FORGES = ("github", "gitlab", "forgejo")
BAD = "services: {web: {imge: 'a:1'}}\n"
MARKDOWN = 60_000


@dataclass(frozen=True)
class Step:
    """What one step of a job runs in a shell, and the names of the variables that it is given."""

    job: str
    script: str
    variables: dict[str, str]


def document(forge: str) -> dict[str, Any]:
    """The example, parsed."""
    found: dict[str, Any] = yaml.safe_load((CI / f"{forge}.yaml").read_text())
    return found


def steps(forge: str) -> list[Step]:
    """All that its jobs run in shells."""
    found = document(forge)
    if forge == "gitlab":
        every = {name: job for name, job in found.items() if isinstance(job, dict) and "script" in job}
        return [Step(name, "\n".join(job["script"]), found["variables"]) for name, job in every.items()]
    return [
        Step(name, step["run"], {**found["env"], **step.get("env", {})})
        for name, job in found["jobs"].items()
        for step in job["steps"]
        if "run" in step
    ]


def step(forge: str, *words: str) -> Step:
    """The one step whose script has these words."""
    (found,) = (one for one in steps(forge) if all(word in one.script for word in words))
    return found


@dataclass(frozen=True)
class Runner:
    """A checkout with specs, and the program on PATH."""

    folder: Path

    def run(self, one: Step, **variables: str) -> subprocess.CompletedProcess[str]:
        """The step as a runner would run it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("COMPOSE_", "DOCKER_"))}
        own = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "XDG_RUNTIME_DIR": str(self.folder),
        }
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", one.script],
            cwd=self.folder / "checkout",
            env={**kept, **one.variables, **own, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @property
    def plan(self) -> Path:
        """What a step leaves for the comment."""
        return self.folder / "checkout/plan.md"

    @property
    def summary(self) -> Path:
        """What GitHub shows of a run."""
        return self.folder / "summary.md"

    def spoil(self) -> None:
        """Break one of the specs."""
        (self.folder / "checkout/specs/hello/compose.yaml").write_text(BAD)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A checkout of the gallery."""
    shutil.copytree(ROOT / "specs", tmp_path / "checkout/specs")
    program = tmp_path / "bin/reconcile"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m reconciler "$@"\n')
    program.chmod(0o755)
    return Runner(tmp_path)


@pytest.mark.parametrize("forge", FORGES)
def test_specs_are_held_against_the_policy_of_the_service(forge: str, runner: Runner) -> None:
    """The level that Git gets, by the variable that the program knows; a bad spec fails the job with its place."""
    check = step(forge, "validate")
    assert check.variables["RECONCILER_POLICY_LEVEL"] == "standard"
    assert runner.run(check).returncode == 0
    runner.spoil()
    done = runner.run(check)
    assert done.returncode == 3
    assert "specs/hello/compose.yaml:1" in done.stderr


@pytest.mark.parametrize("forge", FORGES)
def test_a_plan_is_kept_for_people(forge: str, runner: Runner) -> None:
    """As Markdown that fits a comment, also where the job fails."""
    plan = step(forge, "simulated://")
    assert runner.run(plan).returncode == 0
    assert "reconciler-demo/web" in runner.plan.read_text()
    assert len(runner.plan.read_bytes()) <= MARKDOWN
    runner.spoil()
    assert runner.run(plan).returncode == 3
    assert "specs/hello/compose.yaml:1" in runner.plan.read_text()
    if forge == "github":
        assert runner.plan.read_text() in runner.summary.read_text()


@pytest.mark.parametrize("forge", ["github", "forgejo"])
def test_a_host_that_is_not_there_fails_the_job(forge: str, runner: Runner) -> None:
    """Exit 1, which is not the 2 of pending changes."""
    host = step(forge, "--exit-code")
    assert runner.run(host, DOCKER_HOST="unix:///none/docker.sock").returncode == 1


def test_pending_changes_are_a_warning() -> None:
    """Exit 2 is what the job is allowed to fail with."""
    assert document("gitlab")["plan for the host"]["allow_failure"] == {"exit_codes": [2]}


def test_pending_changes_are_exit_2(runner: Runner) -> None:
    """The command of the job for the host, on an engine that has nothing yet."""
    assert runner.run(step("gitlab", "--exit-code"), HOST_ENGINE="simulated://").returncode == 2


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (1, 1), (2, 0), (3, 3)])
@pytest.mark.parametrize("forge", ["github", "forgejo"])
def test_only_2_is_good_news(forge: str, code: int, ends: int, runner: Runner) -> None:
    """Whatever else the program ends with is how the job ends."""
    program = runner.folder / "bin/reconcile"
    program.write_text(f"#!/bin/sh\nexit {code}\n")
    done = runner.run(step(forge, "--exit-code"))
    assert done.returncode == ends
    assert ("changes are pending" in done.stdout) is (code == 2)
