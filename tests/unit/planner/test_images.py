"""Binding a service to an immutable image."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model import labels
from reconciler.model.desired import NO_TAG, Held, Target
from reconciler.model.labels import BUILD_KEY
from reconciler.model.memory import Memory
from reconciler.model.observed import ImageState, RegistryAnswer
from reconciler.model.project import Build, Following, Image, Pin, PullPolicy
from reconciler.planner.images import bind_stable
from reconciler.planner.rollback import last_good
from tests.support.planning import (
    DIGEST,
    IMAGE,
    container,
    current,
    desired,
    kinds,
    observed,
    reasons,
    service,
    stable,
    step,
)

if TYPE_CHECKING:
    from reconciler.model.desired import Desired, HeldBy
    from reconciler.model.project import Service

OTHER = f"sha256:{'e' * 64}"
UNSIGNED = Held(f"app:1@{OTHER}", "signature", "app:1: nobody signed it", reason="SignatureMissing")
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
    built = replace(IMAGE, tags=tags, labels={BUILD_KEY: "k"})
    created = step(wanted, observed(images=(built,)))
    assert [item.payload["body"]["Image"] for item in created.operations] == ["shop-web:abc"]


def test_a_name_that_another_image_has_taken_is_put_back() -> None:
    """The written name and the further tags, one after the other; `latest` need not be written."""
    build = replace(BUILD, tags=("also",))
    wanted = desired(service(image=Image("app:1", build=build)))
    taken = replace(IMAGE, id="sha256:" + "3" * 64, tags=("app:1", "also:latest"))
    built = replace(IMAGE, tags=("shop-web:abc",), labels={BUILD_KEY: "k"})
    (first,) = step(wanted, observed(images=(built, taken))).operations
    assert (first.id, first.payload["image"], first.cause[0].field) == ("image.tag:app:1", built.id, "image")
    (second,) = step(wanted, observed(images=(replace(built, tags=("shop-web:abc", "app:1")), taken))).operations
    assert (second.id, second.cause[0].field) == ("image.tag:also:latest", "build.tags")
    named = replace(built, tags=("shop-web:abc", "app:1", "also:latest"))
    assert kinds(step(wanted, observed(images=(named,)))) == ["container.create web/1"]


def test_a_name_belongs_to_the_first_that_writes_it() -> None:
    """Two builds of one name would take it from each other for ever."""
    other = replace(BUILD, key="o", tag="shop-api:def")
    first, second = (
        service(name, image=Image("app:1", build=build)) for name, build in (("api", other), ("web", BUILD))
    )
    images = (replace(IMAGE, tags=("shop-api:def", "app:1"), labels={BUILD_KEY: "o"}),)
    found = step(desired(first, second), observed(images=images))
    assert [item.payload["tags"] for item in found.operations if item.kind == "image.build"] == [("shop-web:abc",)]


def test_what_has_the_same_key_is_built_once() -> None:
    """The second service waits for the first one's build, and gives its own name to it."""
    other = replace(BUILD, tag="shop-api:abc")
    wanted = desired(service("api", image=Image("", build=other)), service("web", image=Image("", build=BUILD)))
    assert kinds(step(wanted, observed(images=()))) == ["image.build shop-api:abc"]
    built = replace(IMAGE, tags=("shop-api:abc",), labels={BUILD_KEY: "k"})
    assert kinds(step(wanted, observed(images=(built,)))) == ["container.create api/1", "image.tag shop-web:abc"]


def test_what_others_build_on_top_is_not_what_was_built() -> None:
    """It inherits the label, not the tag."""
    derived = replace(IMAGE, tags=("theirs:1",), labels={BUILD_KEY: "k"})
    wanted = desired(service(image=Image("", build=BUILD)))
    assert kinds(step(wanted, observed(images=(derived,)))) == ["image.build shop-web:abc"]


@pytest.mark.parametrize("found", [{}, {BUILD_KEY: "another"}])
def test_an_image_that_was_given_the_tag_by_hand_is_not_what_was_built(found: dict[str, str]) -> None:
    """The label says what an image was built from; the build takes its tag back."""
    stolen = replace(IMAGE, tags=("shop-web:abc",), labels=found)
    wanted = desired(service(image=Image("", build=BUILD)))
    assert kinds(step(wanted, observed(images=(stolen,)))) == ["image.build shop-web:abc"]


def test_a_build_without_a_key_is_an_error() -> None:
    """What the build reads must be known before anything is decided."""
    build = replace(BUILD, key="", tag="")
    assert reasons(step(desired(service(image=Image("", build=build))), observed())) == ["ImageUnavailable"]


