"""What goes wrong on the way to a forge, and that no secret is in what is said about it."""

from __future__ import annotations

import socket
import subprocess
import threading
from pathlib import Path

import pytest

from reconciler.errors import SourceError
from reconciler.source.git.address import address_of
from tests.support.git_server import Forge, Repository, serving
from tests.support.git_source import SPEC, refusal, settings, source

TOKEN = "s3cret-token-of-a-test"  # noqa: S105 - of this test only


@pytest.fixture
def token(tmp_path: Path) -> str:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return str(path)


def test_a_token_lets_in_over_tls(tls: tuple[Path, Path], token: str, tmp_path: Path) -> None:
    """With its own authority; the token is in no file of git's."""
    (tmp_path / "forge").mkdir()
    repository = Repository.new(tmp_path / "forge/shop.git")
    repository.commit({"compose.yaml": SPEC})
    with serving(tmp_path / "forge", tls) as forge:
        assert forge.url.startswith("https://")
        forge.token = TOKEN
        followed = source(forge, tmp_path, token_file=token, username="deploy", ca_file=str(tls[0]))
        assert followed.fetch().revision.subject == "Change"
        assert f"deploy:{TOKEN}" in forge.credentials
        stranger = refusal(source(forge, tmp_path / "other", token_file=token))
    assert stranger.reason == "SourceUnauthorized"
    assert "certificate is not trusted" in stranger.message
    assert subprocess.run(["grep", "-r", TOKEN, str(tmp_path / "data")], check=False).returncode == 1


def test_a_wrong_token_is_said_without_it(forge: Forge, repository: Repository, token: str, tmp_path: Path) -> None:
    """Although the forge repeats it."""
    repository.commit({"compose.yaml": SPEC})
    forge.token = "another"  # noqa: S105 - of this test only
    error = refusal(source(forge, tmp_path, token_file=token))
    assert error.reason == "SourceUnauthorized"
    assert "wants credentials, or refuses those it gets" in error.message
    assert f"git:{TOKEN}" in forge.credentials
    assert TOKEN not in f"{error}{error!r}"
    assert refusal(source(forge, tmp_path)).reason == "SourceUnauthorized"


def test_what_a_forge_says_is_made_harmless(forge: Forge, token: str, tmp_path: Path) -> None:
    """Neither the token nor an escape sequence comes back from it."""
    said = b"no entry \x1b[2Jwith %s for http://me:you@host/" % TOKEN.encode()
    forge.answer = (403, {"Content-Type": "text/plain"}, said)
    text = str(refusal(source(forge, tmp_path, token_file=token)))
    assert TOKEN not in text
    assert "you@" not in text
    assert text.isprintable()


def test_a_redirect_elsewhere_gets_no_token(forge: Forge, repository: Repository, token: str, tmp_path: Path) -> None:
    """A first redirect is followed, as renamed repositories have one; the token is for the host that was named."""
    repository.commit({"compose.yaml": SPEC})
    (tmp_path / "empty").mkdir()
    with serving(tmp_path / "empty") as first:
        first.answer = (301, {"Location": f"{forge.url}/shop.git/info/refs?service=git-upload-pack"}, b"")
        assert source(first, tmp_path, token_file=token).fetch().revision.ref == "main"
        forge.token = TOKEN
        assert refusal(source(first, tmp_path / "other", token_file=token)).reason == "SourceUnauthorized"
    assert set(forge.credentials) == {""}


@pytest.mark.parametrize(
    ("status", "reason"),
    [(404, "SourceInvalid"), (403, "SourceUnauthorized"), (500, "SourceUnreachable"), (429, "SourceUnreachable")],
)
def test_answers_of_a_forge(forge: Forge, tmp_path: Path, status: int, reason: str) -> None:
    forge.answer = (status, {}, b"")
    assert refusal(source(forge, tmp_path)).reason == reason


