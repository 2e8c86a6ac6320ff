"""What builds start from: local images as they are, others as their registry says, or as they were known before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reconciler.images.bases import with_bases
from reconciler.model.canonical import canonical_json
from reconciler.model.labels import BUILD_BASES, BUILD_CONTENT
from reconciler.model.observed import ImageState, RegistryAnswer
from reconciler.model.project import Build, Image, Project, Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.project import PullPolicy

ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
LOCAL = ImageState("sha256:" + "a" * 64, ("alpine:3",), (f"alpine@{ONE}", f"mirror/alpine@{TWO}"))
UNPUBLISHED = replace(LOCAL, digests=())
OUT = RegistryAnswer(error="timed out", reason="RegistryUnreachable")


class Asked(list[str]):
    """Registries that answer from a table, and what they were asked for."""

    def __init__(self, answers: Mapping[str, RegistryAnswer] | None = None) -> None:
        self._answers = answers or {}

    def __call__(self, references: tuple[str, ...]) -> Mapping[str, RegistryAnswer]:
        """One pass."""
        self += references
        return {reference: self._answers.get(reference, OUT) for reference in references}


def built(
    instructions: str,
    images: tuple[ImageState, ...] = (),
    ask: Asked | None = None,
    *,
    policy: PullPolicy = "missing",
    platform: str | None = None,
    replicas: int = 1,
    **fields: Any,
) -> Build:
    """The build of the only service, completed."""
    build = Build("/c", "/c/Dockerfile", content="content", instructions=instructions, tag="shop-web", **fields)
    service = Service("web", Image("", policy, build, platform), {}, replicas=replicas)
    project = with_bases(Project("shop", (service,)), images, "linux/amd64", ask if ask is not None else Asked())
    found = project.services[0].image.build
    assert found
    return found


def recorded(stands_for: str, **changes: Any) -> ImageState:
    """An image built from the same content when the base was that."""
    labels = {BUILD_CONTENT: "content", BUILD_BASES: canonical_json({"alpine:3": stands_for}).decode()}
    return ImageState("sha256:" + "b" * 64, ("shop-web:bk-1",), labels=labels | changes)


def test_a_project_without_builds_is_left_alone() -> None:
    """Nobody is asked."""
    project = Project("shop", (Service("web", Image("app:1"), {}),))
    assert with_bases(project, (), "linux/amd64", Asked()) is project


def test_nothing_external_needs_no_question() -> None:
    """The key is the hash of the content then."""
    ask = Asked()
    found = built("FROM scratch\n", (), ask)
    assert (found.key, found.tag, found.bases, found.trouble, ask) == ("content", "shop-web:bk-content", (), "", [])


def test_a_local_base_is_used_as_it_is() -> None:
    """By the digest that its own repository has for it, without asking a registry."""
    ask = Asked()
    found = built("FROM alpine:3\n", (LOCAL,), ask)
    assert found.bases == (("alpine:3", f"alpine:3@{ONE}"),)
    assert found.pins == ((5, 13, f"alpine:3@{ONE}"),)
    assert ask == []


def test_a_base_that_was_built_here_is_known_by_its_id() -> None:
    """No registry has it."""
    assert built("FROM alpine:3\n", (UNPUBLISHED,)).bases == (("alpine:3", LOCAL.id),)


def test_another_base_is_another_key() -> None:
    """The same Dockerfile, the tag moved."""
    moved = replace(LOCAL, digests=(f"alpine@{TWO}",))
    first, second = built("FROM alpine:3\n", (LOCAL,)), built("FROM alpine:3\n", (moved,))
    assert len({first.key, second.key, first.tag, second.tag}) == 4


def test_a_base_that_is_not_local_is_looked_up() -> None:
    """Each once for all builds."""
    ask = Asked({"alpine:3": RegistryAnswer(TWO)})
    found = built("FROM alpine:3 AS a\nFROM alpine:3\nCOPY --from=a x y\n", (), ask)
    assert found.bases == (("alpine:3", f"alpine:3@{TWO}"),)
    assert ask == ["alpine:3"]
    assert [place[:2] for place in found.pins] == [(5, 13), (24, 32)]


def test_a_base_that_nobody_can_look_up_leaves_no_key() -> None:
    """With the reason; a service that is not to run asks nobody."""
    found = built("FROM alpine:3\n")
    assert (found.key, found.tag, found.reason) == ("", "shop-web", "RegistryUnreachable")
    assert found.trouble == "the base image alpine:3 is not on the engine and cannot be looked up: timed out"
    ask = Asked()
    found = built("FROM alpine:3\n", (), ask, replicas=0)
    assert found.trouble == "the base image alpine:3 is not on the engine, and its registry was not asked"
    assert ask == []


def test_what_was_looked_up_for_this_content_before_stays() -> None:
    """The image that was built says so: no registry is asked again, though the base is not local."""
    ask = Asked()
    found = built("FROM alpine:3\n", (recorded(f"alpine:3@{TWO}"),), ask)
    assert found.bases == (("alpine:3", f"alpine:3@{TWO}"),)
    assert ask == []


def test_a_local_base_with_several_digests_stays_the_one_it_was() -> None:
    """One image may have digests of several indexes: which of them is named is no reason to build."""
    several = replace(LOCAL, digests=(f"alpine@{ONE}", f"alpine@{TWO}"))
    assert built("FROM alpine:3\n", (several,)).bases == (("alpine:3", f"alpine:3@{ONE}"),)
    again = built("FROM alpine:3\n", (recorded(f"alpine:3@{TWO}"), several))
    assert again.bases == (("alpine:3", f"alpine:3@{TWO}"),)


def test_another_local_base_counts_more_than_what_was() -> None:
    """Somebody has pulled it: the next build starts from it."""
    found = built("FROM alpine:3\n", (recorded(f"alpine:3@{TWO}"), LOCAL))
    assert found.bases == (("alpine:3", f"alpine:3@{ONE}"),)


def test_a_label_that_says_nothing_is_none() -> None:
    """Anybody can write labels."""
    for text in ("{", "[]", '{"alpine:3": 1}'):
        assert built("FROM alpine:3\n", (recorded("", **{BUILD_BASES: text}),)).key == ""
    unlabelled = ImageState("x", labels={BUILD_CONTENT: "content"})
    assert built("FROM alpine:3\n", (unlabelled, recorded(f"alpine:3@{TWO}"))).key


def test_the_registry_is_asked_where_it_is_to_be() -> None:
    """Under `build.pull` and `pull_policy: always`, though the base is local; out of reach, the local one is used."""
    answers = {"alpine:3": RegistryAnswer(TWO)}
    assert built("FROM alpine:3\n", (LOCAL,), Asked(answers), pull=True).bases == (("alpine:3", f"alpine:3@{TWO}"),)
    found = built("FROM alpine:3\n", (LOCAL,), Asked(answers), policy="always")
    assert found.bases == (("alpine:3", f"alpine:3@{TWO}"),)
    found = built("FROM alpine:3\n", (LOCAL,), pull=True)
    assert found.bases == (("alpine:3", f"alpine:3@{ONE}"),)
    assert found.trouble == f"alpine:3@{ONE} is used for alpine:3, as no registry said what is newest: timed out"
    assert found.reason == "RegistryUnreachable"


def test_a_digest_in_the_dockerfile_is_one_already() -> None:
    """It is part of the Dockerfile's bytes."""
    found = built(f"# syntax=s@{ONE}\nFROM alpine@{ONE}\n")
    assert (found.bases, found.pins, found.key) == ((), (), "content")


