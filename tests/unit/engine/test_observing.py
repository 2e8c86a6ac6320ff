"""Which containers are ours, and what they wrote."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.engine.simulated import SimulatedEngine, VirtualClock, outside
from reconciler.forecast import VirtualExecutor
from reconciler.model import labels
from reconciler.model.project import Project
from reconciler.observation import image_user_from_row, mutated_paths
from reconciler.observer import Observer

LABELS = {
    labels.PROJECT: "shop",
    labels.INSTANCE: "default",
    labels.SERVICE: "web",
    labels.SLOT: "1",
    labels.ROLLOUT: "0123abcd",
}
NAME = "shop-web-1-0123abcd"


class Desk:
    """An engine with one container of ours, and an observer of it that remembers what we made."""

    def __init__(self) -> None:
        self.engine = SimulatedEngine(VirtualClock())
        self.engine.pull_image("app:1", None, lambda _line: None)
        self.made: dict[str, str] = {}
        self.executor = VirtualExecutor(self.engine)
        self.container = self.run(NAME)
        project = Project("shop", ())
        gather, now = self.executor.gather, self.executor.now
        self.observer = Observer(
            self.engine, self.engine.info(), project, "default", gather, now, made=lambda: self.made
        )

    def run(self, name: str) -> str:
        """A running container with our labels."""
        container = self.engine.create_container(name, {"Image": "app:1", "Labels": LABELS})
        self.engine.start_container(container)
        return container

    def ours(self) -> set[str]:
        """Ids of what is taken for ours."""
        self.observer.resync()
        return {container.id for container in self.observer.observed().containers}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_copy_of_our_labels_is_foreign(desk: Desk) -> None:
    """A name cannot be had twice; it is told as what it claims to be."""
    copy = desk.run("handmade")
    assert desk.ours() == {desk.container}
    foreign = {one.id: one.replica for one in desk.observer.observed().foreign}
    assert foreign == {copy: "web/1"}


def test_what_we_made_is_ours_under_any_name(desk: Desk) -> None:
    """Known by its id; without that memory, one that was renamed is foreign."""
    outside.rename(desk.engine, desk.container, "other")
    assert desk.ours() == set()
    desk.made[desk.container] = NAME
    assert desk.ours() == {desk.container}
    assert desk.observer.observed().containers[0].name == "other"
    desk.observer.refresh([desk.container])
    assert desk.observer.known == {desk.container}


def test_what_we_made_for_another_project_is_not_this_ones(desk: Desk) -> None:
    """The labels count as well."""
    desk.made[desk.container] = NAME
    other = desk.engine.create_container("other", {"Image": "app:1", "Labels": LABELS | {labels.PROJECT: "blog"}})
    desk.made[other] = "other"
    assert desk.ours() == {desk.container}


def test_writes_are_seen_when_looked_for(desk: Desk) -> None:
    """As of that time; forgotten with the container; foreign ones are left alone."""
    copy = desk.run("handmade")
    desk.ours()
    outside.write(desk.engine, desk.container, "/etc/app.conf")
    assert desk.observer.observed().mutations == {}
    desk.observer.look_deep([desk.container, copy, "gone"])
    assert desk.observer.observed().mutations == {desk.container: ("/etc/app.conf",)}
    assert desk.observer.snapshot().changes.keys() == {desk.container}
    outside.remove(desk.engine, desk.container)
    desk.observer.look_deep([desk.container])
    assert desk.ours() == set()
    assert desk.observer.observed().mutations == {}


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({}, ()),
        ({"/etc": 0, "/etc/b": 1, "/etc/a": 2}, ("/etc/a", "/etc/b")),
        ({"/new": 1, "/new/sub": 1}, ("/new", "/new/sub")),
        ({"/etc": 0}, ("/etc",)),
        ({"/etc": 0, "/etcetera": 1}, ("/etc", "/etcetera")),
    ],
)
def test_folders_above_a_change_say_nothing(changes: dict[str, int], paths: tuple[str, ...]) -> None:
    """One that was changed itself (its mode) has nothing below it; one that was added counts."""
    rows: list[dict[str, Any]] = [{"Path": path, "Kind": kind} for path, kind in changes.items()]
    assert mutated_paths(rows) == paths


@pytest.mark.parametrize(
    ("row", "images"),
    [
        ({"Image": "app:1", "ImageID": "sha256:a"}, {"app:1", "sha256:a"}),
        ({"Image": "app", "ImageID": "sha256:a"}, {"app:latest", "sha256:a"}),
        ({"Image": "r.test/app:1@sha256:b", "ImageID": "sha256:a"}, {"r.test/app@sha256:b", "sha256:b", "sha256:a"}),
        (
            {"ImageID": "sha256:index", "ImageManifestDescriptor": {"digest": "sha256:platform"}},
            {"sha256:index", "sha256:platform"},
        ),
        (
            {"ImageID": "sha256:a", "Mounts": [{"Type": "image", "Name": "data:1"}, {"Type": "volume", "Name": "v"}]},
            {"sha256:a", "data:1"},
        ),
    ],
)
def test_what_a_container_uses_of_images(row: dict[str, Any], images: set[str]) -> None:
    """Its image by id, by the platform's manifest and as it was written; and images that it mounts."""
    found = image_user_from_row({"Id": "1", "Names": ["/web"], "State": "exited", **row})
    assert (found.name, found.status, found.images) == ("web", "exited", frozenset(images))
