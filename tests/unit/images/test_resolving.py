"""From a spec to what runs, through a registry: what is asked, what is decided, and what of it is remembered."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.engine.simulated.state import Picture
from reconciler.images.registry.credentials import Credential
from reconciler.model.observed import RegistryAnswer
from reconciler.model.project import Pin
from reconciler.registries import Registries
from reconciler.resolving import MOST_VERIFIED, _newest
from tests.support.signatures import Shelf, signer
from tests.support.standin import Asked, Reply, StandIn, digest_of
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.images.registry.client import RegistryClient
    from reconciler.model.project import Project
    from reconciler.model.report import ProjectReport

DAY = 86_400.0
KEY = signer()
DIGEST = {"track": "digest"}
SEMVER = {"track": "semver"}
VERIFY = {"verify": {"keys": ["key.pub"]}}


class Shop:
    """A simulated engine, and a registry with one repository of which services run images."""

    def __init__(self, folder: Path, server: StandIn, client: RegistryClient) -> None:
        self.shelf, self.server = Shelf(), server
        server.answering = self.shelf
        self.client = client
        self.repository = f"{server.host}/{self.shelf.repository}"
        self.world = World(folder, registries=Registries(client))
        self.world.engine.world.registry = {"other:1": RegistryAnswer(digest_of(b"other"))}
        (folder / "key.pub").write_text(KEY.key.pem)

    def service(self, tag: str = "1", rules: Any = None, **fields: Any) -> dict[str, Any]:
        """A service of the repository; `rules` are those of `x-reconcile.image`."""
        extension = {"image": rules or {}, "rollout": {"min_running": "0s"}}
        return {"image": f"{self.repository}:{tag}", "x-reconcile": extension, **fields}

    def project(self, **services: Any) -> Project:
        """The project of these services."""
        return self.world.project(json.dumps({"services": services}))

    def converge(self, **services: Any) -> ProjectReport:
        """What a run does."""
        return self.world.converge(self.project(**services))

    def asked(self) -> list[str]:
        """What was asked for since the last time: `HEAD manifests/1`."""
        below = f"/v2/{self.shelf.repository}/"
        found = [f"{item.method} {item.path.removeprefix(below)}" for item in self.server.asked]
        self.server.asked.clear()
        return found

    def runs(self, service: str = "web") -> str:
        """The reference that the service's first container was made of, below the repository."""
        found = self.world.engine.inspect_container(self.world.container(f"{service}/1"))["Config"]["Image"]
        return str(found).removeprefix(f"{self.repository}:")

    def fails(self, reply: Reply) -> None:
        """From now on the registry answers so."""
        self.shelf.instead = lambda _: reply

    def has_locally(self, config: str, digest: str) -> None:
        """An image is on the engine, as engines with graph drivers have it: its id is its configuration's digest."""
        tags, digests = [f"{self.repository}:1"], [f"{self.repository}@{digest}"]
        document = {"Id": config, "RepoTags": tags, "RepoDigests": digests, "Config": {"Cmd": ["run"]}}
        document |= {"Os": "linux", "Architecture": "amd64", "Created": "2026-01-01T00:00:00Z"}
        self.world.engine.world.images[config] = Picture(document)


@pytest.fixture
def shop(tmp_path: Path, serve: Callable[..., StandIn], make_client: Callable[..., RegistryClient]) -> Shop:
    return Shop(tmp_path, serve(lambda _: Reply(404)), make_client())


def told(report: ProjectReport) -> list[str]:
    """The codes of the notices."""
    return [item.code for item in report.notices]


def reasons(report: ProjectReport) -> list[tuple[str | None, str]]:
    """The conditions: service and reason."""
    return [(item.service, item.reason) for item in report.conditions]


def test_a_reference_is_asked_for_once_however_many_services_share_it(shop: Shop) -> None:
    """And where nothing moved that one HEAD is all."""
    shop.shelf.push("a")
    services = {name: shop.service(rules=DIGEST) for name in ("web", "api", "worker")}
    assert shop.converge(**services).succeeded
    assert shop.asked() == ["HEAD manifests/1"]
    assert shop.converge(**services).in_sync
    assert shop.asked() == ["HEAD manifests/1"]


