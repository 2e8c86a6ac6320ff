"""Mistakes a user makes, on a real engine: one clear message, the right exit code, and what runs is left as it was."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.command import ROOT, Ran

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.command import Site

pytestmark = pytest.mark.engine

FAILED, REFUSED = 1, 3
ABSENT = f"rce-absent-{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True)
class Mistake:
    """A spec with a mistake in it, and what has to be said: `file:line` and the words."""

    text: str
    says: tuple[str, ...]
    code: int = REFUSED


HEAD = "name: NAME\nservices:\n  web:\n    image: IMAGE\n"
SPECS = {
    "unknown key": Mistake(f"{HEAD}    replicsa: 2\n", ("compose.yaml:5", "replicsa")),
    "misspelt section": Mistake(f"{HEAD}volums:\n  data: {{}}\n", ("compose.yaml:5", "volums")),
    "wrong type": Mistake(f"{HEAD}    deploy:\n      replicas: many\n", ("compose.yaml:6", "replicas", "many")),
    "list for text": Mistake(f"{HEAD}    user: [a, b]\n", ("compose.yaml:5", "user")),
    "duplicate key": Mistake(f"{HEAD}    user: a\n    user: b\n", ("compose.yaml:6", "user", "already set at line 5")),
    "required variable": Mistake(
        f"{HEAD}    user: ${{RCE_UNSET:?name a user}}\n", ("compose.yaml:5", "RCE_UNSET", "name a user")
    ),
    "missing env_file": Mistake(f"{HEAD}    env_file: [gone.env]\n", ("compose.yaml:5", "gone.env")),
    "broken YAML": Mistake(f"{HEAD}    user: [a\n", ("compose.yaml:",)),
    "undefined network": Mistake(f"{HEAD}    networks: [front]\n", ("compose.yaml:5", "front")),
    "undefined volume": Mistake(f"{HEAD}    volumes: ['data:/data']\n", ("compose.yaml:5", "data")),
    "unknown dependency": Mistake(f"{HEAD}    depends_on: [db]\n", ("compose.yaml:5", "db")),
    "bad port": Mistake(f"{HEAD}    ports: ['eighty:80']\n", ("compose.yaml:5", "eighty")),
    "missing context": Mistake("name: NAME\nservices:\n  web:\n    build: ./gone\n", ("compose.yaml:4", "gone")),
    "missing image": Mistake(
        f"name: NAME\nservices:\n  web:\n    image: 127.0.0.1:1/{ABSENT}:1\n", ("compose.yaml:4", ABSENT), FAILED
    ),
    "never pulled": Mistake(
        f"name: NAME\nservices:\n  web:\n    image: {ABSENT}:1\n    pull_policy: never\n",
        ("compose.yaml:4", ABSENT, "pull_policy is never"),
        FAILED,
    ),
    "external network missing": Mistake(
        f"{HEAD}    networks: [front]\nnetworks:\n  front: {{external: true, name: {ABSENT}}}\n",
        ("compose.yaml:7", f"docker network create {ABSENT}"),
        FAILED,
    ),
}


@pytest.fixture(scope="module")
def standing(new_site: Callable[[], Site]) -> Site:
    """A project that runs well, and has to go on doing so."""
    site = new_site()
    site.write(web=site.service(scale=2)).converge()
    return site


@pytest.fixture
def unharmed(standing: Site) -> Iterator[Site]:
    """The same, for one test: whatever it does, the same containers go on running, and there are no others."""
    before = standing.running()
    assert len(before) == 2
    yield standing
    assert standing.running() == before
    assert standing.containers().keys() == before.keys()
    assert standing.networks() == {f"{standing.name}_default"}


def explained(run: Ran, code: int, *says: str) -> None:
    """It ended with that code, said all that, and said it in a few lines."""
    run.expect(code).says(*says)
    assert run.stderr.count("error:") <= 1, run.text


@pytest.mark.parametrize("name", SPECS)
def test_a_mistake_in_the_spec(unharmed: Site, name: str) -> None:
    """It is told once, with file and line; the exit code is 3 for the spec's mistakes and 1 for the engine's."""
    mistake = SPECS[name]
    explained(unharmed.write_text(mistake.text).run(), mistake.code, *mistake.says)


def test_a_mistake_is_told_in_json_too(unharmed: Site) -> None:
    """`-o json` still prints one document: the refusal is in its errors, with its place."""
    mistake = SPECS["unknown key"]
    run = unharmed.write_text(mistake.text).run("-o", "json").expect(REFUSED)
    (error,) = run.document["errors"]
    assert error["source"].endswith("compose.yaml:5")
    assert "replicsa" in error["message"]
    assert run.document["projects"] == []


@pytest.mark.parametrize(
    ("host", "says"),
    [("tcp://127.0.0.1:1", "connection refused"), ("unix:///nonexistent/docker.sock", "there is no socket")],
)
def test_no_engine(unharmed: Site, host: str, says: str) -> None:
    """The message names the address and who chose it."""
    unharmed.write(web=unharmed.service())
    for command in ((), ("--dry-run",), ("status",)):
        explained(unharmed.run(*command, DOCKER_HOST=host), FAILED, host, "DOCKER_HOST", says)


def test_validate_and_config_need_no_engine(unharmed: Site) -> None:
    """Both work where none answers; config prints the same document each time."""
    unharmed.write(web=unharmed.service())
    nowhere = {"DOCKER_HOST": "tcp://127.0.0.1:1"}
    unharmed.run("validate", **nowhere).expect(0).says("valid", unharmed.name)
    config = unharmed.run("config", "-o", "json", **nowhere).expect(0)
    assert config.document["services"]["web"]["image"] == unharmed.image
    assert unharmed.run("config", "-o", "json", **nowhere).stdout == config.stdout
    unharmed.write_text(SPECS["unknown key"].text)
    explained(unharmed.run("validate", **nowhere), REFUSED, "compose.yaml:5", "replicsa")
    explained(unharmed.run("config", **nowhere), REFUSED, "compose.yaml:5", "replicsa")


def bound_by_modes(folder: Path, *arguments: str, **environment: str) -> Ran:
    """The program, run so that file modes mean something to it: as root without root's right to pass over them."""
    bounded = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*bounded, sys.executable, "-m", "reconciler", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(arguments, done.returncode, done.stdout, done.stderr)