def test_a_base_that_cannot_be_looked_up_blocks_only_what_has_no_key() -> None:
    """The registry's own reason is told, and what runs is left alone; with a key it is a warning."""
    build = replace(BUILD, trouble="no base", reason="RegistryUnreachable")
    unknown = desired(service(image=Image("", build=replace(build, key="", tag="shop-web"))))
    found = step(unknown, observed(container()))
    assert found.operations == ()
    assert [(item.reason, item.message) for item in found.conditions] == [("RegistryUnreachable", "no base")]
    known = desired(service(image=Image("", build=build)))
    built = replace(IMAGE, tags=("shop-web:abc",), labels={BUILD_KEY: "k"})
    notices = step(known, observed(images=(built,))).notices
    assert [(item.code, item.message) for item in notices] == [("RegistryUnreachable", "web: no base")]


def aiming(target: Target, of: Service | None = None) -> Desired:
    """A project whose service `web` is to run that."""
    return replace(desired(of or service()), targets={"web": target})


def test_the_same_image_under_another_index_replaces_nothing() -> None:
    """Neither pulled nor restarted: on this platform it is what runs."""
    wanted = aiming(Target("app:1", OTHER, same_as=IMAGE.id))
    found = step(wanted, observed(current(aiming(Target("app:1")))))
    assert (found.operations, found.conditions) == ((), ())


DIGESTS = st.sampled_from((None, DIGEST, OTHER))


@settings(deadline=None)
@given(DIGESTS, st.booleans(), st.sampled_from(("", "gone")), st.booleans())
def test_an_index_never_changes_a_desired_hash(
    digest: str | None,
    known: bool,
    error: str,
    held: bool,
) -> None:
    """The hash is over the image that runs, however it is called and whatever else is said of it."""
    image = replace(IMAGE, digests=(f"app@{digest}",)) if known and digest else IMAGE
    target = Target("app:1", digest, same_as=IMAGE.id, error=error, held=(UNSIGNED,) if held else ())
    runs = current(aiming(Target("app:1")))
    assert step(aiming(target), observed(runs, images=(image,))).operations == ()


def test_the_same_image_gets_the_name_that_is_written() -> None:
    """By its id: the index that the registry has now was never pulled."""
    here = replace(PULLED, tags=())
    found = step(aiming(Target("app:1", OTHER, same_as=here.id)), observed(images=(here,)))
    assert [(item.kind, item.payload["image"]) for item in found.operations] == [("image.tag", here.id)]


@pytest.mark.parametrize("target", [Target("app:1", DIGEST, held=(UNSIGNED,)), Target("app:1", DIGEST, error="gone")])
def test_what_is_kept_takes_no_name_from_another_image(target: Target) -> None:
    """A newer image that is held back, or was tagged by hand, has it."""
    here = replace(PULLED, tags=())
    assert kinds(step(aiming(target), observed(images=(here, IMAGE)))) == ["container.create web/1"]


def test_what_is_kept_says_why_nothing_newer_is_known() -> None:
    """With the registry's own reason as the code, at the image."""
    target = Target("app:1", DIGEST, error="slow down", reason="RegistryRateLimited")
    found = step(aiming(target, service(sources={"image": "compose.yaml:3"})), observed(images=(PULLED,)))
    assert [(item.code, item.message, item.source) for item in found.notices] == [
        (
            "RegistryRateLimited",
            "web: nothing newer is taken, as no registry said what is newest: slow down",
            "compose.yaml:3",
        )
    ]


def test_what_is_kept_says_that_no_tag_is_admitted() -> None:
    """The registry answered: it has no tag that the range lets through."""
    target = Target("app:1", DIGEST, error="none of 3 tags is in ^2", reason=NO_TAG)
    (notice,) = step(aiming(target), observed(images=(PULLED,))).notices
    assert (notice.code, notice.message) == (NO_TAG, "web: nothing newer is taken: none of 3 tags is in ^2")


def test_an_unsigned_update_is_refused_and_what_runs_is_kept() -> None:
    """The service is not in sync until somebody has looked at it; a cooldown is nobody's trouble."""
    wanted = service(sources={"x-reconcile.image.verify": "compose.yaml:7"})
    cooling = Held(f"app:1@{OTHER}", "cooldown", "new", 2000.0)
    target = Target("app:1", DIGEST, same_as=IMAGE.id, held=(cooling, UNSIGNED))
    found = step(aiming(target, wanted), observed(current(aiming(target, wanted))))
    assert found.operations == ()
    assert [(item.reason, item.message, item.source) for item in found.conditions] == [
        ("SignatureMissing", "what runs is kept: app:1: nobody signed it", "compose.yaml:7")
    ]


def test_an_unsigned_image_is_never_the_first() -> None:
    """Said once, by its own reason; nothing is pulled or created, and what runs of another image is left alone."""
    target = Target("app:1", error="nobody signed it", reason="SignatureMissing", held=(UNSIGNED,), refused=True)
    wanted = aiming(target, service(sources={"x-reconcile.image.verify": "compose.yaml:7"}))
    for seen in (observed(), observed(container(labels={labels.IMAGE: "other:1"}))):
        found = step(wanted, seen)
        assert found.operations == ()
        assert [(item.reason, item.message) for item in found.conditions] == [("SignatureMissing", "nobody signed it")]