def test_the_tags_of_a_repository_are_listed_once(shop: Shop) -> None:
    """However many services follow its versions, each its own; a version that several may run is asked for once."""
    for tag in ("1.0", "1.1", "2.0"):
        shop.shelf.push(tag, tag=tag)
    services = {
        "web": shop.service("1.0", SEMVER),
        "api": shop.service("1.0", {**SEMVER, "range": ">=1"}),
        "old": shop.service("1.1", SEMVER),
    }
    assert shop.converge(**services).succeeded
    assert sorted(shop.asked()) == ["GET tags/list", *(f"HEAD manifests/{tag}" for tag in ("1.0", "1.1", "2.0"))]
    assert [shop.runs(name).partition("@")[0] for name in services] == ["1.1", "2.0", "1.1"]
    assert shop.converge(**services).in_sync
    assert sorted(shop.asked()) == ["GET tags/list", "HEAD manifests/1.1", "HEAD manifests/2.0"]


def lasting(shop: Shop, seconds: float) -> Shop:
    """The shop as a service has it: one session, in which an answer is good for so long."""
    shop.world = World(shop.world.folder, registries=Registries(shop.client), check_interval=seconds)
    return shop


def test_an_answer_is_good_for_a_while(shop: Shop) -> None:
    """Neither a digest nor a list of tags is asked for again before that."""
    lasting(shop, 300)
    for tag in ("1.0", "1.1"):
        shop.shelf.push(tag, tag=tag)
    services = {"web": shop.service("1.0", SEMVER), "api": shop.service("1.0", DIGEST)}
    assert shop.converge(**services).succeeded
    assert sorted(shop.asked()) == ["GET tags/list", "HEAD manifests/1.0", "HEAD manifests/1.1"]
    shop.shelf.push("2.0", tag="1.2")
    shop.world.clock.advance(200)
    assert shop.converge(**services).in_sync
    assert shop.asked() == []
    shop.world.clock.advance(101)
    assert shop.converge(**services).succeeded
    assert shop.runs().partition("@")[0] == "1.2"
    assert "GET tags/list" in shop.asked()


def test_what_a_registry_does_not_have_is_asked_for_again(shop: Shop) -> None:
    """Somebody may have pushed it since, and is waiting for it."""
    lasting(shop, 300)
    services = {"web": shop.service("1", DIGEST)}
    assert not shop.converge(**services).succeeded
    shop.asked()
    shop.shelf.push("a")
    assert shop.converge(**services).succeeded
    assert shop.asked() == ["HEAD manifests/1"]


def test_each_pass_has_the_credentials_of_its_time(shop: Shop, known: dict[str, Credential]) -> None:
    """For a list of tags too, which is what it asks for first."""
    lasting(shop, 1)
    shop.shelf.push("1.0", tag="1.0")
    host, wanted = shop.server.host, Credential("ci", "first")

    def guarded(asked: Asked) -> Reply | None:
        return None if asked.headers.get("Authorization") == wanted.basic else Reply(401, {"WWW-Authenticate": "Basic"})

    known[host] = wanted
    shop.shelf.instead = guarded
    assert shop.converge(web=shop.service("1.0", SEMVER)).succeeded
    wanted = known[host] = Credential("ci", "second")
    shop.shelf.push("1.1", tag="1.1")
    shop.world.clock.advance(2)
    assert shop.converge(web=shop.service("1.0", SEMVER)).succeeded
    assert shop.runs().partition("@")[0] == "1.1"


def test_a_local_image_is_nobodys_question(shop: Shop) -> None:
    """`missing` asks once, for what is missing; a digest that is written is what it is."""
    digest = shop.shelf.push("a")
    assert shop.converge(web=shop.service()).succeeded
    assert shop.asked() == ["HEAD manifests/1"]
    assert shop.converge(web=shop.service()).in_sync
    assert shop.converge(web=shop.service(f"1@{digest}", pull_policy="always")).succeeded
    assert shop.asked() == []


