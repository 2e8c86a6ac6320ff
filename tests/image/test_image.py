"""The service's image on the real engine: it keeps containers while it is as shut in as deploy/compose.yaml says.

`bash tests/run.sh image` builds it (deploy/service_image.sh) and runs this.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = os.environ.get("SERVICE_IMAGE", "reconciler:local")
SOCKET = "/var/run/docker.sock"
PATIENCE = 60
SHUT = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--tmpfs", "/tmp:mode=1777"),
    *("--tmpfs", "/run/reconciler:size=1m,uid=10001,gid=10001,mode=0700", "--memory", "512m", "--pids-limit", "256"),
)


def docker(*words: str, check: bool = True) -> str:
    """What the docker command prints."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout


def inspected(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("inspect", name))[0]
    return found


def until(what: str, found: Any) -> None:
    """Wait for something to be so."""
    end = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < end, f"{what}: not within {PATIENCE} s"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service in a container, which keeps one container; its name is that of the project with `-service`."""
    name = f"rci-{uuid.uuid4().hex[:8]}"
    specs = tmp_path_factory.mktemp("specs")
    specs.chmod(0o755)
    spec = {"name": name, "services": {"web": {"image": "reconciler-demo/base:1", "command": ["sleep", "600"]}}}
    (specs / "shop.yaml").write_text(json.dumps(spec))
    group = str(Path(SOCKET).stat().st_gid)
    mounts = ("-v", f"{SOCKET}:{SOCKET}", "-v", f"{name}:/var/lib/reconciler", "-v", f"{specs}:/specs:ro")
    run = ("run", "--detach", "--name", f"{name}-service", "--group-add", group, *SHUT, *mounts)
    docker(*run, "--health-interval", "1s", IMAGE, "serve", "-f", "/specs")
    yield f"{name}-service"
    ours = docker("ps", "--all", "--quiet", "--filter", f"label=io.reconciler.project={name}").split()
    docker("rm", "--force", "--volumes", f"{name}-service", *ours)
    docker("network", "rm", f"{name}_default", check=False)
    docker("volume", "rm", name)


def kept(service: str) -> list[str]:
    """The running containers of its project."""
    project = service.removesuffix("-service")
    return docker("ps", "--quiet", "--filter", f"label=io.reconciler.project={project}").split()


def test_it_keeps_containers(service: str) -> None:
    """Also one that somebody kills."""
    until("it has converged", lambda: "Synced, Healthy" in docker("exec", service, "reconcile", "status", check=False))
    (before,) = kept(service)
    docker("kill", before)
    until("it is back", lambda: kept(service) and kept(service) != [before])


def test_it_is_healthy_and_answers(service: str) -> None:
    """By the image's own check, and to whoever may enter the container."""
    until("it is healthy", lambda: inspected(service)["State"]["Health"]["Status"] == "healthy")
    assert "web" in docker("exec", service, "reconcile", "status")


def test_it_is_shut_in(service: str) -> None:
    """A user without a name's worth of privileges, and nothing to write but its state."""
    said = docker("exec", service, "cat", "/proc/1/status")
    fields = dict(line.split(":\t", 1) for line in said.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == ["10001"] * 4
    assert (fields["CapEff"], fields["CapBnd"], fields["NoNewPrivs"]) == ("0" * 16, "0" * 16, "1")
    script = "for folder in / /usr /etc /opt/reconciler; do touch $folder/x 2>/dev/null && echo $folder; done; true"
    assert docker("exec", service, "sh", "-c", script) == ""
    assert "755" not in docker("exec", service, "stat", "-c", "%a", "/run/reconciler", "/var/lib/reconciler")
    mode = int(docker("exec", service, "stat", "-c", "%a", "/run/reconciler/reconciler.sock"), 8)
    assert stat.S_IMODE(mode) == 0o600


def test_nothing_is_compiled_at_run_time() -> None:
    """All bytecode is there and in force: a read-only root has no place for new one."""
    script = (
        "import reconciler.app_service, sys; print([m for m in sys.modules.values() if getattr(m, '__cached__', None)])"
    )
    done = subprocess.run(
        ["docker", "run", "--rm", "--entrypoint", "python3", IMAGE, "-v", "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )
    missing = [line for line in done.stderr.splitlines() if "code object from" in line and "/opt/reconciler/" in line]
    assert [line for line in missing if ".py'" in line and "/site-packages/" in line] == []
    assert "matches /opt/reconciler/lib" in done.stderr


def test_it_stops_when_it_is_told(service: str) -> None:
    """As process 1, with SIGTERM, long before it would be killed."""
    before = time.monotonic()
    docker("stop", "--time", "30", service)
    assert time.monotonic() - before < 20
    assert inspected(service)["State"]["ExitCode"] == 0
    assert kept(service)
