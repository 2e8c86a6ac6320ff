"""The service follows a repository, on a simulated engine: what came up stays in force, an idle day is quiet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from reconciler.engine.simulated import outside
from tests.support.git_server import Forge, Repository, serving
from tests.support.git_source import settings
from tests.support.service import Polled, Served, spec

HOUR = 3600.0
DAY = 24 * HOUR
README = {"README": b"nothing to run\n"}


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    """An empty one."""
    (tmp_path / "forge").mkdir()
    with serving(tmp_path / "forge") as running:
        yield running


@pytest.fixture
def repository(forge: Forge) -> Repository:
    """Two projects, in commits of their own: both are in force as the second one has them."""
    found = Repository.new(forge.root / "shop.git")
    found.commit({"specs/shop.yaml": spec().encode(), "specs/blog.yaml": spec("blog:1").encode()}, "First")
    return found


def follow(forge: Forge, tmp_path: Path, subdir: str = "") -> Served:
    """The service that follows it, asked once an hour, and that is up."""
    (tmp_path / "data").mkdir()
    chance = Random(7).random  # noqa: S311 - it has to be the same each time
    followed = settings(forge, interval=HOUR, subdir=subdir)
    served = Served(tmp_path / "data", state=tmp_path / "state", git=followed, random=chance)
    served.settle()
    return served


def lose(served: Served, image: str) -> None:
    """Somebody removes the container that runs this image; the service has heard of it."""
    rows = served.engine.list_containers()
    outside.remove(served.engine, next(row["Id"] for row in rows if row["Image"].startswith(image)))
    served.run(0.1)
    served.settle()


@pytest.mark.parametrize("subdir", ["", "specs"])
def test_a_commit_without_specs_leaves_in_force_what_came_up(
    forge: Forge, repository: Repository, tmp_path: Path, subdir: str
) -> None:
    """While the service runs, and over a restart: each project as the commit has it that it came up with."""
    served = follow(forge, tmp_path, subdir)
    good = repository.git("rev-parse", "main")
    emptied = repository.commit({**README, "specs/words": b""}, "Take it all away")
    served.changed()
    lose(served, "web:1")
    assert served.containers() == ["blog:1", "web:1"]
    served.begin()
    served.settle()
    lose(served, "web:1")
    lose(served, "blog:1")
    assert served.containers() == ["blog:1", "web:1"]
    status = served.desk.status((), (), deep=False)
    assert {item.revision.commit for item in status.projects if item.revision} == {good}
    (error,) = status.errors
    assert error.message.startswith(f"source specs: commit {emptied[:10]}: ")
    assert "spec" in error.message.removeprefix("source specs")
    assert str(tmp_path) not in error.message


def test_each_project_is_as_the_commit_has_it_that_it_came_up_with(
    forge: Forge, repository: Repository, tmp_path: Path
) -> None:
    """One that a later commit broke, and then all specs left: the two are of two commits."""
    served = follow(forge, tmp_path)
    repository.commit({"specs/shop.yaml": b"services: [\n", "specs/blog.yaml": spec("blog:2").encode()}, "Half")
    served.changed()
    assert served.containers() == ["blog:2", "web:1"]
    repository.commit(README, "Take it all away")
    served.changed()
    served.begin()
    served.settle()
    lose(served, "web:1")
    lose(served, "blog:2")
    assert served.containers() == ["blog:2", "web:1"]
    repository.commit({"specs/blog.yaml": spec("blog:3").encode()}, "Mend it, without the shop")
    served.changed()
    assert served.containers() == ["blog:3"]
    assert not served.desk.status((), (), deep=False).errors


def test_what_left_is_not_put_in_force_again(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """One that must not be pruned left, and then all specs: it is nobody's, as it was, whatever befalls it."""
    kept = spec().encode() + b"x-reconcile: {prune: false}\n"
    left = repository.commit({"specs/shop.yaml": kept, "specs/blog.yaml": spec("blog:1").encode()}, "Keep the shop")
    served = follow(forge, tmp_path)
    repository.commit({"specs/blog.yaml": spec("blog:2").encode()}, "Let the shop go")
    served.changed()
    assert served.containers() == ["blog:2", "web:1"]
    repository.commit(README, "Take it all away")
    served.changed()
    assert served.source.kept_at(left) is None
    served.begin()
    served.settle()
    lose(served, "web:1")
    assert served.containers() == ["blog:2"]
    assert [item.name for item in served.desk.status((), (), deep=False).projects] == ["blog"]


