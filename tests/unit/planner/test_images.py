"""Binding a service to an immutable image."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.memory import Memory
from reconciler.model.observed import ImageState, RegistryAnswer
from reconciler.model.project import Build, Image, PullPolicy
from tests.support.planning import DIGEST, IMAGE, container, desired, kinds, observed, reasons, service, step

PULLED = ImageState("sha256:" + "2" * 64, ("app:1",), (f"app@{DIGEST}",))
BUILD = Build("/src", "/src/Dockerfile", key="k", tag="shop-web:abc")


def with_policy(policy: PullPolicy, reference: str = "app:1") -> Image:
    return Image(reference, policy)


def test_a_local_image_is_used_by_its_id() -> None:
    """Without a registry digest the image's ID is what a container is created from: a tag could move."""
    found = step(desired(service()), observed())
    assert [item.payload["body"]["Image"] for item in found.operations] == [IMAGE.id]


def test_of_several_digests_the_repositorys_own_counts() -> None:
    """An image known under several repositories is created from the written one's digest, the first in order."""
    image = replace(IMAGE, digests=("aaa@sha256:0", "app@sha256:b", "app@sha256:a"))
    found = step(desired(service()), observed(images=(image,)))
    assert [item.payload["body"]["Image"] for item in found.operations] == ["app:1@sha256:a"]


@pytest.mark.parametrize("reference", [f"app@{DIGEST}", f"app:7@{DIGEST}"])
def test_a_written_digest_is_found_by_the_digest_alone(reference: str) -> None:
    """A tag beside a digest is a comment."""
    found = step(desired(service(image=Image(reference))), observed(images=(PULLED,)))
    assert [item.payload["body"]["Image"] for item in found.operations] == [reference]


def test_an_image_id_is_a_reference() -> None:
    """`sha256:1111` names a local image by the beginning of its ID."""
    found = step(desired(service(image=Image("sha256:1111"))), observed())
    assert [item.payload["body"]["Image"] for item in found.operations] == [IMAGE.id]


def test_a_missing_image_is_pulled_then_named_then_used() -> None:
    """Pull by digest, tag as written, create by digest: one after the other."""
    wanted = desired(service(), registry={"app:1": RegistryAnswer(DIGEST)})
    assert kinds(step(wanted, observed(images=()))) == [f"image.pull app@{DIGEST}"]
    untagged = replace(PULLED, tags=())
    assert kinds(step(wanted, observed(images=(untagged,)))) == ["image.tag app:1"]
    assert kinds(step(wanted, observed(images=(PULLED,)))) == ["container.create web/1"]


def test_a_build_is_tagged_with_all_its_names_once() -> None:
    """The tag of its content first, then the image's name, then further tags of the build."""
    build = replace(BUILD, tags=("also:1", "app:1", "also:1"))
    found = step(desired(service(image=Image("app:1", build=build))), observed(images=()))
    assert [item.payload["tags"] for item in found.operations] == [("shop-web:abc", "app:1", "also:1")]


def test_an_operation_in_flight_is_waited_for() -> None:
    """A pull that is under way is neither repeated nor taken for an end."""
    wanted = desired(service(), registry={"app:1": RegistryAnswer(DIGEST)})
    found = step(wanted, observed(images=(), inflight=frozenset({f"image.pull:app@{DIGEST}"})))
    assert found.operations == ()
    assert found.conditions == ()


def test_a_new_digest_behind_the_tag_replaces() -> None:
    """`pull_policy: always`: another digest is pulled, the old image's containers run on until then."""
    wanted = desired(service(image=with_policy("always")), registry={"app:1": RegistryAnswer(DIGEST)})
    found = step(wanted, observed(container()))
    assert kinds(found) == [f"image.pull app@{DIGEST}"]
    assert found.operations[0].cause[0].reason == "the registry has another digest"


def test_a_registry_that_is_down_is_no_reason_to_stop() -> None:
    """`pull_policy: always` with a silent registry uses the local image, and says so."""
    wanted = desired(service(image=with_policy("always")), registry={"app:1": RegistryAnswer(error="timeout")})
    found = step(wanted, observed())
    assert kinds(found) == ["container.create web/1"]
    assert [notice.message for notice in found.notices] == [
        "web: the local image is used, as no registry said what is newest: timeout"
    ]


def test_a_registrys_reason_is_the_conditions() -> None:
    """What a registry refuses for is told apart by its code, as a warning and as what blocks."""
    answer = RegistryAnswer(error="gone", reason="ImageNotFound")
    wanted = desired(service(image=with_policy("always")), registry={"app:1": answer})
    assert [notice.code for notice in step(wanted, observed()).notices] == ["ImageNotFound"]
    assert [item.reason for item in step(wanted, observed(images=())).conditions] == ["ImageNotFound"]


@pytest.mark.parametrize(
    ("policy", "answer", "message"),
    [
        ("never", RegistryAnswer(), "image app:1 is not on the engine and pull_policy is never"),
        ("missing", RegistryAnswer(error="denied"), "image app:1 is not on the engine and cannot be pulled: denied"),
        (
            "build",
            RegistryAnswer(),
            "image app:1 is not on the engine and cannot be pulled: its registry was not asked",
        ),
    ],
)
def test_an_image_nobody_has_blocks_and_touches_nothing(
    policy: PullPolicy, answer: RegistryAnswer, message: str
) -> None:
    """The reason is told once, and what runs is left alone."""
    wanted = desired(service(image=with_policy(policy)), registry={"app:1": answer})
    found = step(wanted, observed(container(), images=()))
    assert found.operations == ()
    assert [(item.reason, item.message) for item in found.conditions] == [("ImageUnavailable", message)]
    assert found.services[0].sync == "Unknown"


def test_a_pull_that_failed_is_told() -> None:
    """An image operation that failed for good is not asked for again."""
    wanted = desired(service(), registry={"app:1": RegistryAnswer(DIGEST)})
    memory = Memory().with_failed_operation(f"image.pull:app@{DIGEST}", "manifest unknown")
    found = step(wanted, observed(images=()), memory)
    assert found.operations == ()
    assert [(item.reason, item.message) for item in found.conditions] == [("ImageUnavailable", "manifest unknown")]


@pytest.mark.parametrize(("reference", "tags"), [("", ("shop-web:abc",)), ("app:1", ("shop-web:abc", "app:1"))])
def test_a_build_is_made_once_for_a_content(reference: str, tags: tuple[str, ...]) -> None:
    """The immutable tag says whether this content was built; the written name is tagged beside it."""
    wanted = desired(service(image=Image(reference, build=BUILD)))
    found = step(wanted, observed(images=()))
    assert kinds(found) == ["image.build shop-web:abc"]
    assert found.operations[0].payload["tags"] == tags
    built = replace(IMAGE, tags=("shop-web:abc",))
    created = step(wanted, observed(images=(built,)))
    assert [item.payload["body"]["Image"] for item in created.operations] == ["shop-web:abc"]


def test_a_build_without_a_key_is_an_error() -> None:
    """What the build reads must be known before anything is decided."""
    build = replace(BUILD, key="", tag="")
    assert reasons(step(desired(service(image=Image("", build=build))), observed())) == ["ImageUnavailable"]
