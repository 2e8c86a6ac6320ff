"""`reconcile images lock`: what of a lock is kept, added, moved and removed, and when it is written."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import SpecError
from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.settings import Settings
from reconciler.pinning import lock_project
from reconciler.registries import Registries
from reconciler.resolving import Resolver
from reconciler.spec.load import Request, load
from reconciler.spec.lockfile import FILE_NAME, read_lock, with_pins
from reconciler.spec.lowering import lower
from tests.support.signatures import Shelf, signer
from tests.support.standin import Clock, Reply, StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.model.project import Project
    from reconciler.pinning import PinRow

KEY = signer()
SEMVER = {"track": "semver"}
NOW = 1_780_000_000.0


class Site:
    """A folder with specs, and a registry with one repository."""

    def __init__(self, folder: Path, server: StandIn, client: RegistryClient) -> None:
        self.folder, self.server, self.shelf = folder, server, Shelf()
        server.answering = self.shelf
        self.repository = f"{server.host}/{self.shelf.repository}"
        self.resolver = Resolver(Registries(client), None, lambda: NOW, UTC)
        (folder / "key.pub").write_text(KEY.key.pem)

    def image(self, tag: str = "1", rules: Any = None, **fields: Any) -> dict[str, Any]:
        """A service of the repository."""
        return {"image": f"{self.repository}:{tag}", "x-reconcile": {"image": rules or {}}, **fields}

    def project(self, project_name: str = "shop", /, **services: Any) -> Project:
        """The project of these services, with what the lock pins of it."""
        path = self.folder / f"{project_name}.yaml"
        path.write_text(json.dumps({"services": services}))
        loaded = lower(load(Request(files=(str(path),), project_name=project_name), {}))
        return with_pins(loaded, read_lock(str(self.folder), str(self.folder)))

    def lock(self, project: Project, *update: str, everything: bool = False, write: bool = True) -> list[str]:
        """What became of each entry: `added web`."""
        rows = self.rows(project, *update, everything=everything, write=write)
        return sorted(f"{row.verdict} {row.service}" for row in rows)

    def rows(
        self, project: Project, *update: str, everything: bool = False, write: bool = True, at: float = NOW
    ) -> tuple[PinRow, ...]:
        """The rows."""
        return lock_project(
            project, self.resolver, lambda service: everything or service.name in update, at, write=write
        )

    def pins(self, project: str = "shop") -> dict[str, str]:
        """What the file pins: digests by service."""
        entries = read_lock(str(self.folder), str(self.folder)).get(project, {})
        return {name: entry.pin.digest for name, entry in entries.items()}

    @property
    def file(self) -> Path:
        """The lock."""
        return self.folder / FILE_NAME


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    server = StandIn(lambda _: Reply(404))
    client = RegistryClient(lambda _host: None, Settings(()), Clock())
    yield Site(tmp_path, server, client)
    client.close()
    server.close()


def test_what_is_not_pinned_is_looked_up_and_written(site: Site) -> None:
    """What is pinned stays, whatever its tag names by now; and nothing is written where nothing changes."""
    old = site.shelf.push("a")
    assert site.lock(site.project(web=site.image())) == ["added web"]
    site.shelf.push("b")
    site.server.asked.clear()
    before = site.file.stat().st_ino
    assert site.lock(site.project(web=site.image())) == ["kept web"]
    assert (site.pins(), site.server.asked, site.file.stat().st_ino) == ({"web": old}, [], before)
    assert sorted(path.name for path in site.folder.iterdir()) == ["key.pub", FILE_NAME, "shop.yaml"]


def test_an_update_moves_what_is_named(site: Site) -> None:
    """The others stay; what did not move keeps its date."""
    old = site.shelf.push("a")
    services = {"web": site.image(), "api": site.image()}
    site.lock(site.project(**services))
    new = site.shelf.push("b")
    assert site.lock(site.project(**services), "web") == ["kept api", "moved web"]
    assert site.pins() == {"web": new, "api": old}
    text = site.file.read_text()
    assert [row.verdict for row in site.rows(site.project(**services), "web", at=NOW + 9)] == ["kept", "kept"]
    assert site.file.read_text() == text


def test_a_check_looks_everything_up_and_writes_nothing(site: Site) -> None:
    """Cooldowns hold nothing back: a person looks at what is pinned."""
    site.shelf.push("a")
    cooling = site.image(rules={"track": "digest", "cooldown": "30d"})
    assert site.lock(site.project(web=cooling), everything=True, write=False) == ["added web"]
    assert not site.file.exists()
    site.lock(site.project(web=cooling))
    text = site.file.read_text()
    new = site.shelf.push("b")
    (row,) = site.rows(site.project(web=cooling), everything=True, write=False)
    assert (row.verdict, row.after and row.after.digest) == ("moved", new)
    assert site.file.read_text() == text


def test_an_entry_of_another_reference_is_looked_up_anew(site: Site) -> None:
    """The spec says another tag by now."""
    for tag in ("1", "2"):
        site.shelf.push(tag, tag=tag)
    site.lock(site.project(web=site.image("1")))
    (row,) = site.rows(site.project(web=site.image("2")))
    assert row.verdict == "moved"
    assert row.before is not None
    assert row.before.reference.endswith(":1")
    assert site.project(web=site.image("2")).notices == ()


def test_what_the_spec_has_no_more_is_removed(site: Site) -> None:
    """Or what cannot be pinned any more; a service that a profile disables stays."""
    site.shelf.push("a")
    services = {name: site.image() for name in ("web", "gone", "never", "debug")}
    site.lock(site.project(**services))
    del services["gone"]
    services["never"] = site.image(pull_policy="never")
    services["debug"] = site.image(profiles=["debug"])
    assert site.lock(site.project(**services)) == ["kept web", "removed gone", "removed never"]
    assert sorted(site.pins()) == ["debug", "web"]


def test_what_cannot_be_looked_up_stays(site: Site) -> None:
    """As it was, also where the spec changed; the others are written."""
    old = site.shelf.push("a")
    site.lock(site.project(web=site.image()))
    services = {"web": site.image("9"), "api": site.image(), "new": site.image("8")}
    rows = {row.service: row for row in site.rows(site.project(**services))}
    assert {name: row.verdict for name, row in rows.items()} == {"web": "failed", "api": "added", "new": "failed"}
    assert "does not have it" in rows["web"].message
    assert site.pins() == {"web": old, "api": old}
    entry = read_lock(str(site.folder), str(site.folder))["shop"]["web"]
    assert entry.reference == f"{site.repository}:1"


def test_projects_share_a_folders_lock(site: Site) -> None:
    """Each has its own entries, and leaves the other's alone."""
    digest = site.shelf.push("a")
    site.lock(site.project("shop", web=site.image()))
    site.lock(site.project("edge", web=site.image()))
    assert (site.pins("shop"), site.pins("edge")) == ({"web": digest}, {"web": digest})
    new = site.shelf.push("b")
    site.lock(site.project("edge", web=site.image()), "web")
    assert (site.pins("shop"), site.pins("edge")) == ({"web": digest}, {"web": new})