def test_a_word_that_stands_for_nothing_known_is_told() -> None:
    """It stays in the key as it is written."""
    found = built("FROM $NONE\n")
    assert (found.key, found.trouble) == (
        "content",
        "the image $NONE of the Dockerfile is not known before it is built",
    )


def test_an_additional_context_stands_for_an_image() -> None:
    """A folder hides the image of its name; an image is looked up under its own name."""
    folder = (("alpine", "/folder"),)
    assert built("FROM alpine\nCOPY --from=alpine:latest x y\n", contexts=folder).bases == ()
    image = (("docker.io/library/base:1", "docker-image://alpine:3"), ("other", f"docker-image://x@{ONE}"))
    found = built("FROM base:1\nCOPY --from=other x y\n", (LOCAL,), contexts=image)
    assert found.bases == (("alpine:3", f"alpine:3@{ONE}"),)
    assert found.pins == ()


def test_the_frontend_is_looked_up_but_not_needed() -> None:
    """What is built is the same mostly: out of reach, its name counts."""
    text = "# syntax=docker/dockerfile:1\nFROM scratch\n"
    found = built(text, (), Asked({"docker/dockerfile:1": RegistryAnswer(ONE)}))
    assert found.bases == (("docker/dockerfile:1", f"docker/dockerfile:1@{ONE}"),)
    assert found.pins == ((9, 28, f"docker/dockerfile:1@{ONE}"),)
    found = built(text)
    assert found.bases == (("docker/dockerfile:1", "docker/dockerfile:1"),)
    assert (found.pins, found.reason) == ((), "RegistryUnreachable")


def test_platforms_are_those_of_the_service_and_the_build() -> None:
    """Where one place names an image for each of several platforms, none can be written there."""
    text = "FROM base-$TARGETARCH\n"
    ask = Asked({"base-arm64": RegistryAnswer(ONE), "base-amd64": RegistryAnswer(TWO)})
    assert built(text, (), ask, platform="linux/arm64").bases == (("base-arm64", f"base-arm64:latest@{ONE}"),)
    assert built(text, (), ask).bases == (("base-amd64", f"base-amd64:latest@{TWO}"),)
    both = built(text, (), ask, platforms=("linux/amd64", "linux/arm64"))
    assert both.bases == ()
    assert "base-amd64 of the Dockerfile" in both.trouble
    assert "base-arm64 of the Dockerfile" in both.trouble


def test_a_digest_or_tag_of_a_context_name_counts() -> None:
    """Contexts are compared by repository and tag; one pinned by its digest is itself."""
    contexts = ((f"alpine@{ONE}", "/folder"),)
    assert built(f"FROM alpine@{ONE}\n", contexts=contexts).bases == ()
