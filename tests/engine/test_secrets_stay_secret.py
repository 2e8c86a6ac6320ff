"""Planted secrets are looked for wherever the program says anything: its output, labels, arguments, state file.

What an engine keeps by design is not searched: a container's environment is in its settings.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import age
from tests.support.builders import has_buildx
from tests.support.command import DOCKERFILE, HEALTHY
from tests.support.image import busybox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.command import Ran, Site

pytestmark = pytest.mark.engine

PLANTED = {
    name: f"planted-{name}-{number * 7919}"
    for number, name in enumerate(
        ("password", "url", "coded", "file", "variable", "aged", "argument", "bfile", "bvariable", "baged", "login"), 1
    )
}
CODED = ("coded", "aged", "baged", "new aged")  # encrypted in the repository: in clear on no disk of ours
TELL_ALL = "env; cat /run/secrets/*; cat /run/secrets/* >&2"


class Listening:
    """Everything that the runs of a test have said, and the arguments of all processes while they ran."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.planted = dict(PLANTED)
        self.said: list[str] = []
        self._arguments: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def run(self, *arguments: str, **environment: str) -> Ran:
        """One run, listened to."""
        ran = self.site.run(*arguments, **environment)
        assert "Traceback" not in ran.text
        self.said.append(f"$ {' '.join(arguments)}\n{ran.text}")
        return ran

    def close(self) -> None:
        """Stop looking at processes."""
        self._over.set()
        self._thread.join()

    def found(self) -> list[str]:
        """Which secrets were said, and where: in any form that gives them away."""
        texts = [*self.said, *(line.decode(errors="replace") for line in self._arguments), str(self._labels())]
        return [f"{name} in {text}" for name, it in self.planted.items() for text in texts if given_away(it, text)]

    def _labels(self) -> list[Any]:
        api = self.site.api
        made = [row["Config"]["Labels"] for row in self.site.containers().values()]
        made += [row["Labels"] for row in api.networks() if row["Name"].startswith(self.site.name)]
        made += [row["Labels"] for row in api.volumes()["Volumes"] or [] if row["Name"].startswith(self.site.name)]
        return made + [row["Labels"] for row in api.images() if str(row["RepoTags"]).find(self.site.name) >= 0]

    def _sample(self) -> None:
        while not self._over.wait(0.02):
            for process in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208 - glob looks at what has ended
                try:
                    self._arguments.add(Path("/proc", process, "cmdline").read_bytes())
                except OSError:
                    continue  # it has ended


