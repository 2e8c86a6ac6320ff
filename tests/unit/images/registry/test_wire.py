from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import RegistryError
from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.credentials import Credential
from tests.support.standin import Asked, Reply, StandIn, as_json, certificate, digest_of, index, manifest

Serve = Callable[..., StandIn]
Make = Callable[..., RegistryClient]
CONTENT = index("linux/amd64")


def failing(call: Callable[[], object]) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        call()
    return caught.value


def moved(url: str, status: int = 307) -> Reply:
    return Reply(status, {"Location": url})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(serve: Serve, make_client: Make, status: int) -> None:
    """Also relative ones, and to other hosts."""
    other = serve(lambda _: manifest(CONTENT))
    steps = {"/v2/a/manifests/latest": "/b", "/b": f"http://{other.host}/c?x=1"}
    server = serve(lambda asked: moved(steps[asked.path], status))
    assert make_client().digest(f"{server.host}/a").digest.value == digest_of(CONTENT)
    assert other.asked[0].url == "/c?x=1"


def test_credentials_stay_with_their_host(serve: Serve, make_client: Make, known: dict[str, Credential]) -> None:
    """A redirect within the host takes them along, one to another host does not."""
    other = serve(lambda _: manifest(CONTENT))

    def answering(asked: Asked) -> Reply:
        if "Authorization" not in asked.headers:
            return Reply(401, {"WWW-Authenticate": "Basic"})
        return moved(f"http://{other.host}/b" if asked.path == "/here" else "/here")

    server = serve(answering)
    known[server.host] = Credential("ci", "open-sesame")
    make_client().digest(f"{server.host}/a")
    assert [asked.path for asked in server.asked][-1] == "/here"
    assert "Authorization" not in other.asked[0].headers


def test_a_request_with_a_secret_in_it_is_not_redirected(
    serve: Serve, make_client: Make, known: dict[str, Credential]
) -> None:
    """An identity token is in the body, which a redirect would take along."""
    other = serve(lambda _: as_json({"token": "t"}))
    server = serve(lambda _: Reply(500))

    def answering(asked: Asked) -> Reply:
        if asked.path == "/token":
            return moved(f"http://{other.host}/token")
        return Reply(401, {"WWW-Authenticate": f'Bearer realm="http://{server.host}/token"'})

    server.answering = answering
    known[server.host] = Credential(identity_token="open-sesame")  # noqa: S106 - of this test only
    assert failing(lambda: make_client().digest(f"{server.host}/a")).reason == "RegistryBadAnswer"
    assert other.asked == []


@pytest.mark.parametrize(
    "target", ["http://192.0.2.1/a", "ftp://127.0.0.1/a", "http://[", "http://u:open-sesame@192.0.2.1/"]
)
def test_redirects_that_are_not_followed(serve: Serve, make_client: Make, target: str) -> None:
    """Away from TLS, away from the web, to nowhere; a password in one is not shown."""
    server = serve(lambda _: moved(target))
    error = failing(lambda: make_client().digest(f"{server.host}/a"))
    assert error.reason == "RegistryBadAnswer"
    assert "open-sesame" not in str(error)


def test_redirects_end(serve: Serve, make_client: Make) -> None:
    """A circle is left after five; a redirect to nothing is its status."""
    server = serve(lambda asked: moved(asked.path))
    assert "more than 5 redirects" in failing(lambda: make_client().digest(f"{server.host}/a")).message
    assert len(server.asked) == 6
    server.answering = lambda _: Reply(302)
    assert "status 302" in failing(lambda: make_client().digest(f"{server.host}/a")).message


def test_answers_are_bounded(serve: Serve, make_client: Make) -> None:
    """No registry makes us read more than the limit."""
    server = serve(lambda _: manifest(b" " * 5000))
    error = failing(lambda: make_client(size_limit=4999).manifest(f"{server.host}/a"))
    assert (error.reason, "4999 bytes" in error.message) == ("RegistryBadAnswer", True)


