"""Files of a repository, from commit to commit: only what changed replaces what reads it, and nothing breaks."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.engine.simulated import Behaviour
from reconciler.files.materialising import Places
from reconciler.model.project import Project
from tests.support.world import World

SPEC = """
services:
  web:
    image: web:1
    volumes: [./conf:/etc/web:ro]
    x-reconcile: {rollout: {min_running: 0s}}
    deploy: {update_config: {monitor: 0s}, rollback_config: {monitor: 0s}}
  other:
    image: other:1
    secrets: [s]
secrets: {s: {file: ./s}}
"""


class Repository:
    """Checkouts of a repository, each in a folder of its own, which goes when the next one comes."""

    def __init__(self, folder: Path, world: World) -> None:
        self._folder = folder
        self._world = world
        self._count = 0
        world.places = Places(str(folder / "data"), "/host/data")

    def commit(self, conf: str, other: str = "hidden") -> Project:
        """The project at a commit with this content."""
        shutil.rmtree(self._folder / f"checkout-{self._count}", ignore_errors=True)
        self._count += 1
        root = self._folder / f"checkout-{self._count}"
        (root / "conf").mkdir(parents=True)
        (root / "conf/web.conf").write_text(conf)
        (root / "s").write_text(other)
        self._world.folder = root
        return replace(self._world.project(SPEC), from_git=True, checkout=str(root))

    @property
    def copies(self) -> set[str]:
        """Names of the copies on disk."""
        folder = self._folder / "data/shop"
        return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An engine that has nothing yet."""
    return World(tmp_path)


@pytest.fixture
def repository(tmp_path: Path, world: World) -> Repository:
    """Its checkouts."""
    return Repository(tmp_path, world)


def causes(world: World, project: Project) -> list[tuple[str, str, str]]:
    """Service, place and reason of every change that a plan has."""
    found = [(op.service or "", it.source, it.reason) for op in world.plan(project).operations for it in op.cause]
    return list(dict.fromkeys(found))


def mounted(world: World) -> dict[str, str]:
    """The name of the copy that each service's container mounts."""
    found = {}
    for row in world.rows():
        document = world.engine.inspect_container(row["Id"])
        (mount,) = document["HostConfig"]["Mounts"]
        found[row["Labels"]["io.reconciler.service"]] = str(mount["Source"])
    return found


def test_a_plan_writes_nothing(world: World, repository: Repository) -> None:
    """And a converge writes before the first container is made."""
    project = repository.commit("one")
    assert world.plan(project).converges
    assert repository.copies == set()
    assert world.converge(project).succeeded
    assert set(mounted(world).values()) == {f"/host/data/shop/{name}" for name in repository.copies}


def test_a_commit_that_changes_no_file_replaces_nothing(world: World, repository: Repository) -> None:
    """Although the checkout is another folder, and the one before is gone."""
    world.converge(repository.commit("one"))
    assert world.plan(repository.commit("one")).operations == ()


def test_a_file_that_changed_replaces_what_mounts_it(world: World, repository: Repository) -> None:
    """And says so by its line; nothing of a digest is in the plan."""
    world.converge(repository.commit("one"))
    project = repository.commit("two")
    line = f"{project.checkout}/compose.yaml:5"
    assert causes(world, project) == [("web", line, "the content of ./conf changed")]
    world.converge(project)
    changed = repository.commit("two", "another")
    line = f"{changed.checkout}/compose.yaml:11"
    assert causes(world, changed) == [("other", line, "the content of ./s changed")]


def test_copies_stay_while_a_revision_names_them(world: World, repository: Repository) -> None:
    """A rollback by hand mounts what was mounted then."""
    world.converge(repository.commit("one"))
    before = mounted(world)
    project = repository.commit("two")
    world.converge(project)
    unknown = "f" * 64
    Path(world.places.data_dir, "shop", unknown).write_text("x")
    assert len(repository.copies) == 4
    world.go_back(project, "web")
    world.converge(project)
    assert mounted(world) == before
    assert unknown not in repository.copies
    assert len(repository.copies) == 3


def test_a_rollout_that_fails_goes_back_to_the_files_of_before(world: World, repository: Repository) -> None:
    """Nobody has to put them right."""
    world.converge(repository.commit("one"))
    before = mounted(world)
    bad = repository.commit("two")
    world.behaviours = lambda _image, config: (
        Behaviour(exit_after=0.1, exit_code=1)
        if config.get("Labels", {}).get("io.reconciler.service") == "web"
        else Behaviour()
    )
    report = world.converge(bad)
    assert [condition.reason for condition in report.conditions] == ["RolledBack"]
    assert "stays as it is on disk" not in report.conditions[0].message
    assert mounted(world) == before