def given_away(secret: str, text: str) -> bool:
    """Whether a text has the secret, or what anybody could find it by: a plain hash of it, its base64."""
    digest = hashlib.sha256(secret.encode()).hexdigest()
    coded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return secret in text or digest[:12] in text or coded in text


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The identity of the installation."""
    return age.identity(tmp_path)


@pytest.fixture
def listening(site: Site, key: Path) -> Iterator[Listening]:
    """A site with secrets of every kind, and what listens to it."""
    site.environment |= {
        "RECONCILER_AGE_IDENTITY_FILE": str(key),
        "S_VARIABLE": PLANTED["variable"],
        "B_VARIABLE": PLANTED["bvariable"],
    }
    for name, at in (("file", "s.txt"), ("bfile", "b.txt")):
        (site.folder / at).write_text(PLANTED[name] + "\n")
    for name, at in (("aged", "s.age"), ("baged", "b.age")):
        (site.folder / at).write_bytes(age.encrypt(PLANTED[name], key))
    (site.folder / "coded.env").write_bytes(age.encrypt(f"HARMLESS_NAME={PLANTED['coded']}\n", key))
    config, login = site.folder / "docker-config", base64.b64encode(f"me:{PLANTED['login']}".encode()).decode()
    plugins = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker"), "cli-plugins")
    config.mkdir()
    (config / "cli-plugins").symlink_to(plugins)
    (config / "config.json").write_text(f'{{"auths": {{"127.0.0.1:9": {{"auth": "{login}"}}}}}}')
    site.environment["DOCKER_CONFIG"] = str(config)
    found = Listening(site)
    yield found
    found.close()


def web(site: Site, **fields: Any) -> dict[str, Any]:
    """A service that has secrets of every kind."""
    more = {
        "environment": {
            "DB_PASSWORD": PLANTED["password"],
            "UPSTREAM": f"http://me:{PLANTED['url']}@example.test/",
            "PLAIN": "shown",
        },
        "env_file": ["coded.env"],
        "secrets": ["file", "variable", "aged"],
        "stop_signal": "SIGKILL",
    }
    return site.service(**{**more, **fields})


def write(site: Site, service: dict[str, Any], **others: Any) -> None:
    """A spec with that service, and everything declared."""
    secrets = {
        "file": {"file": "./s.txt"},
        "variable": {"environment": "S_VARIABLE"},
        "aged": {"file": "./s.age"},
        "bfile": {"file": "./b.txt"},
        "bvariable": {"environment": "B_VARIABLE"},
        "baged": {"file": "./b.age"},
    }
    site.write({"secrets": secrets, "volumes": {"data": {}}}, web=service, **others)


def everything(listening: Listening) -> None:
    """Every command that tells of a project."""
    for arguments in (
        ("validate",),
        ("validate", "-o", "json"),
        ("--dry-run",),
        ("--dry-run", "-o", "json"),
        ("--dry-run", "-o", "markdown"),
        ("status", "--deep"),
        ("status", "-o", "json"),
        ("history",),
        ("history", "-o", "json"),
        ("why", "web"),
        ("why", "web", "-o", "json"),
        ("images",),
        ("images", "-o", "json"),
    ):
        listening.run(*arguments)


def test_what_runs_gives_nothing_away(listening: Listening, key: Path) -> None:
    """From the first converge over a rotation to a rollback; what is encrypted is in clear in no file of ours."""
    site = listening.site
    write(site, web(site, volumes=["data:/data"], healthcheck=HEALTHY))
    listening.run("-o", "json").expect(0)
    assert listening.run("config").text.count(PLANTED["coded"]) == 0
    listening.said.pop()  # `config` says what the spec says in clear, as Compose does
    everything(listening)
    site.environment["S_VARIABLE"] = "planted-variable-rotated"
    (site.folder / "s.age").write_bytes(age.encrypt("planted-aged-rotated", key))
    listening.planted |= {"new variable": "planted-variable-rotated", "new aged": "planted-aged-rotated"}
    plan = listening.run("--dry-run")
    plan.says("the content of secrets.aged changed", "the content of secrets.variable changed")
    listening.run("--log-format", "json", "--log-level", "debug").expect(0)
    assert site.execute(site.only("web")["Id"], "cat", "/run/secrets/aged") == "planted-aged-rotated"
    listening.run("rollback", "web").expect(0)
    everything(listening)
    assert listening.found() == []
    kept = b"".join(path.read_bytes() for path in site.state.rglob("*") if path.is_file())
    assert [name for name in CODED if listening.planted[name].encode() in kept] == []


def test_what_fails_gives_nothing_away(listening: Listening) -> None:
    """A replica that prints all it knows and crashes, a health check and a drain command that do."""
    site = listening.site
    check = {"test": ["CMD-SHELL", f"{TELL_ALL}; exit 1"], "interval": "200ms", "timeout": "2s", "retries": 1}
    write(site, web(site, command=["sh", "-c", f"{TELL_ALL}; exit 1"]))
    listening.run().expect(1)
    everything(listening)
    write(site, web(site, healthcheck=check))
    listening.run("-o", "json").expect(1)
    everything(listening)
    rollout = {"min_running": "100ms", "drain": {"method": "exec", "command": ["sh", "-c", f"{TELL_ALL}; exit 3"]}}
    write(site, web(site, **{"x-reconcile": {"rollout": rollout}}))
    listening.run().expect(0)
    write(site, web(site, hostname="another", **{"x-reconcile": {"rollout": rollout}}))
    listening.run().expect(1).says("sh exited with 3")
    everything(listening)
    assert listening.found() == []


def test_what_is_refused_gives_nothing_away(listening: Listening) -> None:
    """A spec that is wrong beside a secret, what is damaged, what no registry and no engine takes."""
    site = listening.site
    broken = web(site)
    broken["environment"]["DB_PASSWORD"] = [PLANTED["password"]]
    write(site, broken)
    listening.run().expect(3)
    write(site, web(site, image="127.0.0.1:9/x:1", pull_policy="always"))
    listening.run().expect(1)
    write(site, web(site, cpuset="99999"))
    listening.run().expect(1)
    (site.folder / "s.age").write_bytes((site.folder / "s.age").read_bytes()[:-70])
    write(site, web(site))
    listening.run("validate", "--log-level", "debug").expect(3)
    listening.run("--dry-run", RECONCILER_AGE_IDENTITY_FILE="").expect(3)
    listening.run("config").expect(3)
    assert listening.found() == []


@pytest.mark.parametrize("builder", ["classic", "buildx"])
def test_a_build_gives_nothing_away(listening: Listening, builder: str) -> None:
    """Arguments and secrets of builds, which print them: neither on a command line nor in the output."""
    site = listening.site
    if builder == "buildx" and not has_buildx():
        pytest.skip("the docker CLI has no buildx")
    site.environment["PATH"] = os.environ["PATH"] if builder == "buildx" else "/nonexistent"
    context = site.folder / "app"
    context.mkdir()
    shutil.copy(busybox(), context / "busybox")
    mounts = " ".join(f"--mount=type=secret,id={name}" for name in ("bfile", "bvariable", "baged"))
    secrets = ["bfile", "bvariable", "baged"] if builder == "buildx" else []
    lines = f"ARG API_TOKEN\nRUN {mounts if secrets else ''} echo $API_TOKEN; cat /run/secrets/* || true; sleep 1\n"
    (context / "Dockerfile").write_text(f"{DOCKERFILE}{lines}RUN false\n")
    service = web(site, build={"context": "app", "args": {"API_TOKEN": PLANTED["argument"]}, "secrets": secrets})
    del service["image"]
    write(site, service)
    listening.run("--log-level", "debug").expect(1)
    (context / "Dockerfile").write_text(f"{DOCKERFILE}{lines}")
    listening.run("--log-format", "json", "--log-level", "debug").expect(0)
    everything(listening)
    assert listening.found() == []