@pytest.mark.parametrize("policy", ["never", "build"])
def test_who_may_not_be_asked_is_never_asked(shop: Shop, policy: str) -> None:
    """Not by a run, a dry-run or `reconcile images`."""
    shop.shelf.push("a")
    shop.converge(web=shop.service())
    shop.asked()
    project = shop.project(web=shop.service(pull_policy=policy), api=shop.service("9", pull_policy=policy))
    report = shop.world.plan(project)
    assert reasons(report) == [("api", "ImageUnavailable")]
    assert shop.world.images(project)["web"].available == ""
    assert shop.asked() == []


def test_a_moved_digest_is_followed(shop: Shop) -> None:
    """Pulled by its digest, whatever the tag names by then."""
    shop.shelf.push("a")
    shop.converge(web=shop.service(rules=DIGEST))
    new = shop.shelf.push("b")
    report = shop.converge(web=shop.service(rules=DIGEST))
    assert [item.kind for item in report.operations][:2] == ["image.pull", "image.tag"]
    assert shop.runs() == f"1@{new}"


def test_the_same_content_under_another_index_restarts_nothing(shop: Shop) -> None:
    """An architecture was added: what runs here stays, and the registry is asked what changed but once."""
    old = shop.shelf.push("a")
    shop.has_locally(digest_of(b"a"), old)
    shop.converge(web=shop.service(rules=DIGEST))
    before = shop.world.states(), shop.world.container("web/1")
    shop.asked()
    new = shop.shelf.push("a", "windows")
    assert new != old
    assert shop.converge(web=shop.service(rules=DIGEST)).in_sync
    assert [item.partition(" ")[0] for item in shop.asked()] == ["HEAD", "GET", "GET"]
    assert shop.converge(web=shop.service(rules=DIGEST)).in_sync
    assert shop.asked() == ["HEAD manifests/1"]
    assert (shop.world.states(), shop.world.container("web/1")) == before


def test_other_content_under_another_index_is_another_image(shop: Shop) -> None:
    """On this platform it changed."""
    shop.has_locally(digest_of(b"a"), shop.shelf.push("a"))
    assert shop.converge(web=shop.service(rules=DIGEST)).succeeded
    new = shop.shelf.push("b", "windows")
    shop.converge(web=shop.service(rules=DIGEST))
    assert shop.runs() == f"1@{new}"


def test_a_cooldown_counts_from_our_first_sight(shop: Shop) -> None:
    """Whether or not anything was deployed then; a re-push begins it anew, and what it was is compared once."""
    cooling = shop.service(rules={**DIGEST, "cooldown": "1d"})
    old = shop.shelf.push("a")
    shop.converge(web=cooling)
    shop.shelf.push("b")
    assert shop.converge(web=cooling).in_sync
    shop.asked()
    assert shop.converge(web=cooling).in_sync
    assert shop.asked() == ["HEAD manifests/1"]
    shop.world.clock.advance(DAY / 2)
    shop.shelf.push("a")
    shop.converge(web=cooling)
    new = shop.shelf.push("b")
    assert shop.converge(web=cooling).in_sync
    shop.world.clock.advance(DAY - 1)
    shop.converge(web=cooling)
    assert shop.runs() == f"1@{old}"
    (held,) = shop.world.images(shop.project(web=cooling))["web"].held
    assert (held.by, held.reference) == ("cooldown", f"{shop.repository}:1@{new}")
    shop.world.clock.advance(2)
    shop.converge(web=cooling)
    assert shop.runs() == f"1@{new}"


def test_a_dry_run_begins_no_cooldown(shop: Shop) -> None:
    """It writes nothing anywhere."""
    cooling = shop.service(rules={**DIGEST, "cooldown": "1d"})
    shop.shelf.push("a")
    shop.converge(web=cooling)
    known = shop.world.memory().sightings
    shop.shelf.push("b")
    assert shop.world.plan(shop.project(web=cooling)).in_sync
    assert shop.world.memory().sightings == known


