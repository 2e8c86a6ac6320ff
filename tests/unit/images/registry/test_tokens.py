from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest

from reconciler.errors import EngineError, RegistryError
from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.credentials import Credential
from reconciler.images.registry.settings import Settings
from tests.support.standin import Asked, Reply, StandIn, as_json, digest_of, index, manifest

Serve = Callable[[Callable[[Asked], Reply]], StandIn]
Make = Callable[..., RegistryClient]
CONTENT = index("linux/amd64")
SECRET = "open-sesame"  # noqa: S105 - of this test only
BASIC = "Basic " + base64.b64encode(f"ci:{SECRET}".encode()).decode()


class Issuer:
    """A registry and its token service on one host: a token is good for the repositories that it names."""

    def __init__(self) -> None:
        self.life: object = 300
        self.key = "token"
        self.scope = True
        self.revoked: set[str] = set()
        self.issued = 0
        self.host = ""

    def __call__(self, asked: Asked) -> Reply:
        """What the host answers."""
        return self.issue(asked) if asked.path == "/token" else self.show(asked)

    def issue(self, asked: Asked) -> Reply:
        """A token for the scope that is asked for."""
        scope = asked.query.get("scope") or parse_qs(asked.body)["scope"][0]
        self.issued += 1
        return as_json({self.key: f"{scope}#{self.issued}", "expires_in": self.life})

    def show(self, asked: Asked) -> Reply:
        """The manifest to who has the repository's token."""
        repository = asked.path.removeprefix("/v2/").partition("/manifests/")[0]
        scope = f"repository:{repository}:pull"
        sent = asked.headers.get("Authorization", "").removeprefix("Bearer ")
        if sent.startswith(scope + "#") and sent not in self.revoked:
            return manifest(CONTENT)
        named = f',scope="{scope}"' if self.scope else ""
        return Reply(401, {"WWW-Authenticate": f'Bearer realm="http://{self.host}/token",service="s"{named}'})


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def server(serve: Serve, issuer: Issuer) -> StandIn:
    started = serve(issuer)
    issuer.host = started.host
    return started


def failing(call: Callable[[], object]) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        call()
    assert SECRET not in str(caught.value)
    return caught.value


def paths(server: StandIn) -> list[str]:
    return [asked.path for asked in server.asked]


@pytest.mark.parametrize("key", ["token", "access_token"])
@pytest.mark.parametrize("scope", [True, False])
def test_a_token_is_fetched_and_kept(server: StandIn, issuer: Issuer, make_client: Make, key: str, scope: bool) -> None:
    """Anonymously where nothing is known; the second question needs neither a 401 nor a token."""
    issuer.key, issuer.scope = key, scope
    client = make_client()
    for _ in range(2):
        assert client.digest(f"{server.host}/a").digest.value == digest_of(CONTENT)
    assert paths(server) == ["/v2/a/manifests/latest", "/token", *["/v2/a/manifests/latest"] * 2]
    assert server.asked[1].query == {"service": "s", "scope": "repository:a:pull"}
    assert "Authorization" not in server.asked[1].headers


def test_other_repositories_need_no_401(server: StandIn, make_client: Make) -> None:
    """The host has said where tokens are issued."""
    client = make_client()
    for name in ("a", "b", "c"):
        client.digest(f"{server.host}/{name}")
    assert [asked.method for asked in server.asked] == ["HEAD", "GET", "HEAD", "GET", "HEAD", "GET", "HEAD"]


def test_a_password_goes_to_the_token_service_only(
    server: StandIn, make_client: Make, known: dict[str, Credential]
) -> None:
    """The registry itself gets the token."""
    known[server.host] = Credential("ci", SECRET)
    make_client().digest(f"{server.host}/a")
    sent = {asked.path: asked.headers.get("Authorization", "") for asked in server.asked}
    assert sent["/token"] == BASIC
    assert sent["/v2/a/manifests/latest"].startswith("Bearer repository:a:pull#")


def test_an_identity_token_is_exchanged(server: StandIn, make_client: Make, known: dict[str, Credential]) -> None:
    """By POST (OAuth2 refresh token), never in a URL or a header."""
    known[server.host] = Credential(identity_token=SECRET)
    make_client().digest(f"{server.host}/a")
    asked = server.asked[1]
    assert (asked.method, asked.url, asked.headers.get("Authorization")) == ("POST", "/token", None)
    assert {name: values[0] for name, values in parse_qs(asked.body).items()} == {
        "grant_type": "refresh_token",
        "client_id": "reconciler",
        "refresh_token": SECRET,
        "service": "s",
        "scope": "repository:a:pull",
    }


@pytest.mark.parametrize(("life", "seconds"), [(300, 295), (None, 55), ("x", 55), (-1, 55), (4, 2)])
def test_tokens_are_renewed_before_they_end(
    server: StandIn, issuer: Issuer, make_client: Make, clock: Any, life: object, seconds: int
) -> None:
    """A token without `expires_in` holds for a minute (token specification)."""
    issuer.life = life
    client = make_client()
    client.digest(f"{server.host}/a")
    clock.now = 1000.0 + seconds - 0.5
    client.digest(f"{server.host}/a")
    assert issuer.issued == 1
    clock.now = 1000.0 + seconds
    client.digest(f"{server.host}/a")
    assert issuer.issued == 2


