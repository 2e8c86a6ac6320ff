from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.images.registry.credentials import Credential, Credentials
from reconciler.images.registry.settings import DOCKER_CERTIFICATES, Settings, settings_from


def test_settings_are_the_environments() -> None:
    """A folder of certificates beside the engine's, and hosts that are spoken to without TLS."""
    found = settings_from({"RECONCILER_REGISTRY_CERTS": "/c", "RECONCILER_PLAIN_REGISTRIES": "a:1, b,"})
    assert found == Settings((Path("/c"), DOCKER_CERTIFICATES), frozenset({"a:1", "b"}))
    assert settings_from({}) == Settings()


@pytest.mark.parametrize(
    ("host", "plain"),
    [("127.0.0.1:5000", True), ("localhost", True), ("listed:80", True), ("listed", False), ("10.0.0.1", False)],
)
def test_plain_hosts_are_this_machine_and_those_listed(host: str, plain: bool) -> None:
    """No private network is trusted for being private."""
    assert Settings((), frozenset({"listed:80"})).is_plain(host) is plain


def test_an_authority_of_its_own_means_tls(tmp_path: Path) -> None:
    """A registry on this machine with a certificate folder is spoken to by TLS; Docker Hub's folder is docker.io."""
    for host in ("127.0.0.1:5000", "docker.io"):
        (tmp_path / host).mkdir()
        (tmp_path / host / "ca.crt").touch()
    settings = Settings((tmp_path,))
    assert not settings.is_plain("127.0.0.1:5000")
    assert settings.is_plain("127.0.0.1:5001")
    assert settings.authorities("registry-1.docker.io") == (tmp_path / "docker.io" / "ca.crt",)


def test_credentials_show_no_secret() -> None:
    """Neither printed nor in what tells them apart."""
    one, other = Credential("ci", "open-sesame"), Credential("ci", "other")
    assert "open-sesame" not in f"{one!r}{one.fingerprint}"
    assert one.fingerprint != other.fingerprint
    assert Credential(identity_token="t0k").fingerprint not in repr(Credential(identity_token="t0k"))  # noqa: S106


def test_credentials_are_looked_up_once_a_pass() -> None:
    """Also where there is none; the next pass looks again."""
    asked: list[str] = []

    def look_up(host: str) -> Credential | None:
        asked.append(host)
        return None

    credentials = Credentials(look_up)
    assert credentials.of("a") is credentials.of("a") is None
    credentials.forget()
    assert credentials.of("a") is None
    assert asked == ["a", "a"]