def test_an_update_is_explained_by_who_chose_it() -> None:
    """The pull and the replacement name the version before and after, and where it is said to follow."""
    of = service(image=Image("app:1", following=Following("semver")))
    target = Target("app:1.2", DIGEST, why="1.2 is the newest version", source="compose.yaml:9")
    runs = container(image=f"app:1.1@{OTHER}")
    (pull,) = step(aiming(target, of), observed(runs)).operations
    assert (pull.cause[0].source, pull.cause[0].reason) == ("compose.yaml:9", "1.2 is the newest version")
    here = replace(PULLED, tags=("app:1.2",))
    found = step(aiming(target, of), observed(runs, images=(IMAGE, here)))
    (cause,) = {item.cause[0] for item in found.operations if item.kind == "container.create"}
    assert (cause.field, cause.before, cause.after) == ("image", "app:1.1", "app:1.2")
    assert (cause.source, cause.reason) == ("compose.yaml:9", "1.2 is the newest version")


def test_a_followed_replica_is_labelled_with_what_was_written() -> None:
    """The label says what the spec says; the image that it was made of says the version."""
    of = service(image=Image("app:1", following=Following("semver")))
    here = replace(PULLED, tags=("app:1.2",))
    found = step(aiming(Target("app:1.2", DIGEST), of), observed(images=(here,)))
    body = found.operations[0].payload["body"]
    assert (body["Image"], body["Labels"][labels.IMAGE]) == (f"app:1.2@{DIGEST}", "app:1")
    assert body["Labels"][labels.DIGEST] == DIGEST


def test_what_ran_before_is_called_as_its_label_says() -> None:
    """Where memory is lost, an image that has but an id still has its name."""
    made = container(image=IMAGE.id, image_id=IMAGE.id, labels={labels.IMAGE: "app:0"})
    found = last_good(Memory(), service(), "bad", [made])
    assert found is not None
    assert (found.reference, found.service.image.reference, found.create_from) == ("app:0", "app:0", IMAGE.id)


def test_what_is_never_pulled_is_not_pulled_for_a_pin() -> None:
    """Nor for anything else that names a digest: the image has to be there."""
    pin = Pin("app:1", OTHER, 0.0, "digest")
    never = service(image=Image("app:1", "never", pin=pin))
    found = step(aiming(Target("app:1", OTHER), never), observed(container()))
    message = f"image app:1@{OTHER} is not on the engine and pull_policy is never"
    assert ([item.message for item in found.conditions], found.operations) == ([message], ())


def test_what_is_gone_back_to_keeps_its_name() -> None:
    """`name:tag@digest` is the image wherever its repository's digest is: the tag that was followed is read off it."""
    image = replace(IMAGE, tags=("app:2", "other:1"), digests=(f"app@{DIGEST}",))
    found = observed(images=(image,))
    for name in (f"app:2@{DIGEST}", f"app@{DIGEST}", "app:2"):
        assert bind_stable(stable(service(), create_from=name), found).create_from == name
    for name in (f"other:1@{DIGEST}", f"app:2@sha256:{'e' * 64}", "app:1", image.id):
        assert bind_stable(stable(service(), create_from=name), found).create_from == image.id


@pytest.mark.parametrize(("by", "written", "said"), [("cooldown", "app:2", True), ("signature", "app:2", False)])
def test_a_tag_in_the_spec_that_is_held_back_is_told(by: HeldBy, written: str, *, said: bool) -> None:
    """Whoever changed it would take what runs for what is written; of a signature the condition speaks."""
    held = (Held(f"app:3@{OTHER}", "cooldown", "new"), Held(f"{written}@{OTHER}", by, "not yet"))
    wanted = aiming(Target("app:1", IMAGE.id, held=held), service(image=Image(written, following=Following("digest"))))
    found = [item for item in step(wanted, observed()).notices if item.code == "ImageHeld"]
    message = "web: app:1 runs on, and app:2 as the spec says is held back: not yet"
    assert [item.message for item in found] == ([message] if said else [])


def test_a_newer_version_that_is_held_back_is_no_news() -> None:
    """Nor is another digest of the tag that runs: both are what cooldown and window are for."""
    for held in (Held(f"app:3@{OTHER}", "cooldown", "new"), Held(f"app:1@{OTHER}", "cooldown", "new")):
        wanted = aiming(Target("app:1", IMAGE.id, held=(held,)), service(image=Image("app:1")))
        assert "ImageHeld" not in [item.code for item in step(wanted, observed()).notices]
