from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from reconciler.engine.docker_connect import resolve_target
from reconciler.engine.docker_credentials import credential_lookup
from reconciler.engine.docker_transport import Transport
from reconciler.errors import EngineError
from reconciler.images.registry.credentials import Credential, Lookup

AUTH = "Y2k6b3Blbi1zZXNhbWU="  # ci:open-sesame
SECRET = Credential("ci", "open-sesame")


@pytest.fixture
def lookup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lookup:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    environment = {"DOCKER_CONFIG": str(tmp_path), "PATH": os.environ["PATH"]}
    return credential_lookup(resolve_target("unix:///none", None, environment))


def write(folder: Path, config: object) -> None:
    (folder / "config.json").write_text(json.dumps(config))


def helper(folder: Path, name: str, answer: str) -> None:
    """A credential helper that answers that for the host `a.io` and Docker Hub's key, and has nothing else."""
    program = folder / f"docker-credential-{name}"
    known = "a.io|https://index.docker.io/v1/"
    program.write_text(
        f"#!/bin/sh\nread host\ncase $host in\n{known}) echo '{answer}' ;;\n"
        "*) echo 'credentials not found in native keychain'; exit 1 ;;\nesac\n"
    )
    program.chmod(0o755)


def test_what_config_json_holds(tmp_path: Path, lookup: Lookup) -> None:
    """User and password, identity tokens, Docker Hub under its old key; nothing for others, or without a file."""
    assert lookup("a.io") is None
    write(
        tmp_path,
        {
            "auths": {
                "https://a.io/v1/": {"auth": AUTH},
                "b.io:5000": {"auth": AUTH, "identitytoken": "t0k"},
                "https://index.docker.io/v1/": {"auth": AUTH},
                "empty.io": {},
            }
        },
    )
    found = [lookup(host) for host in ("a.io", "b.io:5000", "docker.io", "b.io", "empty.io")]
    assert found == [SECRET, Credential(identity_token="t0k"), SECRET, None, None]  # noqa: S106 - of this test only


def test_helpers_come_first(tmp_path: Path, lookup: Lookup) -> None:
    """The host's own helper, then the store, then the file; a user called <token> has an identity token."""
    helper(tmp_path, "own", '{"Username": "<token>", "Secret": "t0k"}')
    helper(tmp_path, "store", '{"Username": "store", "Secret": "s"}')
    auths = {"a.io": {"auth": AUTH}, "c.io": {"auth": AUTH}}
    write(tmp_path, {"auths": auths, "credsStore": "store", "credHelpers": {"a.io": "own"}})
    assert lookup("a.io") == Credential(identity_token="t0k")  # noqa: S106 - of this test only
    assert lookup("docker.io") == Credential("store", "s")
    assert lookup("c.io") == SECRET
    write(tmp_path, {"auths": auths, "credsStore": "store"})
    assert lookup("a.io") == Credential("store", "s")


def test_a_broken_helper_is_named(tmp_path: Path, lookup: Lookup) -> None:
    """It is no anonymous question."""
    program = tmp_path / "docker-credential-broken"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    write(tmp_path, {"credsStore": "broken"})
    with pytest.raises(EngineError) as caught:
        lookup("a.io")
    assert (caught.value.code, caught.value.source) == ("CredentialsUnusable", str(tmp_path / "config.json"))


@pytest.mark.parametrize(
    "config",
    [{"auths": {"a.io": {"auth": entry}}} for entry in ("###", "YWJj", 5)] + [{"auths": 5}, {"auths": {"a.io": 5}}],
)
def test_credentials_that_are_none_are_named(tmp_path: Path, lookup: Lookup, config: object) -> None:
    """By the file that holds them, before the engine is connected to."""
    write(tmp_path, config)
    target = resolve_target("unix:///none", None, {"DOCKER_CONFIG": str(tmp_path)})
    for call in (lambda: lookup("a.io"), lambda: Transport(target, None).call("GET", "/info")):
        with pytest.raises(EngineError) as caught:
            call()
        assert (caught.value.code, caught.value.source) == ("CredentialsUnusable", str(tmp_path / "config.json"))
