"""deploy/compose.yaml and the image it starts say the same, and both programs that read it take it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reconciler.loading import with_contents
from reconciler.spec.load import Request, load
from reconciler.spec.lowering import lower
from tests.support.inprocess import reconcile

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
USER = "10001"


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """What a user sets."""
    (tmp_path / "token").write_text("secret\n")
    return {"DOCKER_GID": "998", "GIT_TOKEN_FILE": str(tmp_path / "token")}


@pytest.fixture
def container(variables: dict[str, str]) -> dict[str, Any]:
    """The body that the engine is given for it."""
    project = with_contents(lower(load(Request(files=(str(COMPOSE),)), variables)))
    (service,) = project.services
    return dict(service.container)


def test_it_is_a_valid_spec(tmp_path: Path, variables: dict[str, str]) -> None:
    """Without a warning."""
    done = reconcile(tmp_path, "validate", "-f", str(COMPOSE), **variables)
    assert (done.returncode, done.stderr) == (0, "")


def test_docker_compose_takes_it(variables: dict[str, str]) -> None:
    """It reads the same file."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    subprocess.run(
        ["docker", "compose", "-f", str(COMPOSE), "config", "--quiet"],
        env={**os.environ, **variables},
        check=True,
    )


def test_the_group_of_the_socket_has_to_be_said(tmp_path: Path) -> None:
    """Without it the service could not speak to the engine: better to hear that now."""
    done = reconcile(tmp_path, "validate", "-f", str(COMPOSE))
    assert done.returncode == 3
    assert "stat -c %g /var/run/docker.sock" in done.stderr


def test_it_can_do_nothing_but_speak_to_the_engine(container: dict[str, Any]) -> None:
    """No capabilities, no new privileges, nothing to write but its own folders, no more memory than that."""
    host = container["HostConfig"]
    assert (host["CapDrop"], host["SecurityOpt"], host["ReadonlyRootfs"]) == (["ALL"], ["no-new-privileges:true"], True)
    assert "CapAdd" not in host
    assert "Privileged" not in host
    assert host["GroupAdd"] == ["998"]
    assert host["Memory"] == 512 * 1024 * 1024
    written = {bind.split(":")[1] for bind in host["Binds"] if not bind.endswith(":ro")}
    written |= {mount["Target"] for mount in host.get("Mounts", []) if not mount.get("ReadOnly")}
    assert written == {"/var/run/docker.sock", "/var/lib/reconciler", "/run/lock", "/srv/reconciler"}


def test_files_for_containers_are_where_the_engine_looks(container: dict[str, Any]) -> None:
    """The folder has one path on both sides, so that `host_data_dir` is right by itself."""
    host = container["HostConfig"]
    pairs = [bind.split(":")[:2] for bind in host["Binds"]] + [
        [m["Source"], m["Target"]] for m in host.get("Mounts", [])
    ]
    (data,) = (one.partition("=")[2] for one in container["Env"] if one.startswith("RECONCILER_DATA_DIR="))
    assert [data, data] in pairs
    assert not any(one.startswith("RECONCILER_HOST_DATA_DIR=") for one in container["Env"])


def test_it_fits_the_image(container: dict[str, Any]) -> None:
    """User, folders and health check are the Dockerfile's."""
    made = " ".join((DEPLOY / "Dockerfile").read_text().replace("\\\n", " ").split())
    assert f"USER {USER}:{USER}" in made
    assert f"uid={USER},gid={USER}" in container["HostConfig"]["Tmpfs"]["/run/reconciler"]
    assert "RECONCILER_STATE_DIR=/var/lib/reconciler" in made
    checked = re.search(r"HEALTHCHECK .* CMD (\[.*?\])", made)
    assert checked
    assert container["Healthcheck"]["Test"] == ["CMD", *json.loads(checked[1])]
    assert container["Cmd"] == ["serve"]


def test_the_context_of_the_image_has_what_it_copies() -> None:
    """An entry that .dockerignore leaves out would fail the build on somebody else's machine."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert {name for line in copied for name in line.split()} == allowed
    assert all((ROOT / name).exists() for name in allowed)


def test_every_script_is_shell() -> None:
    """As far as a shell can say without running it."""
    for script in DEPLOY.glob("*.sh"):
        subprocess.run(["bash", "-n", str(script)], check=True)
    assert shutil.which("bash")
