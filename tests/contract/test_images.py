"""Images: names, tags, pulls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.errors import EngineError
from tests.support import image

if TYPE_CHECKING:
    from tests.contract.lab import Lab


def nothing(_line: str) -> None:
    """Progress that nobody watches."""


def test_an_image_is_found_by_all_its_names(lab: Lab) -> None:
    """Id, short id, with and without `sha256:`, tag, and the hub's full name for it."""
    image_id = lab.engine.inspect_image(image.NAME)["Id"]
    digits = image_id.removeprefix("sha256:")
    for reference in (image_id, digits, digits[:12], f"sha256:{digits[:12]}", f"docker.io/library/{image.NAME}"):
        assert lab.engine.inspect_image(reference)["Id"] == image_id, reference


def test_an_image_that_is_not_there_is_not_found(lab: Lab) -> None:
    """404 `No such image`, also for a tag of another digest."""
    for reference in ("rct-none:1", image.REPOSITORY, f"{image.NAME}@sha256:{'0' * 64}"):
        with pytest.raises(EngineError, match="No such image") as caught:
            lab.engine.inspect_image(reference)
        assert caught.value.status == 404


def test_images_are_listed_with_tags_and_labels(lab: Lab) -> None:
    """One row each."""
    image_id = lab.engine.inspect_image(image.NAME)["Id"]
    row = next(row for row in lab.engine.list_images() if row["Id"] == image_id)
    assert image.NAME in row["RepoTags"]
    assert row["Labels"][image.LABEL] == "1"


def test_a_tag_is_added_and_moves(lab: Lab) -> None:
    """A tag names one image: the next one that gets it takes it away."""
    reference, digest = lab.hands.push("1", lab.prefix)
    lab.engine.pull_image(reference, None, nothing)
    lab.engine.tag_image(image.NAME, lab.name("app"), "1")
    ours = lab.engine.inspect_image(image.NAME)["Id"]
    assert lab.engine.inspect_image(lab.name("app:1"))["Id"] == ours
    lab.engine.tag_image(reference, lab.name("app"), "1")
    pulled = lab.engine.inspect_image(lab.name("app:1"))
    assert pulled["Id"] == lab.engine.inspect_image(reference)["Id"] != ours
    assert lab.name("app:1") not in lab.engine.inspect_image(image.NAME)["RepoTags"]
    assert digest in "".join(pulled["RepoDigests"])


def test_tagging_what_is_not_there_is_refused(lab: Lab) -> None:
    """404."""
    with pytest.raises(EngineError, match="No such image") as caught:
        lab.engine.tag_image("rct-none:1", lab.name("app"), "1")
    assert caught.value.status == 404


def test_a_pull_by_tag_leaves_tag_and_digest(lab: Lab) -> None:
    """The image answers to `name:tag`, `name@digest` and `name:tag@digest`."""
    reference, digest = lab.hands.push("tagged", f"{lab.prefix}tagged")
    name = reference.rpartition(":")[0]
    assert lab.engine.registry_digest(reference) == digest
    lab.engine.pull_image(reference, None, nothing)
    found = lab.engine.inspect_image(reference)
    assert reference in found["RepoTags"]
    assert f"{name}@{digest}" in found["RepoDigests"]
    for other in (f"{name}@{digest}", f"{reference}@{digest}"):
        assert lab.engine.inspect_image(other)["Id"] == found["Id"]


@pytest.mark.parametrize("form", ["{name}@{digest}", "{name}:pinned@{digest}"])
def test_a_pull_by_digest_leaves_no_tag(lab: Lab, form: str) -> None:
    """Whether or not a tag stands beside the digest."""
    reference, digest = lab.hands.push("pinned", f"{lab.prefix}{form}")
    pinned = form.format(name=reference.rpartition(":")[0], digest=digest)
    lab.engine.pull_image(pinned, None, nothing)
    found = lab.engine.inspect_image(pinned)
    assert found["RepoTags"] == []
    assert any(digest in name for name in found["RepoDigests"])
    with pytest.raises(EngineError):
        lab.engine.inspect_image(reference)


def test_a_moved_tag_is_another_image(lab: Lab) -> None:
    """The registry's digest changes at once; the local tag with the next pull, and the old image stays by digest."""
    reference, old = lab.hands.push("moving", f"{lab.prefix}old")
    lab.engine.pull_image(reference, None, nothing)
    first = lab.engine.inspect_image(reference)["Id"]
    _, new = lab.hands.push("moving", f"{lab.prefix}new")
    assert lab.engine.registry_digest(reference) == new
    assert lab.engine.inspect_image(reference)["Id"] == first
    lab.engine.pull_image(reference, None, nothing)
    assert lab.engine.inspect_image(reference)["Id"] != first
    assert lab.engine.inspect_image(f"{reference.rpartition(':')[0]}@{old}")["Id"] == first


def test_what_the_registry_does_not_have_cannot_be_pulled(lab: Lab) -> None:
    """Neither pulled nor asked for."""
    reference, _ = lab.hands.push("known", f"{lab.prefix}known")
    unknown = f"{reference.rpartition(':')[0]}:unknown"
    for call in (lambda: lab.engine.pull_image(unknown, None, nothing), lambda: lab.engine.registry_digest(unknown)):
        with pytest.raises(EngineError, match="manifest unknown"):
            call()