def test_what_left_while_nobody_looked_is_not_put_in_force_again(
    forge: Forge, repository: Repository, tmp_path: Path
) -> None:
    """It is back in force once its source has it again."""
    kept = spec().encode() + b"x-reconcile: {prune: false}\n"
    both = {"specs/shop.yaml": kept, "specs/blog.yaml": spec("blog:1").encode()}
    repository.commit(both, "Keep the shop")
    served = follow(forge, tmp_path)
    repository.commit({"specs/blog.yaml": spec("blog:2").encode()}, "Let the shop go")
    served.begin()
    served.settle()
    repository.commit(README, "Take it all away")
    served.changed()
    served.begin()
    served.settle()
    assert [item.name for item in served.desk.status((), (), deep=False).projects] == ["blog"]
    repository.commit(both, "Both again")
    served.changed()
    repository.commit(README, "Take it all away again")
    served.changed()
    served.begin()
    served.settle()
    lose(served, "web:1")
    assert served.containers() == ["blog:1", "web:1"]


def test_what_was_leaving_goes_on_leaving(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """Renamed in its file while a service was suspended, and then all specs left: the new name is in force."""
    two = spec() + spec("db:1", service="db").removeprefix("services:\n")
    repository.commit({"specs/shop.yaml": two.encode()}, "The shop alone")
    served = follow(forge, tmp_path)
    served.desk.suspend("shop", "db", "its data is being copied", "ada")
    repository.commit({"specs/shop.yaml": f"name: store\n{spec('web:2')}".encode()}, "Call it a store")
    served.changed()
    repository.commit(README, "Take it all away")
    served.changed()
    served.begin()
    served.settle()
    assert (served.containers("shop"), served.containers("store")) == (["db:1"], ["web:2"])
    lose(served, "web:2")
    assert served.containers("store") == ["web:2"]
    assert served.desk.resume(None, "db", "ada") == ("shop/db",)
    served.settle()
    assert (served.containers("shop"), served.containers("store")) == ([], ["web:2"])


def test_a_refused_project_is_found_by_its_name(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """It is in another file by now, and the policy refuses it: over a restart it is in force as it came up last."""
    served = follow(forge, tmp_path)
    refused = f"name: shop\n{spec('web:2')}    privileged: true\n"
    repository.commit({"specs/store.yaml": refused.encode(), "specs/blog.yaml": spec("blog:1").encode()}, "Privileged")
    served.changed()
    served.begin()
    served.settle()
    lose(served, "web:1")
    assert served.containers("shop") == ["web:1"]


def test_a_first_commit_without_specs_is_told(forge: Forge, tmp_path: Path) -> None:
    """Nothing has ever come up, so nothing is in force."""
    repository = Repository.new(forge.root / "shop.git")
    emptied = repository.commit(README, "Words only")
    served = follow(forge, tmp_path)
    served.begin()
    served.settle()
    status = served.desk.status((), (), deep=False)
    (error,) = status.errors
    assert error.message.startswith(f"source specs: commit {emptied[:10]}: ")
    assert status.projects == ()


def test_an_idle_day_with_a_repository_is_quiet(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """Its ref is asked for once an interval, give or take 5 % and never twice alike, and hardly a line is written."""
    served = follow(forge, tmp_path)
    assert isinstance(served.source, Polled)
    assert repository.made == 1
    before, events = len(served.said("info")), served.engine.world.logged
    asked, began = len(served.source.asked), served.clock.now()
    served.run(DAY)
    assert len(served.said("info")) - before <= 10, served.said("info")[before:]
    assert not served.said("warning")
    assert served.engine.world.logged == events
    polls = served.source.asked[asked:]
    waits = [after - earlier for earlier, after in pairwise([*served.source.asked[asked - 1 : asked], *polls])]
    assert all(0.95 * HOUR <= wait <= 1.05 * HOUR for wait in waits), waits
    assert int(DAY / (1.05 * HOUR)) <= len(polls) <= DAY / (0.95 * HOUR)
    assert polls[0] - began <= 1.05 * HOUR
    assert len({round(wait) for wait in waits}) == len(waits)
    assert min(waits) < 0.98 * HOUR < 1.02 * HOUR < max(waits)