def test_a_timed_policy_asks_once_an_interval(shop: Shop) -> None:
    """In between what runs goes on, whatever the registry has."""
    daily = shop.service(pull_policy="daily")
    shop.shelf.push("a")
    shop.converge(web=daily)
    new = shop.shelf.push("b")
    shop.asked()
    shop.world.clock.advance(DAY / 2)
    assert shop.converge(web=daily).in_sync
    assert shop.asked() == []
    (held,) = shop.world.images(shop.project(web=daily))["web"].held
    assert held.message == "not due yet: pull_policy every 86400 s"
    assert shop.converge(web=daily).in_sync
    shop.world.clock.advance(DAY / 2)
    shop.asked()
    assert shop.converge(web=daily).succeeded
    assert shop.asked()[0] == "HEAD manifests/1"
    assert shop.runs() == f"1@{new}"


def test_timed_versions_are_listed_once_an_interval(shop: Shop) -> None:
    """Also where the version that runs is not the one that is written."""
    daily = shop.service("1.0", SEMVER, pull_policy="daily")
    for tag in ("1.0", "1.1"):
        shop.shelf.push(tag, tag=tag)
    shop.converge(web=daily)
    shop.asked()
    shop.shelf.push("1.2", tag="1.2")
    assert shop.converge(web=daily).in_sync
    assert (shop.asked(), shop.runs().partition("@")[0]) == ([], "1.1")
    shop.world.clock.advance(DAY)
    shop.converge(web=daily)
    assert shop.runs().partition("@")[0] == "1.2"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(401), "RegistryUnauthorized"),
        (Reply(404), "ImageNotFound"),
        (Reply(429), "RegistryRateLimited"),
        (Reply(500), "RegistryBadAnswer"),
        (Reply(cut=True), "RegistryUnreachable"),
    ],
)
@pytest.mark.parametrize("rules", [None, DIGEST, SEMVER], ids=["always", "digest", "semver"])
def test_a_registry_that_fails_stops_nothing(shop: Shop, reply: Reply, code: str, rules: Any) -> None:
    """What runs is kept, whatever is local under its tag by now, and the registry's own reason is told."""
    shop.shelf.push("1", tag="1.0")
    web = shop.service("1.0", rules, pull_policy="always")
    shop.converge(web=web)
    before = shop.world.states(), shop.world.container("web/1")
    shop.world.engine.pull_image("other:1", None, lambda _: None)
    shop.world.engine.tag_image("other:1", shop.repository, "1.0")
    shop.fails(reply)
    report = shop.converge(web=web)
    assert (report.succeeded, report.operations) == (True, ())
    assert told(report) == [code]
    assert (shop.world.states(), shop.world.container("web/1")) == before


def test_tags_that_cannot_be_listed_are_told(shop: Shop) -> None:
    """Some registries hand out images and no lists: what runs goes on, and nobody takes it for the newest."""
    shop.shelf.push("1", tag="1.0")
    web = shop.service("1.0", SEMVER)
    shop.converge(web=web)
    shop.shelf.instead = lambda asked: Reply(403) if asked.path.endswith("tags/list") else None
    report = shop.converge(web=web)
    assert (report.succeeded, told(report)) == (True, ["RegistryUnauthorized"])


def test_a_policy_that_admits_nothing_is_told(shop: Shop) -> None:
    """What is written runs, and nobody waits for updates that a mistyped rule keeps away."""
    shop.shelf.push("1", tag="1.0")
    report = shop.converge(web=shop.service("1.0", {**SEMVER, "range": "^5", "filter": "^v"}))
    assert (report.succeeded, told(report), shop.runs().partition("@")[0]) == (True, ["NoTagAdmitted"], "1.0")
    (notice,) = report.notices
    said = "none of the repository's 1 tags is one that range '^5' and filter '^v' lets it follow"
    assert notice.message == f"web: nothing newer is taken: {said}"