def test_a_pulled_image_can_be_created_from_by_tag_and_digest(lab: Lab) -> None:
    """`name:tag@digest` is what `docker ps` shows then."""
    reference, digest = lab.hands.push("run", f"{lab.prefix}run")
    lab.engine.pull_image(reference, None, nothing)
    container = lab.engine.create_container(lab.name("one"), {"Image": f"{reference}@{digest}"})
    assert lab.row(container)["Image"] == f"{reference}@{digest}"
    assert lab.row(container)["ImageID"] == lab.engine.inspect_image(reference)["Id"]


def test_a_name_is_removed_and_the_image_with_its_last_one(lab: Lab) -> None:
    """A tag goes alone while there is another one; the image goes with the last, and with it the digest beside it."""
    reference, digest = lab.hands.push("removed", f"{lab.prefix}removed")
    lab.engine.pull_image(reference, None, nothing)
    image_id = lab.engine.inspect_image(reference)["Id"]
    lab.engine.tag_image(reference, lab.name("app"), "1")
    lab.engine.remove_image(lab.name("app:1"))
    assert lab.engine.inspect_image(image_id)["RepoTags"] == [reference]
    lab.engine.remove_image(reference)
    for name in (reference, f"{reference.rpartition(':')[0]}@{digest}", image_id):
        with pytest.raises(EngineError, match="No such image"):
            lab.engine.inspect_image(name)


def test_an_image_is_removed_by_its_digest(lab: Lab) -> None:
    """As it is pulled by its digest."""
    reference, digest = lab.hands.push("digest", f"{lab.prefix}digest")
    pinned = f"{reference.rpartition(':')[0]}@{digest}"
    lab.engine.pull_image(pinned, None, nothing)
    lab.engine.remove_image(pinned)
    assert not [row for row in lab.engine.list_images() if pinned in (row["RepoDigests"] or ())]


def test_removing_what_is_not_there_is_success(lab: Lab) -> None:
    """404 means that somebody was faster."""
    lab.engine.remove_image("rct-none:1")
    lab.engine.remove_image(f"sha256:{'0' * 64}")


def test_removing_what_is_no_reference_is_refused(lab: Lab) -> None:
    """400, as everywhere."""
    with pytest.raises(EngineError, match="must be lowercase") as caught:
        lab.engine.remove_image("Rct-None:1")
    assert caught.value.status == 400


def test_an_image_in_use_is_not_removed(lab: Lab) -> None:
    """409 for its only name and for its id, though its container never ran; afterwards it has all its names."""
    reference, digest = lab.hands.push("used", f"{lab.prefix}used")
    lab.engine.pull_image(reference, None, nothing)
    lab.engine.create_container(lab.name("one"), {"Image": reference, "Cmd": ["true"]})
    image_id = lab.engine.inspect_image(reference)["Id"]
    for name in (reference, f"{reference.rpartition(':')[0]}@{digest}", image_id):
        with pytest.raises(EngineError, match=r"conflict: unable to .*must") as caught:
            lab.engine.remove_image(name)
        assert caught.value.status == 409
    assert lab.engine.inspect_image(reference)["RepoTags"] == [reference]


def test_an_image_in_use_may_lose_one_of_several_names(lab: Lab) -> None:
    """The engine looks at containers before the last name only: whoever removes names looks before."""
    lab.engine.tag_image(image.NAME, lab.name("app"), "1")
    lab.run("one", Image=lab.name("app:1"))
    lab.engine.remove_image(lab.name("app:1"))
    assert lab.name("app:1") not in lab.engine.inspect_image(image.NAME)["RepoTags"]


def test_an_id_with_names_in_several_repositories_is_not_removed(lab: Lab) -> None:
    """409: that would take names that nobody spoke of."""
    reference, _ = lab.hands.push("several", f"{lab.prefix}several")
    lab.engine.pull_image(reference, None, nothing)
    lab.engine.tag_image(reference, lab.name("app"), "1")
    with pytest.raises(EngineError, match="must be forced") as caught:
        lab.engine.remove_image(lab.engine.inspect_image(reference)["Id"])
    assert caught.value.status == 409
    assert lab.name("app:1") in lab.engine.inspect_image(reference)["RepoTags"]


def test_a_push_is_in_the_registry_and_known_by_its_digest(lab: Lab) -> None:
    """The registry has what was pushed from then on; the local image answers to the digest, and progress is told."""
    reference, old = lab.hands.push("pushed", f"{lab.prefix}old")
    repository = reference.rpartition(":")[0]
    lab.engine.tag_image(image.NAME, repository, "pushed")
    lines: list[str] = []
    digest = lab.engine.push_image(reference, lines.append)
    assert digest == lab.engine.registry_digest(reference) != old
    assert f"{repository}@{digest}" in lab.engine.inspect_image(image.NAME)["RepoDigests"]
    assert digest in lines[-1]


def test_what_is_not_there_cannot_be_pushed(lab: Lab) -> None:
    """No image has that tag."""
    reference, _ = lab.hands.push("absent", f"{lab.prefix}absent")
    with pytest.raises(EngineError, match="tag does not exist"):
        lab.engine.push_image(reference, nothing)
