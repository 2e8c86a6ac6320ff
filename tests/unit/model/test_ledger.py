"""The ledger of images: what is entered, what is forgotten, from when on an image counts as unused."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model import labels
from reconciler.model.ledger import Deployed, entered, unused
from reconciler.model.memory import Memory
from reconciler.model.observed import ImageState
from reconciler.model.operation import Operation
from reconciler.model.project import Build
from tests.support.planning import container, observed

OLD = ImageState("sha256:" + "a" * 64, ("app:1",), ("app@sha256:" + "1" * 64,))
NEW = ImageState("sha256:" + "b" * 64, ("app:2", "shop-web:bk-1"), ("app@sha256:" + "2" * 64,))
RUNS_OLD = container(image_id=OLD.id, labels={labels.IMAGE: "app:1"})


def operation(kind: str, **payload: object) -> Operation:
    return Operation("op", kind, "image", "shop", "web", payload=payload)  # type: ignore[arg-type]


def test_what_a_container_runs_is_entered_as_in_use() -> None:
    """With its service and the repository that it was deployed from; no name of it is ours."""
    found = entered({}, observed(RUNS_OLD, images=(OLD, NEW)), (), 10.0)
    assert found == {OLD.id: Deployed(("web",), (), ("app",), 10.0, None)}


def test_an_image_that_is_no_longer_run_is_unused_from_then_on() -> None:
    """From the first look that shows it; later ones change nothing until it is used again."""
    first = entered({}, observed(RUNS_OLD, images=(OLD,)), (), 10.0)
    second = entered(first, observed(images=(OLD,)), (), 20.0)
    assert second[OLD.id].last_used == 20.0
    assert entered(second, observed(images=(OLD,)), (), 30.0) == second
    third = entered(second, observed(RUNS_OLD, images=(OLD,)), (), 40.0)
    assert (third[OLD.id].first_seen, third[OLD.id].last_used) == (10.0, None)


def test_an_image_that_is_gone_is_forgotten_unless_a_container_runs_it() -> None:
    """Should it come back, its age begins anew."""
    known = {OLD.id: Deployed(first_seen=1.0, last_used=2.0)}
    assert entered(known, observed(images=()), (), 10.0) == {}
    assert entered(known, observed(RUNS_OLD, images=()), (), 10.0)[OLD.id].last_used is None


def test_the_names_that_we_gave_are_ours() -> None:
    """What was pulled by digest, tagged and built, and nothing that an operation did not name."""
    done = (
        operation("image.pull", reference=NEW.digests[0]),
        operation("image.tag", image=NEW.digests[0], repository="app", tag="2"),
        operation("image.build", build=Build("/x", "/x/Dockerfile"), tags=("shop-web:bk-1", "shop-web"), platform=None),
        operation("container.create", name="shop-web-1"),
    )
    found = entered({}, observed(images=(OLD, NEW)), done, 10.0)
    assert found == {
        NEW.id: Deployed(("web",), ("app:2", NEW.digests[0], "shop-web:bk-1"), ("app", "shop-web"), 10.0, 10.0)
    }


def test_a_container_of_an_image_without_a_name_has_no_repository() -> None:
    """One written as an id says nothing of where it came from."""
    by_id = container(image_id=OLD.id, labels={labels.IMAGE: OLD.id})
    assert entered({}, observed(by_id, images=(OLD,)), (), 1.0)[OLD.id].repositories == ()


def test_a_memory_stays_itself_where_nothing_is_new() -> None:
    """So that nothing is written."""
    memory = Memory().with_images(observed(RUNS_OLD, images=(OLD,)), (), 10.0)
    assert memory.images[OLD.id].first_seen == 10.0
    assert memory.with_images(observed(RUNS_OLD, images=(OLD,)), (), 20.0) is memory


def test_what_is_unused_already_stays_so() -> None:
    """And nothing is said of other images."""
    used, idle = Deployed(last_used=None), Deployed(last_used=1.0)
    assert unused({"a": used, "b": idle, "c": used}, {"a", "b"}, 9.0) == {
        "a": replace(used, last_used=9.0),
        "b": idle,
        "c": used,
    }