def test_a_slow_answer_is_given_up(serve: Serve, make_client: Make) -> None:
    """One that does not come, and one that comes drop by drop."""
    release = threading.Event()
    server = serve(lambda _: Reply(200, {"Content-Type": "x"}, CONTENT, hold=release))
    client = make_client(read_timeout=0.05)
    error = failing(lambda: client.manifest(f"{server.host}/a"))
    release.set()
    assert (error.reason, "in time" in error.message) == ("RegistryUnreachable", True)
    server.answering = lambda _: Reply(200, {}, CONTENT, drip=True)
    error = failing(lambda: make_client(answer_timeout=0.0).manifest(f"{server.host}/a"))
    assert (error.reason, "in time" in error.message) == ("RegistryUnreachable", True)


def test_a_connection_that_was_closed_is_made_anew(serve: Serve, make_client: Make) -> None:
    """A kept connection that ends at the next question is no failure."""
    replies = [manifest(CONTENT), Reply(cut=True), manifest(CONTENT)]
    server = serve(lambda _: replies.pop(0))
    client = make_client()
    for _ in range(2):
        assert client.digest(f"{server.host}/a").digest.value == digest_of(CONTENT)
    assert len(server.asked) == 3


def test_unreachable_says_why(make_client: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port where nobody listens, a name that is none."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{nobody.getsockname()[1]}"
        refused = failing(lambda: make_client().digest(f"{host}/a"))
    assert refused.message == f"{host} cannot be reached: connection refused"
    assert refused.retry_at is not None

    def no_name(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    unknown = failing(lambda: make_client().digest("registry.invalid/a"))
    assert unknown.message == "registry.invalid cannot be reached: its name cannot be resolved"


@pytest.fixture
def secured(serve: Serve, tmp_path: Path) -> tuple[StandIn, Path]:
    """A registry with a certificate of its own authority, and that authority's certificate."""
    chain, key = certificate(tmp_path / "pki")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    return serve(lambda _: manifest(CONTENT), tls), chain


def install(folder: Path, host: str, content: bytes) -> Any:
    (folder / host).mkdir(parents=True)
    (folder / host / "ca.crt").write_bytes(content)
    return {"certificates": (folder,)}


def test_an_authority_of_its_own(secured: tuple[StandIn, Path], make_client: Make, tmp_path: Path) -> None:
    """The file where the engine has it too makes the registry trusted, without a word elsewhere."""
    server, chain = secured
    client = make_client(**install(tmp_path / "certs", server.host, chain.read_bytes()))
    assert client.digest(f"{server.host}/a").digest.value == digest_of(CONTENT)


def test_another_authority_is_not_trusted(secured: tuple[StandIn, Path], make_client: Make, tmp_path: Path) -> None:
    """Nothing is asked before the certificate is right."""
    server, _ = secured
    other, _ = certificate(tmp_path / "other")
    client = make_client(**install(tmp_path / "certs", server.host, other.read_bytes()))
    error = failing(lambda: client.digest(f"{server.host}/a"))
    assert error.reason == "RegistryUntrusted"
    assert "certificate verify failed" in error.message
    assert "_ssl.c" not in error.message
    assert f"certs.d/{server.host}/ca.crt" in (error.hint or "")
    assert server.asked == []


def test_an_authority_that_is_no_certificate(secured: tuple[StandIn, Path], make_client: Make, tmp_path: Path) -> None:
    """The file is named; the host is not asked without it."""
    server, _ = secured
    client = make_client(**install(tmp_path / "certs", server.host, b"rubbish"))
    error = failing(lambda: client.digest(f"{server.host}/a"))
    assert error.reason == "RegistryUntrusted"
    assert str(tmp_path / "certs" / server.host / "ca.crt") in error.message


def test_a_status_of_a_host_with_tls(secured: tuple[StandIn, Path], make_client: Make, tmp_path: Path) -> None:
    """Where TLS is spoken already, a 400 is a bad answer like any other."""
    server, chain = secured
    server.answering = lambda _: Reply(400)
    client = make_client(**install(tmp_path / "certs", server.host, chain.read_bytes()))
    assert failing(lambda: client.digest(f"{server.host}/a")).reason == "RegistryBadAnswer"
