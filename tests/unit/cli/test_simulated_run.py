"""The whole program on no engine at all: `-H simulated://`, as a newcomer tries it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.inprocess import Done, reconcile

SPEC = """\
name: shop
services:
  web:
    image: shop/web:1.4
    environment: {LOG_LEVEL: debug, DB_PASSWORD: hunter2}
    deploy: {replicas: 3}
    depends_on: [db]
  db:
    image: postgres:16
    volumes: ["data:/var/lib/postgresql"]
volumes:
  data:
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A folder with one good project."""
    (tmp_path / "compose.yaml").write_text(SPEC)
    return tmp_path


def run(folder: Path, *arguments: str) -> Done:
    """The program in that folder, on a simulated engine where the arguments say so."""
    return reconcile(folder, *arguments)


def test_a_dry_run_prints_the_plan_and_exits_0(spec: Path) -> None:
    """Every change, a line of the spec as its cause, the sum; nothing on stderr."""
    done = run(spec, "-H", "simulated://", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "+ web/1, web/2, web/3  create" in done.stdout
    assert "compose.yaml:3" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Plan: ")
    assert "hunter2" not in done.stdout


def test_exit_code_2_says_that_changes_are_pending(spec: Path) -> None:
    """Only where it was asked for."""
    assert run(spec, "-H", "simulated://", "--dry-run", "--exit-code").returncode == 2


def test_a_plan_as_json_is_one_document_of_stable_bytes(spec: Path) -> None:
    """Two runs on the same input print the same bytes."""
    first, second = (run(spec, "-H", "simulated://", "--dry-run", "-o", "json") for _ in range(2))
    assert first.stdout == second.stdout
    document = json.loads(first.stdout)
    assert (document["schema_version"], document["command"]) == (1, "plan")
    assert document["projects"][0]["converges"] is True


def test_a_converge_ends_in_sync(spec: Path) -> None:
    """Plan and report on stdout, progress as plain lines on stderr."""
    done = run(spec, "-H", "simulated://")
    assert done.returncode == 0, done.stderr
    assert "shop: converged in " in done.stdout.splitlines()[-1]
    assert "web/1: started shop-web-1-" in done.stderr


def test_log_level_warning_hides_progress(spec: Path) -> None:
    """Quiet for cron: only what went wrong is on stderr."""
    done = run(spec, "-H", "simulated://", "--log-level", "warning")
    assert (done.returncode, done.stderr) == (0, "")


def test_json_logs_leave_stdout_to_the_result(spec: Path) -> None:
    """With `-o json --log-format json` both streams are machine-readable."""
    done = run(spec, "-H", "simulated://", "-o", "json", "--log-format", "json")
    assert json.loads(done.stdout)["command"] == "converge"
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert "container.create" in events


def test_validate_and_config_need_no_engine(spec: Path) -> None:
    """An unreachable engine does not matter to them."""
    valid = run(spec, "-H", "unix:///nowhere.sock", "validate")
    assert (valid.returncode, valid.stdout, valid.stderr) == (0, "valid: shop\n", "")
    assert run(spec, "config").stdout.startswith("name: shop\n")
    assert json.loads(run(spec, "-o", "json", "config").stdout)["name"] == "shop"


def test_status_shows_what_is_missing(spec: Path) -> None:
    """Nothing runs on a new simulated engine; reading that is no failure."""
    done = run(spec, "-H", "simulated://", "status")
    assert done.returncode == 0, done.stderr
    assert "UP-TO-DATE" in done.stdout
    assert "Missing" in done.stdout
    assert json.loads(run(spec, "-H", "simulated://", "status", "-o", "json").stdout)["command"] == "status"


@pytest.mark.parametrize(
    "command", [["validate"], ["config"], ["-H", "simulated://", "--dry-run"], ["-H", "simulated://"]]
)
def test_a_bad_spec_is_refused_with_its_line(spec: Path, command: list[str]) -> None:
    """Exit 3, `error: file:line:` on stderr, no traceback, whatever the command."""
    (spec / "compose.yaml").write_text(SPEC.replace("image: postgres:16", "imge: postgres:16"))
    done = run(spec, *command)
    assert done.returncode == 3
    assert "error: compose.yaml:9" in done.stderr
    assert "imge" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreachable_engine_is_a_message_and_a_document(spec: Path) -> None:
    """Exit 1; `-o json` still prints a document."""
    done = run(spec, "-H", "unix:///nowhere.sock", "--dry-run", "-o", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["errors"][0]["code"] == "EngineUnreachable"
    assert done.stderr.startswith("error: ")
