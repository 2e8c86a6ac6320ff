from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.errors import RegistryError
from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.credentials import Credential
from reconciler.images.registry.listing import Descriptor, next_page, referrers_tag
from tests.support.standin import INDEX, MANIFEST, Asked, Reply, StandIn, as_json, digest_of, index, manifest

Serve = Callable[[Callable[[Asked], Reply]], StandIn]
Make = Callable[..., RegistryClient]
DIGEST = digest_of(b"image")
KIND = "application/vnd.example.signature+json"


def failing(call: Callable[[], object]) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        call()
    return caught.value


def bad_answer(call: Callable[[], object]) -> str:
    error = failing(call)
    assert error.reason == "RegistryBadAnswer"
    return error.message


def entry(name: str, kind: object = KIND, **changes: object) -> dict[str, object]:
    said = {"mediaType": MANIFEST, "digest": digest_of(name.encode()), "size": 7, "artifactType": kind}
    return {**said, **changes}


def index_of(*entries: object, **headers: str) -> Reply:
    content = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    return manifest(content, **headers)


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("", ""),
        ('</v2/a/tags/list?last=b&n=2>; rel="next"', "https://r.example:5000/v2/a/tags/list?last=b&n=2"),
        ("<list?last=b>; rel=next", "https://r.example:5000/v2/a/tags/list?last=b"),
        ('<?last=b>; title="x"; REL="prev next"', "https://r.example:5000/v2/a/tags/list?last=b"),
        ("<http://r.example:5000/v2/a/tags/list?last=b>;rel=next", "https://r.example:5000/v2/a/tags/list?last=b"),
        ('</first>; rel="first", </next>; rel="next"', "https://r.example:5000/next"),
        ('</first>; rel="first"', ""),
        ('</other>; rel="nextish"', ""),
        ('</other>; title="next"', ""),
    ],
)
def test_the_next_page_of_a_list(link: str, url: str) -> None:
    """Relative or not, among others; a proxy that forgets TLS does not take us away from it."""
    assert next_page(link, "https://r.example:5000/v2/a/tags/list?n=2", "r.example:5000/a:1") == url


@pytest.mark.parametrize(
    "target", ["https://other.example/next", "//other.example/next", "ftp://r.example/", "http://["]
)
def test_a_list_does_not_go_on_elsewhere(target: str) -> None:
    """What we are to this registry is no other's business."""
    assert bad_answer(lambda: next_page(f'<{target}>; rel="next"', "https://r.example/v2/a/tags/list", "r.example/a"))


def test_tags_come_from_all_pages(serve: Serve, make_client: Make) -> None:
    """In the registry's order; the last page may be empty, as docker-registry's is."""
    pages = {"": (["2", "1"], "1"), "1": (["latest"], "latest"), "latest": (None, "")}

    def answer(asked: Asked) -> Reply:
        tags, last = pages[asked.query.get("last", "")]
        link = f'</v2/a/b/tags/list?last={last}&n=1000>; rel="next"' if last else ""
        return as_json({"name": "a/b", "tags": tags}, Link=link)

    server = serve(answer)
    assert make_client().tags(f"{server.host}/a/b:1") == ("2", "1", "latest")
    assert [asked.query["n"] for asked in server.asked] == ["1000"] * 3
    assert {asked.path for asked in server.asked} == {"/v2/a/b/tags/list"}


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"<p>", b'{"tags": "1"}', b'{"tags": ["1", 2]}', b'{"tags": [""]}', b'{"tags": ["a b"]}', b"[" * 9999],
)
def test_a_list_of_something_else_is_refused(serve: Serve, make_client: Make, body: bytes) -> None:
    """All of it: half a list would be taken for the whole."""
    server = serve(lambda _: Reply(200, {}, body))
    assert bad_answer(lambda: make_client().tags(f"{server.host}/a"))


