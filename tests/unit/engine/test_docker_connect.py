"""Which engine is meant, and which API version is spoken with it: decided without any engine."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from reconciler.engine.docker_connect import DEFAULT_HOST, TESTED_MAX, Target, negotiate, resolve_target
from reconciler.errors import EngineError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the contexts `far` (TLS) and `ship` (ssh), the latter the current one."""
    directory = tmp_path / ".docker"
    for name, host in (("far", "tcp://far:2376"), ("ship", "ssh://me@ship:2222")):
        identity = hashlib.sha256(name.encode()).hexdigest()
        meta = directory / "contexts" / "meta" / identity
        meta.mkdir(parents=True)
        (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
        files = directory / "contexts" / "tls" / identity / "docker"
        files.mkdir(parents=True)
        (files / "ca.pem").write_text("")
    (directory / "config.json").write_text(json.dumps({"currentContext": "ship"}))
    return tmp_path


def chosen(home: Path, host: str | None = None, context: str | None = None, **environment: str) -> Target:
    return resolve_target(host, context, {"HOME": str(home), **environment})


def test_order_of_choice_is_that_of_the_docker_cli(home: Path) -> None:
    """-H, else -c, else DOCKER_HOST, else DOCKER_CONTEXT, else the current context."""
    both = {"DOCKER_HOST": "tcp://env:1", "DOCKER_CONTEXT": "far"}
    assert chosen(home, host="unix:///x.sock", **both).host == "unix:///x.sock"
    assert chosen(home, context="far", **both).host == "tcp://far:2376"
    assert chosen(home, **both).host == "tcp://env:1"
    assert chosen(home, DOCKER_CONTEXT="far").host == "tcp://far:2376"
    assert chosen(home).host == "ssh://me@ship:2222"


def test_default_socket_where_nothing_is_said(tmp_path: Path) -> None:
    """No option, no variable, no config.json: the default socket, under the context name `default`."""
    target = chosen(tmp_path)
    assert (target.host, target.name) == (DEFAULT_HOST, "default")


def test_name_is_that_of_the_context(home: Path) -> None:
    """Plans name the engine by its docker context; a bare host is `default`."""
    assert chosen(home).name == "ship"
    assert chosen(home, host="tcp://x:1").name == "default"
    assert chosen(home, context="default").host == DEFAULT_HOST


def test_docker_config_moves_the_store(home: Path, tmp_path: Path) -> None:
    """DOCKER_CONFIG names the folder that HOME/.docker would be."""
    target = resolve_target(None, None, {"HOME": "/nowhere", "DOCKER_CONFIG": str(home / ".docker")})
    assert target.name == "ship"


@pytest.mark.parametrize(
    ("host", "tls", "url"),
    [
        ("tcp://box", False, "http://box:2375"),
        ("tcp://box", True, "https://box:2376"),
        ("tcp://box:99", True, "https://box:99"),
        ("https://box", False, "https://box:2376"),
        ("http://box:80/base/", False, "http://box:80/base"),
        ("box:2375", False, "http://box:2375"),
        ("tcp://[::1]:5", False, "http://[::1]:5"),
    ],
)
def test_url_of_a_remote_engine(tmp_path: Path, host: str, url: str, *, tls: bool) -> None:
    """A tcp host becomes http or https as TLS is asked for, with Docker's own default ports."""
    environment = {"DOCKER_TLS_VERIFY": "1"} if tls else {}
    assert chosen(tmp_path, host=host, **environment).url == url


def test_tls_files_come_from_the_certificate_path(tmp_path: Path) -> None:
    """DOCKER_CERT_PATH names the folder of ca.pem, cert.pem and key.pem; without DOCKER_TLS_VERIFY no TLS is spoken."""
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").write_text("")
    environment = {"DOCKER_HOST": "tcp://box", "DOCKER_CERT_PATH": str(tmp_path)}
    tls = chosen(tmp_path, **environment, DOCKER_TLS_VERIFY="1").tls
    assert tls is not None
    assert (tls.ca, tls.verify) == (str(tmp_path / "ca.pem"), True)
    assert chosen(tmp_path, **environment).tls is None


def test_half_a_client_certificate_is_refused(tmp_path: Path) -> None:
    """cert.pem without key.pem cannot work; the folder is named."""
    (tmp_path / "cert.pem").write_text("")
    with pytest.raises(UsageError, match=r"key\.pem"):
        chosen(tmp_path, host="tcp://box", DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(tmp_path))


@pytest.mark.parametrize("host", ["npipe:////./pipe/docker", "ftp://x", "unix://", "fd://"])
def test_impossible_host_is_a_usage_error(tmp_path: Path, host: str) -> None:
    """A host of another kind is refused at once, with the kinds there are."""
    with pytest.raises(UsageError, match="DOCKER_HOST"):
        chosen(tmp_path, DOCKER_HOST=host)


def test_unknown_context_is_a_usage_error(home: Path) -> None:
    """A context that does not exist is never replaced by the default socket: that would be another machine."""
    with pytest.raises(UsageError, match="'lost' does not exist"):
        chosen(home, context="lost")


def test_host_and_context_together_are_a_usage_error(home: Path) -> None:
    """Two engines at once is a mistake."""
    with pytest.raises(UsageError):
        chosen(home, host="tcp://x", context="far")


def test_broken_config_is_a_usage_error(tmp_path: Path) -> None:
    """An unreadable config.json is not an absent one: it may name another engine."""
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text("{")
    with pytest.raises(UsageError, match="JSON"):
        chosen(tmp_path)


def test_ssh_command_cannot_be_turned_into_an_option(tmp_path: Path) -> None:
    """User and port are arguments of their own and the host stands behind `--`."""
    command = chosen(tmp_path, host="ssh://me@box:22/run/d.sock").ssh_command
    assert command[-2:] == ["box", "docker --host unix:///run/d.sock system dial-stdio"]
    assert command[command.index("--") - 4 : command.index("--")] == ["-l", "me", "-p", "22"]


def test_docker_cli_is_sent_to_the_same_engine(home: Path) -> None:
    """The docker CLI under us talks to the engine that we talk to, whatever the environment says."""
    by_host = chosen(home, host="tcp://x:1", DOCKER_CONTEXT="far").cli_environment()
    assert by_host["DOCKER_HOST"] == "tcp://x:1"
    assert "DOCKER_CONTEXT" not in by_host
    by_context = chosen(home, context="far", DOCKER_HOST="tcp://y").cli_environment()
    assert by_context["DOCKER_CONTEXT"] == "far"
    assert "DOCKER_HOST" not in by_context


@pytest.mark.parametrize(
    ("server", "minimum", "spoken"),
    [("1.41", "1.12", "1.41"), ("1.47", "1.24", "1.47"), ("1.51", None, "1.51"), ("1.60", "1.44", TESTED_MAX)],
)
def test_highest_version_that_both_know(server: str, minimum: str | None, spoken: str) -> None:
    """Never above what was tested, never above what the server has; compared as numbers."""
    assert negotiate(server, minimum) == spoken


@pytest.mark.parametrize(
    ("server", "minimum", "code"),
    [
        ("1.40", "1.12", "EngineTooOld"),
        ("1.9", None, "EngineTooOld"),
        ("", None, "EngineTooOld"),
        ("1.70", "1.60", "EngineTooNew"),
    ],
)
def test_no_common_version_is_a_clear_error(server: str, minimum: str | None, code: str) -> None:
    """Below our floor or above our ceiling nothing is tried; the error says which side to upgrade."""
    with pytest.raises(EngineError) as caught:
        negotiate(server, minimum)
    assert caught.value.code == code
    assert caught.value.hint