def test_permission_denied_on_the_socket(unharmed: Site, tmp_path: Path) -> None:
    """A user who may not open the engine's socket is told which one it is and how to get access."""
    path = tmp_path / "docker.sock"
    unharmed.write(web=unharmed.service())
    (tmp_path / "compose.yaml").write_text(unharmed.spec.read_text())
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        path.chmod(0)
        for command in ((), ("--dry-run",), ("status",)):
            run = bound_by_modes(tmp_path, *command, DOCKER_HOST=f"unix://{path}")
            explained(run, FAILED, f"permission denied on {path}", "docker group")


def test_permission_denied_on_the_spec(unharmed: Site, tmp_path: Path) -> None:
    """A folder or file that this user may not read is named; it is not taken for an empty one."""
    spec = tmp_path / "specs" / "web" / "compose.yaml"
    spec.parent.mkdir(parents=True)
    spec.write_text(unharmed.write(web=unharmed.service()).spec.read_text())
    spec.chmod(0)
    explained(bound_by_modes(tmp_path, "validate"), REFUSED, "specs/web/compose.yaml", "Permission denied")
    spec.parent.chmod(0)
    explained(bound_by_modes(tmp_path, "validate"), REFUSED, "specs/web", "Permission denied")


def test_a_path_that_does_not_exist(unharmed: Site) -> None:
    """It is named."""
    for command in ((), ("--dry-run",), ("validate",)):
        explained(unharmed.run(*command, "-f", "no/such/specs"), REFUSED, "no/such/specs", "no such file or folder")


def test_an_empty_folder(unharmed: Site, tmp_path: Path) -> None:
    """A folder without a spec is not a wish to remove everything: it is refused, by name, with what is looked for."""
    explained(unharmed.run("-f", str(tmp_path)), REFUSED, str(tmp_path), "compose.yaml")


def test_two_projects_of_one_name(unharmed: Site, tmp_path: Path) -> None:
    """Neither is touched; both places are named."""
    text = unharmed.write(web=unharmed.service()).spec.read_text()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "compose.yaml").write_text(text)
    run = unharmed.run("-f", str(tmp_path)).expect(REFUSED)
    run.says(unharmed.name, "one/compose.yaml", "two/compose.yaml")


def test_a_refused_project_does_not_stop_the_others(site: Site) -> None:
    """Exit 3, yet the good project of the same run is converged; with --all-or-nothing it is not touched."""
    for folder, text in (("good", site.write(web=site.service()).spec.read_text()), ("bad", SPECS["unknown key"].text)):
        (site.folder / "specs" / folder).mkdir(parents=True)
        (site.folder / "specs" / folder / "compose.yaml").write_text(text.replace("name: NAME", "name: rce-bad"))
    site.run("-f", "specs", "--all-or-nothing").expect(REFUSED).says("bad/compose.yaml:5", "replicsa")
    assert not site.containers()
    site.run("-f", "specs").expect(REFUSED).says("bad/compose.yaml:5", "replicsa")
    assert len(site.running()) == 1


def test_usage_errors(unharmed: Site) -> None:
    """A mistyped option ends with 64 and what was meant."""
    explained(unharmed.run("--dry-rnu"), 64, "--dry-run")