def test_a_version_is_pinned_and_never_goes_back(site: Site) -> None:
    """The best one that may be followed, by its own tag; where it is gone from the registry, it stays."""
    for tag in ("1.0", "1.1"):
        site.shelf.push(tag, tag=tag)
    web = site.image("1.0", SEMVER)
    (row,) = site.rows(site.project(web=web))
    assert row.after is not None
    assert (row.reference, row.after.reference) == (f"{site.repository}:1.0", f"{site.repository}:1.1")
    assert row.after.policy == "semver"
    pinned = site.project(web=web).services[0].image.pin
    assert pinned is not None
    assert pinned.reference == f"{site.repository}:1.1"
    del site.shelf.manifests["1.1"]
    assert site.lock(site.project(web=web), everything=True) == ["failed web"]
    assert site.project(web=web).services[0].image.pin == pinned


def test_only_what_is_signed_is_pinned(site: Site) -> None:
    """By the keys of the spec; an older version where the newest is not signed, and none where none is."""
    digests = {tag: site.shelf.push(tag, tag=tag) for tag in ("1.0", "1.1")}
    web = site.image("1.0", {**SEMVER, "verify": {"keys": ["key.pub"]}})
    (row,) = site.rows(site.project(web=web))
    assert row.verdict == "failed"
    assert "1.1" in row.message
    assert not site.file.exists()
    site.shelf.sign(digests["1.0"], KEY, site.repository)
    assert site.lock(site.project(web=web)) == ["added web"]
    assert site.pins() == {"web": digests["1.0"]}


def test_a_lock_of_another_repository_says_nothing_of_this_one(site: Site) -> None:
    """Whoever writes another repository begins anew."""
    site.shelf.push("1", tag="3.0")
    site.lock(site.project(web=site.image("3.0", SEMVER)))
    text = site.file.read_text().replace(site.repository, f"{site.server.host}/team/else")
    site.file.write_text(text)
    site.shelf.push("2", tag="2.0")
    (row,) = site.rows(site.project(web=site.image("2.0", SEMVER)))
    assert row.after is not None
    assert (row.verdict, row.after.reference) == ("moved", f"{site.repository}:2.0")


def test_a_folder_that_cannot_be_written_is_said(site: Site) -> None:
    """With what to do about it."""
    site.shelf.push("a")
    project = site.project(web=site.image())
    gone = replace(project, working_dir=str(site.folder / "gone"))
    with pytest.raises(SpecError) as caught:
        site.rows(gone)
    assert caught.value.code == "LockUnwritable"
    assert caught.value.message == "the lock cannot be written: No such file or directory"
    assert caught.value.hint == "make its folder writable"
