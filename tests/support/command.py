"""Running the program as a user does: a folder with a spec, `python -m reconciler` in it, and what the engine has then.

What tests look at is read from the engine directly, never through the program.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker import APIClient
from docker.errors import NotFound

from reconciler.engine.docker_connect import resolve_target
from tests.support import image

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.model.observed import EngineInfo

PROJECT = "io.reconciler.project"
SERVICE = "io.reconciler.service"
SLOT = "io.reconciler.slot"
WITHOUT_ENGINE = {"validate", "config", "--help", "--version"}
ROOT = Path(__file__).parents[2]
DOCKERFILE = f"""FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
ENV PATH=/bin
LABEL {image.LABEL}=1
STOPSIGNAL SIGKILL
CMD ["sleep", "600"]
"""
HEALTHY = {"test": ["CMD", "true"], "interval": "200ms", "timeout": "2s"}
UNHEALTHY = {
    "test": ["CMD-SHELL", "echo the probe says no; exit 1"],
    "interval": "200ms",
    "timeout": "2s",
    "retries": 1,
}
_PATIENCE = 60  # seconds
_ANONYMOUS = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Ran:
    """One finished run of the program."""

    arguments: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """Everything it said."""
        return self.stdout + self.stderr

    @property
    def document(self) -> dict[str, Any]:
        """Its stdout as JSON."""
        found: dict[str, Any] = json.loads(self.stdout)
        return found

    def expect(self, code: int) -> Ran:
        """This run; fails with all that was said where it ended otherwise, or with a traceback."""
        said = f"{' '.join(self.arguments)}\n{self.stdout}{self.stderr}"
        assert self.code == code, f"exit {self.code}, expected {code}: {said}"
        assert "Traceback" not in self.text, said
        assert "internal error" not in self.text, said
        return self

    def says(self, *parts: str) -> Ran:
        """This run; fails where one of these is missing from what was said, line breaks aside."""
        flat = " ".join(self.text.split())
        for part in parts:
            assert part in flat, f"not said: {part!r}\n{self.text}"
        return self


@dataclass
class Site:
    """One project of a test: the folder of its spec, the program run on it, and the project's objects on the engine."""

    name: str
    folder: Path
    api: Any  # docker.APIClient, whose methods are only partly typed
    image: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def spec(self) -> Path:
        """The compose file."""
        return self.folder / "compose.yaml"

    @property
    def state(self) -> Path:
        """What the program remembers: beside the folder, which may be the context of a build."""
        return self.folder.with_name(f"{self.folder.name}-state")

    def service(self, **fields: Any) -> dict[str, Any]:
        """A service that sleeps and counts as up soon; fields by their Compose names."""
        quick = {"rollout": {"min_running": "100ms"}}
        watched = {"update_config": {"monitor": "300ms"}, "rollback_config": {"monitor": "300ms"}}
        return {"image": self.image, "x-reconcile": quick, "deploy": watched, "command": ["sleep", "600"]} | fields

    def write(self, top: Mapping[str, Any] | None = None, /, **services: Any) -> Site:
        """Write a spec of these services (JSON is YAML: every field has a line of its own)."""
        document = {"name": self.name, "services": services, **(top or {})}
        self.spec.write_text(json.dumps(document, indent=1) + "\n")
        return self

    def write_text(self, text: str) -> Site:
        """Write a spec as it stands, with NAME and IMAGE filled in."""
        self.spec.write_text(text.replace("NAME", self.name).replace("IMAGE", self.image))
        return self

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """The program under way."""
        return subprocess.Popen(
            [sys.executable, "-m", "reconciler", *arguments, *self._state(arguments)],
            cwd=self.folder,
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **environment: str) -> Ran:
        """The program, to its end."""
        return finish(self.start(*arguments, **environment), arguments)

    def converge(self, *arguments: str) -> Ran:
        """A run that has to succeed."""
        return self.run(*arguments).expect(0)

    def containers(self, service: str | None = None) -> dict[str, dict[str, Any]]:
        """Inspected containers of the project (or of one service) by id, in any state."""
        found = {}
        for row in self.api.containers(all=True, filters={"label": self._labels(service)}):
            with contextlib.suppress(NotFound):  # gone since the list was made
                found[row["Id"]] = self.api.inspect_container(row["Id"])
        return found

    def only(self, service: str) -> dict[str, Any]:
        """The one container of a service."""
        (found,) = self.containers(service).values()
        return found

    def running(self, service: str | None = None) -> dict[str, str]:
        """StartedAt of the project's running containers by id: equal before and after means left alone."""
        found = self.containers(service)
        return {key: row["State"]["StartedAt"] for key, row in found.items() if row["State"]["Status"] == "running"}

    def networks(self) -> set[str]:
        """Names of the networks that start with the project's name."""
        return {row["Name"] for row in self.api.networks() if row["Name"].startswith(self.name)}

    def volumes(self) -> set[str]:
        """Names of the volumes that start with the project's name."""
        return {row["Name"] for row in self.api.volumes()["Volumes"] or [] if row["Name"].startswith(self.name)}

    def execute(self, container: str, *command: str) -> str:
        """What a command prints inside a container."""
        made = self.api.exec_create(container, list(command))
        said: str = self.api.exec_start(made["Id"]).decode()
        return said.strip()

    def outsider(self, name: str, **body: Any) -> str:
        """A container that somebody else runs, called PROJECT-name unless the name is absolute (`/name`); its id."""
        full = name[1:] if name.startswith("/") else f"{self.name}-{name}"
        made = self.api.create_container_from_config({"Image": self.image, "Cmd": ["sleep", "600"], **body}, full)
        self.api.start(made["Id"])
        container: str = made["Id"]
        return container

    def sweep(self) -> None:
        """Remove what the project made and what outsiders made under its name."""
        rows = self.api.containers(all=True)
        ours = [row for row in rows if (row["Labels"] or {}).get(PROJECT) == self.name or _named(row, self.name)]
        mounts = [mount for row in ours for mount in row["Mounts"] if _ANONYMOUS.fullmatch(mount.get("Name") or "")]
        for row in ours:
            self.api.remove_container(row["Id"], force=True, v=True)
        for network in self.networks():
            self.api.remove_network(network)
        left = {row["Name"] for row in self.api.volumes()["Volumes"] or []}
        for volume in self.volumes() | (left & {mount["Name"] for mount in mounts}):
            self.api.remove_volume(volume)
        for row in self.api.images():
            for tag in row["RepoTags"] or []:
                if tag.startswith(self.name):
                    self.api.remove_image(tag)

    def _labels(self, service: str | None) -> list[str]:
        return [f"{PROJECT}={self.name}", *([f"{SERVICE}={service}"] if service else [])]

    def _state(self, arguments: tuple[str, ...]) -> list[str]:
        own = not WITHOUT_ENGINE.isdisjoint(arguments) or "--state-dir" in arguments
        return [] if own else ["--state-dir", str(self.state)]

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        paths = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        return {**os.environ, **paths, **self.environment, **more}


