"""Commands about one service: which project they mean, and what they say where there is nothing to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.inprocess import Done, reconcile

SHOP = "services:\n  web: {image: 'shop/web:1.4'}\n  db: {image: 'postgres:16'}\n"
EDGE = "services:\n  web: {image: 'edge/web:2'}\n  proxy: {image: 'haproxy:3'}\n"


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    """A folder with two projects that both have a service `web`."""
    for name, text in (("shop", SHOP), ("edge", EDGE)):
        (tmp_path / "specs" / name).mkdir(parents=True)
        (tmp_path / "specs" / name / "compose.yaml").write_text(text)
    return tmp_path


def run(folder: Path, *arguments: str) -> Done:
    """The program in that folder, on a simulated engine."""
    return reconcile(folder, "-H", "simulated://", *arguments)


@pytest.mark.parametrize("command", ["why", "retry", "rollback"])
def test_an_unknown_service_is_a_usage_error_that_names_the_known_ones(specs: Path, command: str) -> None:
    """Whoever mistypes a name reads the right one."""
    done = run(specs, command, "wep")
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == ("error: there is no service wep\nhint: the services are proxy, web (edge); db, web (shop)\n")


@pytest.mark.parametrize("command", ["why", "retry", "rollback"])
def test_a_service_of_several_projects_has_to_be_chosen(specs: Path, command: str) -> None:
    """Nothing is guessed; the candidates are named, and -p chooses."""
    done = run(specs, command, "web")
    assert done.returncode == 64
    assert done.stderr == "error: service web is in several projects: edge, shop\nhint: choose with -p edge\n"
    assert "in several projects" not in run(specs, command, "web", "-p", "shop").stderr


def test_a_project_name_that_no_spec_has_is_a_usage_error(specs: Path) -> None:
    """-p chooses among projects here; it renames none."""
    done = run(specs, "why", "web", "-p", "shpo")
    assert done.returncode == 64
    assert "there is no project shpo" in done.stderr


def test_an_invalid_spec_is_the_reason_where_the_service_is_not_found(specs: Path) -> None:
    """A service is not called unknown while the spec that may have it cannot be read."""
    (specs / "specs" / "shop" / "compose.yaml").write_text(SHOP.replace("image", "imge", 1))
    done = run(specs, "why", "db")
    assert done.returncode == 3
    assert "error: specs/shop/compose.yaml:2" in done.stderr


def test_why_explains_a_service_that_does_not_run_yet(specs: Path) -> None:
    """The present state in text, and as one document for scripts."""
    done = run(specs, "why", "db")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("db is Missing, OutOfSync")
    document = json.loads(run(specs, "why", "db", "-o", "json").stdout)
    assert (document["command"], document["project"], document["service"]["name"]) == ("why", "shop", "db")


def test_there_is_nothing_to_retry_where_nothing_failed(specs: Path) -> None:
    """A retry that would change nothing says so instead of converging."""
    done = run(specs, "retry", "db")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: there is nothing to retry: service db of project shop is not held back\n")
    assert json.loads(run(specs, "retry", "db", "-o", "json").stdout)["errors"][0]["code"] == "NothingToRetry"


def test_a_revision_that_does_not_exist_is_a_usage_error(specs: Path) -> None:
    """With what there is instead."""
    done = run(specs, "rollback", "db", "--to", "3")
    assert done.returncode == 64
    assert done.stderr.splitlines() == [
        "error: service db of project shop has no revision 3",
        "hint: it has none yet: a definition that came up becomes one",
    ]


def test_there_is_nothing_to_go_back_to_at_first(specs: Path) -> None:
    """A rollback without a past fails and touches nothing."""
    done = run(specs, "rollback", "db")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")


def test_a_history_needs_no_spec_where_the_project_is_named(tmp_path: Path) -> None:
    """What happened can be read while the spec is broken or gone."""
    done = run(tmp_path, "history", "-p", "shop")
    assert (done.returncode, done.stdout, done.stderr) == (0, "shop: no rollout is recorded\n", "")
    document = json.loads(run(tmp_path, "history", "-p", "shop", "-o", "json").stdout)
    assert document["projects"] == [{"name": "shop", "rollouts": [], "actions": []}]