def test_a_new_tag_that_no_registry_has_is_an_error(shop: Shop) -> None:
    """The spec asks for another one than runs: that is not there, and what runs is left alone."""
    shop.shelf.push("a")
    shop.converge(web=shop.service())
    report = shop.converge(web=shop.service("2"))
    assert (report.succeeded, reasons(report)) == (False, [("web", "ImageNotFound")])
    assert shop.runs().startswith("1@")


def test_an_unsigned_update_keeps_what_runs_and_others_converge(shop: Shop) -> None:
    """The service is stalled with the reason until somebody looks at it; its signature puts it right."""
    rules = {**DIGEST, **VERIFY}
    old = shop.shelf.push("a")
    shop.shelf.sign(old, KEY, shop.repository)
    assert shop.converge(web=shop.service(rules=rules)).succeeded
    new = shop.shelf.push("b")
    report = shop.converge(web=shop.service(rules=rules), api=shop.service(rules=DIGEST))
    assert (report.succeeded, reasons(report)) == (False, [("web", "SignatureMissing")])
    assert (shop.runs(), shop.runs("api")) == (f"1@{old}", f"1@{new}")
    shop.shelf.sign(new, KEY, shop.repository)
    assert shop.converge(web=shop.service(rules=rules), api=shop.service(rules=DIGEST)).succeeded
    assert shop.runs() == f"1@{new}"


def test_nothing_unsigned_is_the_first(shop: Shop) -> None:
    """Neither from a registry nor from the engine, where somebody may have tagged anything; the others run."""
    shop.shelf.push("a")
    assert shop.converge(api=shop.service()).succeeded
    report = shop.converge(web=shop.service(rules=VERIFY), api=shop.service())
    assert (report.succeeded, reasons(report)) == (False, [("web", "SignatureMissing")])
    assert shop.world.states() == {"api/1": "running"}
    shop.world.engine.pull_image("other:1", None, lambda _: None)
    shop.world.engine.tag_image("other:1", shop.repository, "dev")
    report = shop.converge(web=shop.service("dev", VERIFY), api=shop.service())
    assert (report.succeeded, reasons(report)) == (False, [("web", "SignatureMissing")])


def test_a_signature_is_looked_at_once(shop: Shop) -> None:
    """What was verified with these keys runs, also where no registry answers any more."""
    digest = shop.shelf.push("a")
    shop.shelf.sign(digest, KEY, shop.repository)
    web = shop.service(rules=VERIFY)
    assert shop.converge(web=web).succeeded
    shop.asked()
    shop.fails(Reply(cut=True))
    assert shop.converge(web={**web, "environment": {"A": "1"}}).succeeded
    assert shop.asked() == []


def test_a_signature_that_cannot_be_looked_up_is_no_signature(shop: Shop) -> None:
    """Nothing new runs, and the reason says that nothing is known."""
    old = shop.shelf.push("a")
    shop.shelf.sign(old, KEY, shop.repository)
    web = shop.service(rules={**DIGEST, **VERIFY})
    shop.converge(web=web)
    shop.shelf.push("b")
    shop.shelf.instead = lambda asked: Reply(500) if ".sig" in asked.path or "referrers" in asked.path else None
    report = shop.converge(web=web)
    assert (report.succeeded, reasons(report)) == (False, [("web", "SignatureUnchecked")])
    assert shop.runs() == f"1@{old}"


def test_an_older_signed_version_is_taken_where_the_newest_is_not_signed(shop: Shop) -> None:
    """And the newest is told."""
    digests = {tag: shop.shelf.push(tag, tag=tag) for tag in ("1.0", "1.1", "1.2")}
    for tag in ("1.0", "1.1"):
        shop.shelf.sign(digests[tag], KEY, shop.repository)
    report = shop.converge(web=shop.service("1.0", {**SEMVER, **VERIFY}))
    assert reasons(report) == [("web", "SignatureMissing")]
    assert shop.runs() == f"1.1@{digests['1.1']}"