def test_a_forge_that_is_not_there(forge: Forge, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        error = refusal(source(forge, tmp_path, url=f"https://127.0.0.1:{closed.getsockname()[1]}/shop.git"))
    assert (error.reason, error.code) == ("SourceUnreachable", "SourceUnreachable")
    assert "the forge does not answer as it should" in error.message
    error = refusal(source(forge, tmp_path, url="https://forge.invalid/shop.git"))
    assert error.reason == "SourceUnreachable"
    assert "name cannot be resolved" in error.message


def test_a_forge_that_hangs_is_left(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """It is ended with all that it started when its time is over."""
    forge.hold = threading.Event()
    error = refusal(source(forge, tmp_path, timeout=0.3))
    assert error.reason == "SourceUnreachable"
    assert error.message == "git ls-remote did not end within 0.3 s"


def test_a_fetch_can_be_stopped(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """By another thread, however long its forge takes."""
    forge.hold = threading.Event()
    followed = source(forge, tmp_path, timeout=60.0)
    threading.Timer(0.2, followed.stop).start()
    error = refusal(followed)
    assert (error.reason, error.message) == ("SourceUnreachable", "it was stopped")
    assert refusal(followed).message == "it was stopped"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://forge.example.com/shop.git", "http:// is for this machine only"),
        ("https://me:hunter2@forge.example.com/shop.git", "credentials in it"),
        ("https://hunter2@forge.example.com/shop.git", "credentials in it"),
        ("ssh://git:hunter2@forge.example.com/shop.git", "credentials in it"),
        ("ssh://-oProxyCommand=x/shop.git", "no usable host"),
        ("ssh://-l@forge.example.com/shop.git", "no usable host or user"),
        ("ext::sh%20-c%20x", "of no kind that is followed"),
        ("ext::sh -c x", "blanks or control characters"),
        ("file:///srv/shop.git", "no usable host"),
        ("git://forge.example.com/shop.git", "git:// is not followed"),
        ("/srv/shop.git", "of no kind that is followed"),
        ("-oProxyCommand=x:shop", "of no kind that is followed"),
        ("git@forge.example.com:-x", "of no kind that is followed"),
        ("https://forge.example.com", "no path"),
        ("https://forge.example.com/shop?ref=x", "more than a path"),
        ("https://forge.example.com:port/shop", "cannot be read"),
        ("", "is empty"),
    ],
)
def test_addresses_that_are_not_followed(forge: Forge, tmp_path: Path, url: str, words: str) -> None:
    error = refusal(source(forge, tmp_path, url=url))
    assert error.reason == "SourceInvalid"
    assert words in str(error)
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("url", "host", "site"),
    [
        ("https://forge.example.com:8443/a/shop.git", "forge.example.com", "https://forge.example.com:8443"),
        ("http://[::1]:80/shop", "::1", "http://[::1]:80"),
        ("http://localhost/shop", "localhost", "http://localhost"),
        ("ssh://git@forge.example.com:2222/shop.git", "forge.example.com", ""),
        ("git@forge.example.com:a/shop.git", "forge.example.com", ""),
        ("forge:shop", "forge", ""),
    ],
)
def test_addresses_that_are(forge: Forge, url: str, host: str, site: str) -> None:
    address = address_of(settings(forge, url=url))
    assert (address.url, address.host, address.site) == (url, host, site)


@pytest.mark.parametrize(
    ("content", "words"), [("", "does not hold a token"), ("a\nb\n", "on one line"), ("a\r\n", "on one line")]
)
def test_files_that_hold_no_token(forge: Forge, tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(content.encode())
    error = refusal(source(forge, tmp_path, token_file=str(path)))
    assert (error.reason, words in error.message) == ("SourceUnauthorized", True)


def test_files_that_are_missing(forge: Forge, tmp_path: Path) -> None:
    """Every file that a source names is missed by its name."""
    missing = str(tmp_path / "missing")
    for name in ("token_file", "ca_file"):
        assert (
            f"{name} {missing} cannot be read: No such file"
            in refusal(source(forge, tmp_path, **{name: missing})).message
        )
    ssh = {"url": "git@127.0.0.1:shop.git", "known_hosts_file": "/dev/null"}
    assert "ssh_key_file is not set" in refusal(source(forge, tmp_path, **ssh)).message
    assert (
        f"ssh_key_file {missing} cannot be read"
        in refusal(source(forge, tmp_path, ssh_key_file=missing, **ssh)).message
    )
    unknown = source(forge, tmp_path, url="git@127.0.0.1:shop.git", ssh_key_file="/dev/null")
    assert "known_hosts_file is not set" in refusal(unknown).message


def test_git_itself_is_missing(forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git is not installed" in refusal(source(forge, tmp_path)).message


def test_errors_can_be_raised_again(forge: Forge, tmp_path: Path) -> None:
    """An error of a source is one of the program's own, with a hint."""
    error = refusal(source(forge, tmp_path, url="git://x/y"))
    assert isinstance(error, SourceError)
    assert error.hint