def test_a_list_without_end_is_refused(serve: Serve, make_client: Make) -> None:
    """Too many pages, too many tags."""
    server = serve(lambda _: as_json({"tags": ["1", "2"]}, Link="<?last=2>; rel=next"))
    said = bad_answer(lambda: make_client(pages=3).tags(f"{server.host}/a"))
    assert "3 pages" in said
    assert len(server.asked) == 4
    server.asked.clear()
    assert "5 entries" in bad_answer(lambda: make_client(entries=5).tags(f"{server.host}/a"))
    assert len(server.asked) == 3


def test_a_repository_without_tags_and_one_that_is_none(serve: Serve, make_client: Make) -> None:
    """Nothing is not the same as not there."""
    server = serve(lambda asked: as_json({"tags": None}) if "/a/" in asked.path else Reply(404))
    assert make_client().tags(f"{server.host}/a") == ()
    assert failing(lambda: make_client().tags(f"{server.host}/b")).reason == "ImageNotFound"


def test_the_tags_of_a_repository_are_asked_for_once_a_pass(serve: Serve, make_client: Make) -> None:
    """However many references name it; what fails fails alone."""
    server = serve(lambda asked: as_json({"tags": ["1"]}) if "/a/" in asked.path else Reply(404))
    host = server.host
    found = make_client().all_tags((f"{host}/a:1", f"{host}/a:2", f"{host}/a", f"{host}/b:1", "NOT a name"))
    assert [found[f"{host}/a{tag}"] for tag in (":1", ":2", "")] == [("1",)] * 3
    reasons = [item.reason for item in found.values() if isinstance(item, RegistryError)]
    assert sorted(reasons) == ["ImageNotFound", "ReferenceInvalid"]
    assert len(server.asked) == 2


def test_a_blob_is_verified_and_bounded(serve: Serve, make_client: Make) -> None:
    """Its digest says what it is; a larger one than asked for is not read to its end."""
    server = serve(lambda _: Reply(200, {}, b"image"))
    client, reference = make_client(), f"{server.host}/a/b:1"
    assert client.blob(reference, DIGEST, 5) == b"image"
    assert server.asked[0].path == f"/v2/a/b/blobs/{DIGEST}"
    assert "more than 4 bytes" in bad_answer(lambda: client.blob(reference, DIGEST, 4))
    assert "digest" in bad_answer(lambda: client.blob(reference, digest_of(b"other"), 5))
    asked = len(server.asked)
    assert "digest" in bad_answer(lambda: client.blob(reference, "sha256:../../x", 5))
    assert len(server.asked) == asked


def test_a_missing_blob_is_missing_however_long_the_answer_is(serve: Serve, make_client: Make) -> None:
    """The limit is the blob's, not that of what a registry says instead."""
    server = serve(lambda _: Reply(404, {}, b"there is no such blob"))
    assert failing(lambda: make_client().blob(f"{server.host}/a", DIGEST, 5)).reason == "ImageNotFound"


def test_a_blob_that_lies_elsewhere_is_fetched_without_credentials(
    serve: Serve, make_client: Make, known: dict[str, Credential]
) -> None:
    """Registries send us to their storage, which is not to learn the password."""
    storage = serve(lambda _: Reply(200, {}, b"image"))
    there = Reply(307, {"Location": f"http://{storage.host}/stored?signed=1"})
    server = serve(
        lambda asked: there if "Authorization" in asked.headers else Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})
    )
    known[server.host] = Credential("u", "p")
    assert make_client().blob(f"{server.host}/a", DIGEST, 5) == b"image"
    assert "Authorization" not in storage.asked[0].headers
    assert "more than 4 bytes" in bad_answer(lambda: make_client().blob(f"{server.host}/a", DIGEST, 4))


