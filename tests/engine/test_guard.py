"""The guard that stands behind every test of this folder finds what the program must never ask for."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from tests.support.guard import Guard
from tests.support.proxy import tapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.engine

Ask: TypeAlias = "Callable[..., None]"
FORBIDDEN = [
    "POST /containers/web/update",
    "POST /containers/web/rename?name=other",
    "POST /containers/web/restart",
    "POST /containers/web/pause",
    "POST /containers/web/unpause",
    "POST /containers/web/kill",
    "POST /containers/web/exec",
    "POST /commit?container=web",
    "PUT /containers/web/archive?path=/",
    "DELETE /containers/web?force=1",
    "DELETE /containers/web?v=1",
    "DELETE /containers/web?force=True",
    "DELETE /containers/web?link=true",
    "DELETE /volumes/data",
    "DELETE /images/web",
    "DELETE /images/web?force=0",
    "DELETE /images/web?force=1&noprune=1",
    "DELETE /images/web?force=0&noprune=0",
    "DELETE /images/web?force=0&noprune=1&platforms=all",
    "POST /containers/prune",
    "POST /volumes/prune",
    "POST /networks/prune",
    "POST /images/prune",
    "POST /build/prune",
    "POST /networks/front/connect",
    "POST /networks/front/disconnect",
    "POST /swarm/leave",
]
ALLOWED = [
    "GET /containers/json?all=1",
    "POST /containers/web/start",
    "POST /containers/web/stop",
    "DELETE /containers/web?v=False&force=0",
    "POST /networks/create",
    "DELETE /networks/front",
    "POST /volumes/create",
    "POST /images/create?fromImage=web",
    "POST /images/example/web/tag?repo=web",
    "DELETE /images/example/web:1?force=0&noprune=1",
    "POST /build?t=web",
]


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


@pytest.fixture
def other() -> Guard:
    """A guard of the test's own: what it finds fails nobody."""
    return Guard()


@pytest.fixture
def ask(other: Guard, engine_host: str, tmp_path: Path) -> Iterator[Ask]:
    """Sends one request past that guard to an engine that refuses whatever may change something."""
    with tapped(engine_host.partition("://")[2], tmp_path / "tap.sock") as tap:
        tap.on_request = other.on_request
        tap.refuse = re.compile("^(POST|PUT|DELETE)")

        def send(request: str, body: object = None) -> None:
            method, path = request.split(" ")
            connection = _Connection(tap.host.partition("://")[2])
            connection.request(method, f"/v1.41{path}", json.dumps(body or {}))
            connection.getresponse().read()
            connection.close()

        yield send


def create(ask: Ask, folder: Path, rollout: dict[str, Any]) -> None:
    """Ask for the container `web` of a spec with those rollout settings, and for its start."""
    spec = folder / "compose.yaml"
    spec.write_text(json.dumps({"services": {"web": {"x-reconcile": {"rollout": rollout}}}}))
    labels = {
        "io.reconciler.project": "shop",
        "io.reconciler.service": "web",
        "com.docker.compose.project.config_files": str(spec),
    }
    ask("POST /containers/create?name=web", {"Image": "web", "Labels": labels})
    for line in ("POST /networks/front/connect", "POST /containers/web/start"):
        ask(line, {"Container": "web"})


@pytest.mark.parametrize("line", FORBIDDEN)
def test_a_forbidden_call_is_found(ask: Ask, other: Guard, tmp_path: Path, line: str) -> None:
    """Every call besides the closed set, on a container whose spec opted in to nothing, is named with its reason."""
    create(ask, tmp_path, {})
    ask(line, {"Container": "web"})
    (found,) = other.verdicts()
    assert found.startswith(line.partition("?")[0])


@pytest.mark.parametrize("line", ALLOWED)
def test_what_the_program_does_is_allowed(ask: Ask, other: Guard, line: str) -> None:
    """The verbs of rule 1, and what makes images, networks and volumes."""
    ask(line)
    assert other.verdicts() == []


@pytest.mark.parametrize(
    ("rollout", "lines"),
    [
        ({"drain": {"method": "signal", "signal": "SIGUSR1"}}, ["POST /containers/web/kill?signal=SIGUSR1"]),
        ({"drain": {"method": "exec", "command": ["drain"]}}, ["POST /containers/web/exec", "POST /exec/a1/start"]),
        ({"publish": "healthy"}, ["POST /networks/front/disconnect", "POST /networks/front/connect"]),
    ],
)
def test_a_spec_opts_in(ask: Ask, other: Guard, tmp_path: Path, rollout: dict[str, Any], lines: list[str]) -> None:
    """A drain and `publish: healthy` allow the calls that they need; the same calls are found without them."""
    create(ask, tmp_path, rollout)
    for line in lines:
        ask(line, {"Container": "web"})
    assert other.verdicts() == []
    create(ask, tmp_path, {"settle": "1s"})
    for line in lines:
        ask(line, {"Container": "web"})
    assert other.verdicts()


def test_a_drain_signal_is_the_one_of_the_spec(ask: Ask, other: Guard, tmp_path: Path) -> None:
    """Opting in to one signal allows no other."""
    create(ask, tmp_path, {"drain": {"method": "signal", "signal": "SIGUSR1"}})
    ask("POST /containers/web/kill?signal=SIGKILL")
    ask("POST /containers/web/kill")
    assert len(other.verdicts()) == 2


def test_the_first_start_ends_what_belongs_before_it(ask: Ask, other: Guard, tmp_path: Path) -> None:
    """Connect and copy-in are the program's until a container was started; `disconnect` is not even then."""
    body = {"Image": "web", "Labels": {"io.reconciler.project": "shop"}}
    ask("POST /containers/create?name=web", body)
    for line in ("POST /networks/front/connect", "PUT /containers/web/archive?path=/"):
        ask(line, {"Container": "web"})
    assert other.verdicts() == []
    ask("POST /networks/front/disconnect", {"Container": "web"})
    assert len(other.verdicts()) == 1


def test_what_tests_do_by_hand_is_theirs(other: Guard, engine_host: str, tmp_path: Path) -> None:
    """A command that a test runs is not the program's, whatever it asks for."""
    with tapped(engine_host.partition("://")[2], tmp_path / "tap.sock") as tap:
        tap.on_request = other.on_request
        tap.refuse = re.compile("^POST")
        subprocess.run(["docker", "-H", tap.host, "update", "-m", "1g", "web"], capture_output=True, check=False)
        assert "POST /containers/web/update" in tap.asked
    assert other.verdicts() == []