def api_client(info: EngineInfo) -> APIClient:
    """A connection of the tests' own to the engine that the program uses by default."""
    return APIClient(base_url=resolve_target(None, None, os.environ).host, version=info.api, timeout=60)


def build(api: Any, tag: str, dockerfile: str = DOCKERFILE) -> str:
    """Build an image, with busybox in its context; its id. No layer of it is another image's, which may go any time."""
    start, rest = dockerfile.split("\n", 1)
    packed = io.BytesIO(image.context(f"{start}\nLABEL built-for={tag}\n{rest}"))
    for line in api.build(fileobj=packed, custom_context=True, tag=tag, rm=True, forcerm=True, decode=True):
        assert "error" not in line, line
    identity: str = api.inspect_image(tag)["Id"]
    return identity


def finish(process: subprocess.Popen[str], arguments: tuple[str, ...] = ()) -> Ran:
    """What a started program has said when it ends; it is killed, and the test fails, if it does not."""
    try:
        stdout, stderr = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
        message = f"{' '.join(arguments)} did not end in {_PATIENCE} s\n{stdout}{stderr}"
        raise AssertionError(message) from None
    return Ran(arguments, process.returncode, stdout, stderr)


def until(condition: Callable[[], object], timeout: float = 20) -> None:
    """Wait until this is true; fails where it does not become true in time."""
    ends = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.02)


def _named(row: Mapping[str, Any], prefix: str) -> bool:
    return any(name.startswith(f"/{prefix}") for name in row["Names"] or [])