def pinned(project: Project, digest: str, tag: str = "1") -> Project:
    """The project whose services a lock pins."""
    services = []
    for item in project.services:
        repository = item.image.reference.rpartition(":")[0]
        pin = Pin(f"{repository}:{tag}", digest, 5.0, "digest", "reconcile.lock:6")
        services.append(replace(item, image=replace(item.image, pin=pin)))
    return replace(project, services=tuple(services))


def test_a_pin_is_deployed_and_no_registry_is_asked(shop: Shop) -> None:
    """Whatever the tag names by now; that it moved is told in a dry-run only."""
    old, new = shop.shelf.push("a"), shop.shelf.push("b")
    project = pinned(shop.project(web=shop.service(rules=DIGEST)), old)
    report = shop.world.converge(project)
    assert (report.succeeded, told(report), shop.asked()) == (True, [], [])
    assert shop.runs() == f"1@{old}"
    planned = shop.world.plan(project)
    assert (planned.in_sync, told(planned), shop.asked()) == (True, ["TagMoved"], ["HEAD manifests/1"])
    (notice,) = planned.notices
    said = f"web: the registry has {shop.repository}:1 as {new[7:19]} by now: reconcile images lock --update web"
    assert (notice.message, notice.source) == (f"{said} moves the pin", "reconcile.lock:6")
    row = shop.world.images(project)["web"]
    assert [(item.by, item.message) for item in row.held] == [("pin", "pinned by reconcile.lock:6")]
    shop.shelf.push("a")
    assert told(shop.world.plan(project)) == []
    shop.fails(Reply(404))
    unknown = shop.world.plan(project)
    assert (unknown.in_sync, told(unknown)) == (True, ["ImageNotFound"])
    assert unknown.notices[0].message.startswith("web: whether its tag has moved is not known: ")


def test_a_pin_of_the_same_content_is_compared_once(shop: Shop) -> None:
    """What runs is what it pins, under another index."""
    old = shop.shelf.push("a")
    shop.has_locally(digest_of(b"a"), old)
    shop.converge(web=shop.service())
    pin = shop.shelf.push("a", "windows")
    project = pinned(shop.project(web=shop.service()), pin)
    shop.asked()
    assert shop.world.converge(project).in_sync
    assert {item.partition(" ")[0] for item in shop.asked()} == {"GET"}
    assert shop.world.converge(project).in_sync
    assert shop.asked() == []


def test_what_is_scaled_to_nothing_needs_no_image(shop: Shop) -> None:
    """It is in sync without one, and no registry is asked."""
    for rules in (None, DIGEST, SEMVER, VERIFY):
        report = shop.converge(web=shop.service("9.0", rules, scale=0))
        assert (report.succeeded, reasons(report)) == (True, [])
    assert shop.asked() == []


@pytest.mark.parametrize("rules", [None, DIGEST, SEMVER, VERIFY], ids=["local", "digest", "semver", "verify"])
def test_what_is_scaled_to_nothing_goes_whatever_its_image_is(shop: Shop, rules: Any) -> None:
    """Also where the tag that is written is not here, or nobody signed what is."""
    digest = shop.shelf.push("1", tag="1.0")
    shop.shelf.push("2", tag="1.2")
    first = rules if rules != VERIFY else None
    assert shop.converge(web=shop.service("1.0", first)).succeeded
    shop.asked()
    report = shop.converge(web=shop.service("1.0", rules, scale=0))
    assert (report.succeeded, shop.world.states()) == (True, {})
    project = pinned(shop.project(web=shop.service("1.0", rules, scale=0)), digest[:-1] + "0", "1.0")
    assert shop.world.converge(project).in_sync
    assert shop.asked() == []


def test_only_the_newest_signatures_are_remembered() -> None:
    """Memory is read at each run: what was verified long ago would be verified again."""
    assert list(_newest({str(at): float(-at) for at in range(MOST_VERIFIED + 5)})) == [
        str(at) for at in range(MOST_VERIFIED - 1, -1, -1)
    ]