def test_referrers_of_one_type(serve: Serve, make_client: Make) -> None:
    """The filter is asked for and applied: a registry need not know it. All pages count."""

    def answer(asked: Asked) -> Reply:
        if asked.query.get("last"):
            return index_of(entry("third"))
        return index_of(entry("first"), entry("second", "another"), Link="<?last=2>; rel=next")

    server = serve(answer)
    found = make_client().referrers(f"{server.host}/a/b:1", DIGEST, KIND)
    assert found == tuple(Descriptor(digest_of(name), MANIFEST, KIND, 7) for name in (b"first", b"third"))
    assert server.asked[0].path == f"/v2/a/b/referrers/{DIGEST}"
    assert server.asked[0].query == {"artifactType": KIND}
    assert server.asked[0].headers["Accept"] == INDEX


@pytest.mark.parametrize(
    "reply", [Reply(404), Reply(400), Reply(405), Reply(406), Reply(200, {"Content-Type": "text/html"}, b"<p>")]
)
def test_registries_without_referrers_have_a_tag(serve: Serve, make_client: Make, reply: Reply) -> None:
    """Some say 404, some do not know the path, some answer with a page for people."""
    tagged = index_of(entry("first"), entry("second", "another"))
    server = serve(lambda asked: reply if "/referrers/" in asked.path else tagged)
    found = make_client().referrers(f"{server.host}/a:1", DIGEST, KIND)
    assert [item.digest for item in found] == [digest_of(b"first")]
    assert server.asked[1].path == f"/v2/a/manifests/sha256-{DIGEST.removeprefix('sha256:')}"


def test_nothing_refers_to_it(serve: Serve, make_client: Make) -> None:
    """Neither by the API nor by the tag: no error."""
    server = serve(lambda _: Reply(404))
    assert make_client().referrers(f"{server.host}/a:1", DIGEST, KIND) == ()
    server.answering = lambda _: index_of()
    assert make_client().referrers(f"{server.host}/a:1", DIGEST, KIND) == ()


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "RegistryUnauthorized"), (403, "RegistryUnauthorized"), (500, "RegistryBadAnswer")]
)
def test_what_is_refused_is_not_what_is_missing(serve: Serve, make_client: Make, status: int, reason: str) -> None:
    """By the API or by the tag."""
    server = serve(lambda _: Reply(status))
    assert failing(lambda: make_client().referrers(f"{server.host}/a", DIGEST, KIND)).reason == reason
    server.answering = lambda asked: Reply(404 if "/referrers/" in asked.path else status)
    assert failing(lambda: make_client().referrers(f"{server.host}/a", DIGEST, KIND)).reason == reason


@pytest.mark.parametrize(
    "descriptor",
    [
        "text",
        None,
        entry("a", digest="sha256:x"),
        entry("a", digest=7),
        entry("a", mediaType=""),
        entry("a", size=-1),
        entry("a", size=True),
        entry("a", size="7"),
        entry("a", kind=["x"]),
        {},
    ],
)
def test_a_malformed_descriptor_is_refused(serve: Serve, make_client: Make, descriptor: Any) -> None:
    """It could not be fetched, or not bounded."""
    server = serve(lambda _: index_of(entry("first"), descriptor))
    assert bad_answer(lambda: make_client().referrers(f"{server.host}/a", DIGEST, KIND))


def test_referrers_are_in_an_index(serve: Serve, make_client: Make) -> None:
    """Under the tag may lie anything."""
    server = serve(lambda asked: Reply(404) if "/referrers/" in asked.path else manifest(b"{}", MANIFEST))
    assert bad_answer(lambda: make_client().referrers(f"{server.host}/a", DIGEST, KIND))
    server.answering = lambda _: manifest(index("linux/amd64"))
    assert make_client().referrers(f"{server.host}/a", DIGEST, KIND) == ()
    asked = len(server.asked)
    assert bad_answer(lambda: make_client().referrers(f"{server.host}/a", "latest", KIND))
    assert len(server.asked) == asked


def test_the_tag_that_stands_in_for_referrers() -> None:
    """A tag has at most 128 characters, so that of a long digest is cut."""
    assert referrers_tag(f"sha512:{'a' * 128}") == f"sha512-{'a' * 64}"