def test_a_revoked_token_is_renewed_once(server: StandIn, issuer: Issuer, make_client: Make) -> None:
    """A 401 to a token that was good means another one; a 401 to that as well is a refusal."""
    client = make_client()
    client.digest(f"{server.host}/a")
    issuer.revoked = {"repository:a:pull#1"}
    assert client.digest(f"{server.host}/a").digest.value == digest_of(CONTENT)
    issuer.revoked |= {f"repository:a:pull#{number}" for number in range(10)}
    before = len(server.asked)
    assert failing(lambda: client.digest(f"{server.host}/a")).reason == "RegistryUnauthorized"
    assert len(server.asked) == before + 3


def test_another_credential_is_another_token(
    server: StandIn, issuer: Issuer, make_client: Make, known: dict[str, Credential]
) -> None:
    """Every pass looks credentials up anew, and what was got with the old ones is not used with the new."""
    client = make_client()
    client.resolve([f"{server.host}/a"])
    known[server.host] = Credential("ci", SECRET)
    client.begin()
    client.resolve([f"{server.host}/a"])
    assert [asked.headers.get("Authorization") for asked in server.asked if asked.path == "/token"] == [None, BASIC]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(401), "RegistryUnauthorized"),
        (Reply(403), "RegistryUnauthorized"),
        (Reply(429, {"Retry-After": "9"}), "RegistryRateLimited"),
        (Reply(503), "RegistryBadAnswer"),
        (Reply(302), "RegistryBadAnswer"),
        (as_json({}), "RegistryBadAnswer"),
        (as_json([]), "RegistryBadAnswer"),
        (as_json({"token": 1}), "RegistryBadAnswer"),
        (as_json({"token": "a\r\nX: 1"}), "RegistryBadAnswer"),
        (Reply(200, {}, b"{"), "RegistryBadAnswer"),
        (Reply(cut=True), "RegistryUnreachable"),
    ],
)
def test_a_token_service_that_gives_none(
    server: StandIn, issuer: Issuer, make_client: Make, known: dict[str, Credential], reply: Reply, reason: str
) -> None:
    """It fails the question with a reason, and shows no secret."""
    known[server.host] = Credential("ci", SECRET)
    server.answering = lambda asked: reply if asked.path == "/token" else issuer.show(asked)
    error = failing(lambda: make_client().digest(f"{server.host}/a"))
    assert (error.reason, error.source) == (reason, f"{server.host}/a:latest")


def test_basic(serve: Serve, make_client: Make, known: dict[str, Credential]) -> None:
    """Asked for once, then sent with every question to that host."""

    def answering(asked: Asked) -> Reply:
        good = asked.headers.get("Authorization") == BASIC
        return manifest(CONTENT) if good else Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})

    server = serve(answering)
    known[server.host] = Credential("ci", SECRET)
    client = make_client()
    client.digest(f"{server.host}/a")
    client.digest(f"{server.host}/b")
    assert len(server.asked) == 3
    known[server.host] = Credential("ci", "wrong")
    client.begin()
    found = client.resolve([f"{server.host}/a"])[f"{server.host}/a"]
    assert isinstance(found, RegistryError)
    assert found.reason == "RegistryUnauthorized"
    assert len(server.asked) == 4
    del known[server.host]
    client.begin()
    assert isinstance(client.resolve([f"{server.host}/a"])[f"{server.host}/a"], RegistryError)


@pytest.mark.parametrize("realm", ["ftp://x/token", "/token", "http://[::1", "http://"])
def test_a_token_service_that_is_nowhere(serve: Serve, make_client: Make, realm: str) -> None:
    """A realm that is no web address is not asked."""
    server = serve(lambda _: Reply(401, {"WWW-Authenticate": f'Bearer realm="{realm}"'}))
    assert failing(lambda: make_client().digest(f"{server.host}/a")).reason == "RegistryBadAnswer"


def test_no_password_goes_over_the_network_without_tls(
    serve: Serve, make_client: Make, known: dict[str, Credential]
) -> None:
    """A realm of another machine by plain HTTP is refused before anything is sent."""
    server = serve(lambda _: Reply(401, {"WWW-Authenticate": 'Bearer realm="http://192.0.2.1/token"'}))
    known[server.host] = Credential("ci", SECRET)
    error = failing(lambda: make_client().digest(f"{server.host}/a"))
    assert (error.reason, "without TLS" in error.message) == ("RegistryBadAnswer", True)


def test_a_query_in_the_realm_is_kept(serve: Serve, make_client: Make) -> None:
    """Some token services are told apart by one."""
    server = serve(lambda _: manifest(CONTENT))

    def answering(asked: Asked) -> Reply:
        if asked.path == "/token":
            return as_json({"token": "t"})
        if asked.headers.get("Authorization") == "Bearer t":
            return manifest(CONTENT)
        return Reply(401, {"WWW-Authenticate": f'Bearer realm="http://{server.host}/token?tenant=x"'})

    server.answering = answering
    make_client().digest(f"{server.host}/a")
    assert server.asked[1].query == {"tenant": "x", "scope": "repository:a:pull"}


def test_credentials_that_cannot_be_read(server: StandIn) -> None:
    """A broken helper is named; it is no anonymous question."""

    def look_up(_host: str) -> Credential | None:
        raise EngineError("registry credentials cannot be read", source="config.json", hint="see credHelpers")

    with RegistryClient(look_up, Settings(())) as client:
        error = failing(lambda: client.digest(f"{server.host}/a"))
    assert (error.reason, error.source, error.hint) == ("CredentialsUnusable", "config.json", "see credHelpers")