def test_what_is_disabled_is_not_asked_for(shop: Shop) -> None:
    """A profile that is not active."""
    assert shop.converge(web=shop.service(profiles=["debug"], pull_policy="always")).succeeded
    assert shop.asked() == []


def test_images_shows_what_could_run_and_what_holds_it_back(shop: Shop) -> None:
    """Every registry is asked, and what is found changes nothing."""
    old = shop.shelf.push("a")
    shop.converge(web=shop.service())
    new = shop.shelf.push("b")
    row = shop.world.images(shop.project(web=shop.service()))["web"]
    assert (row.written, row.policy) == (f"{shop.repository}:1", "pull_policy missing")
    assert row.resolved == f"{shop.repository}:1@{old}"
    assert row.running == (f"{shop.repository}:1@{old}",)
    assert row.available == f"{shop.repository}:1@{new}"
    assert [(item.by, item.message) for item in row.held] == [("policy", "not followed: pull_policy missing")]
    assert shop.converge(web=shop.service()).in_sync


def test_images_of_a_registry_that_fails(shop: Shop) -> None:
    """What would run is what a run would run; that nobody knows what else there is is told."""
    shop.shelf.push("a")
    shop.converge(web=shop.service())
    shop.world.engine.pull_image("other:1", None, lambda _: None)
    shop.world.engine.tag_image("other:1", shop.repository, "1")
    shop.fails(Reply(404))
    project = shop.project(web=shop.service())
    row = shop.world.images(project)["web"]
    assert row.error.startswith("the local image is used, as no registry said what is newest: ")
    local = shop.world.engine.inspect_image("other:1")["Id"]
    assert (row.resolved, row.available) == (local, "")
    shop.world.converge(project)
    assert shop.runs() == local


def test_images_of_what_does_not_run_yet(shop: Shop) -> None:
    """What would be pulled, and why something cannot be."""
    digest = shop.shelf.push("a")
    rows = shop.world.images(shop.project(web=shop.service(), api=shop.service("9")))
    assert (rows["web"].resolved, rows["web"].running) == (f"{shop.repository}:1@{digest}", ())
    assert (rows["api"].resolved, rows["api"].available) == ("", "")
    assert "cannot be pulled" in rows["api"].error


def test_what_runs_may_be_gone_from_the_engine(shop: Shop) -> None:
    """Somebody forced its image away: nothing can be compared with it."""
    shop.shelf.push("a")
    shop.converge(web=shop.service(rules=DIGEST))
    shop.world.engine.world.images.clear()
    shop.asked()
    new = shop.shelf.push("b")
    assert shop.converge(web=shop.service(rules=DIGEST)).succeeded
    assert shop.asked() == ["HEAD manifests/1"]
    assert shop.runs() == f"1@{new}"


def test_what_cannot_be_compared_is_another_image(shop: Shop) -> None:
    """The manifests are out of reach for a moment: that is asked again, and nothing false is remembered."""
    old = shop.shelf.push("a")
    shop.has_locally(digest_of(b"a"), old)
    web = shop.service(rules={**DIGEST, "cooldown": "1d"})
    shop.converge(web=web)
    shop.shelf.push("a", "windows")
    shop.shelf.instead = lambda asked: Reply(500) if asked.method == "GET" else None
    assert shop.converge(web=web).in_sync
    assert shop.world.memory().compared == {}


def _manifest_head(asked: Asked) -> bool:
    return asked.method == "HEAD" and "/manifests/" in asked.path


def test_a_version_that_cannot_be_asked_for_is_passed_over(shop: Shop) -> None:
    """The next best is taken: it is newer all the same."""
    for tag in ("1.0", "1.1", "1.2"):
        shop.shelf.push(tag, tag=tag)
    shop.shelf.instead = lambda asked: Reply(404) if _manifest_head(asked) and asked.path.endswith("1.2") else None
    assert shop.converge(web=shop.service("1.0", SEMVER)).succeeded
    assert shop.runs().partition("@")[0] == "1.1"
