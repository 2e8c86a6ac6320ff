"""Which images go: each rule by its own case, and what never goes whatever else holds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.images.collection import MINIMUM_AGE, Facts, Past, Verdict, decide, wanted_names
from reconciler.model import labels
from reconciler.model.ledger import Deployed
from reconciler.model.memory import Stable
from reconciler.model.observed import ImageState, ImageUser
from reconciler.model.project import Build, Image, Pin, Project, Service

DAY = 24 * 3600.0
NOW = 100 * DAY


def number(of: int) -> str:
    return f"sha256:{of:064x}"


def image(of: int = 1, **changes: Any) -> ImageState:
    """An image of our repository `app`, by digest only, as it is once its tag has moved on."""
    plain = ImageState(number(of), (), (f"app@{number(of + 1000)}",), size=100, layers=(f"layer-{of}",))
    return replace(plain, **changes)


def entry(**changes: Any) -> Deployed:
    """Deployed long ago, and unused for two days."""
    return replace(Deployed(("web",), (), ("app",), NOW - 50 * DAY, NOW - 2 * DAY), **changes)


def stable(of: ImageState, revision: int, service: str = "web") -> Stable:
    return Stable(Service(service, Image("app:1"), {}), f"hash-{revision}", of.id, "app:1", "", "app:1", revision)


def past(*images: ImageState, **changes: Any) -> Past:
    return replace(Past("shop", {one.id: entry() for one in images}), **changes)


def facts(*images: ImageState, **changes: Any) -> Facts:
    """These images, all of them deployed by us, and nothing else."""
    return replace(Facts(images, (), (past(*images),), {}, NOW), **changes)


def only(found: Facts) -> Verdict:
    (verdict,) = decide(found)
    return verdict


def test_a_superseded_image_goes() -> None:
    """It was deployed here, is unused for a day, and nothing speaks for it."""
    verdict = only(facts(image()))
    assert (verdict.goes, verdict.reason, verdict.size) == (True, "superseded", 100)
    assert verdict.deployed == (("shop", entry()),)
    assert verdict.last_used == NOW - 2 * DAY


def test_an_image_that_no_ledger_knows_is_no_question() -> None:
    """Of the same repository, unused, and still somebody else's."""
    assert decide(facts(image(), pasts=(past(),))) == ()


@pytest.mark.parametrize("status", ["running", "exited", "created", "paused", "dead"])
@pytest.mark.parametrize("known_by", [number(1), f"app@{number(1001)}", number(1001)])
def test_an_image_that_any_container_uses_stays(status: str, known_by: str) -> None:
    """In any state, whoever made it, known by image id, by reference or by digest."""
    user = ImageUser("theirs", status, frozenset({known_by, "other:1"}))
    verdict = only(facts(image(), users=(user,)))
    assert (verdict.goes, verdict.reason) == (False, f"container theirs uses it ({status})")


def test_a_container_of_another_image_keeps_nothing() -> None:
    """Only what it uses."""
    assert only(facts(image(), users=(ImageUser("theirs", "running", frozenset({number(2)})),))).goes


@pytest.mark.parametrize(
    ("value", "goes"), [("true", False), ("", False), ("no", False), ("false", True), ("False", True)]
)
def test_a_label_keeps_an_image(value: str, goes: bool) -> None:
    """Any value but false."""
    assert only(facts(image(labels={labels.KEEP: value}))).goes is goes


def test_the_last_two_stable_definitions_stay() -> None:
    """The current one and the one before, of each service; older ones go."""
    images = tuple(image(of) for of in range(1, 5))
    ours = past(*images, revisions=(tuple(stable(one, of) for of, one in enumerate(images, 1)),))
    found = {verdict.image.id: verdict for verdict in decide(facts(*images, pasts=(ours,)))}
    assert [found[one.id].goes for one in images] == [True, True, False, False]
    assert found[images[3].id].reason == "web (shop) can go back to it"


def test_what_a_service_last_came_up_with_stays() -> None:
    """After a rollback that is not its newest revision."""
    images = tuple(image(of) for of in range(1, 5))
    revisions = (tuple(stable(one, of) for of, one in enumerate(images, 1)),)
    ours = past(*images, current=(stable(images[0], 1),), revisions=revisions)
    found = {verdict.image.id: verdict for verdict in decide(facts(*images, pasts=(ours,)))}
    assert [found[one.id].goes for one in images] == [False, True, False, False]
    assert found[images[0].id].reason == "web (shop) last came up with it"


def test_another_projects_way_back_counts_too() -> None:
    """Though it is not in that project's ledger."""
    other = Past("blog", {}, revisions=((stable(image(), 1),),))
    assert only(facts(image(), pasts=(past(image()), other))).reason == "web (blog) can go back to it"


@pytest.mark.parametrize(
    "wanted",
    [
        "app:1.4",
        f"app@{number(1001)}",
        f"app:1.4@{number(1001)}",
        number(1),
        number(1)[:20],
        "docker.io/library/app:1.4",
    ],
)
def test_what_a_spec_wants_stays(wanted: str) -> None:
    """By tag, digest or id, however it is written."""
    tagged = image(tags=("app:1.4",))
    ours = past(tagged, ledger={tagged.id: entry(names=("app:1.4",))})
    project = Project("shop", (Service("web", Image(wanted), {}),))
    verdict = only(facts(tagged, pasts=(ours,), wanted=wanted_names((project,), "linux/amd64")))
    assert (verdict.goes, verdict.reason) == (False, "the spec of web (shop) wants it")
    other = Project("shop", (Service("web", Image("app:1.5"), {}),))
    assert only(facts(tagged, pasts=(ours,), wanted=wanted_names((other,), "linux/amd64"))).goes


def test_what_a_spec_builds_stays() -> None:
    """By its build tag, and by each of `build.tags`."""
    build = Build("/x", "/x/Dockerfile", tag="shop-web:bk-0123", tags=("shop/web:dev",))
    wanted = wanted_names((Project("shop", (Service("web", Image("", build=build), {}),)),), "linux/amd64")
    for name in ("shop-web:bk-0123", "shop/web:dev"):
        built = image(tags=(name,), digests=())
        ours = past(built, ledger={built.id: entry(names=(name,))})
        assert not only(facts(built, pasts=(ours,), wanted=wanted)).goes
        assert only(facts(built, pasts=(ours,))).goes


def test_what_was_built_of_a_content_that_a_spec_has_stays() -> None:
    """Under whatever tag: which key the content has now depends on what it starts from, which nobody is asked."""
    build = Build("/x", "/x/Dockerfile", tag="shop-web", content="c" * 64)
    wanted = wanted_names((Project("shop", (Service("web", Image("", build=build), {}),)),), "linux/amd64")
    assert not only(facts(image(labels={labels.BUILD_CONTENT: "c" * 64}), wanted=wanted)).goes
    assert only(facts(image(labels={labels.BUILD_CONTENT: "d" * 64}), wanted=wanted)).goes
    assert only(facts(image(), wanted=wanted)).goes


def test_what_a_build_of_a_spec_uses_stays() -> None:
    """Wherever the Dockerfile names it, or an additional context does; what other stages use is not needed."""
    instructions = (
        "FROM app:1 AS unused\nFROM app:2 AS tools\nFROM app:3\nCOPY --from=tools /a /\nCOPY --from=app:4 /b /\n"
    )
    build = Build("/x", "/x/Dockerfile", instructions=instructions, contexts=(("more", "docker-image://app:5"),))
    wanted = wanted_names((Project("shop", (Service("web", Image("", build=build), {}),)),), "linux/amd64")
    versions = [image(of, tags=(f"app:{of}",), layers=(str(of),)) for of in (1, 2, 3, 4, 5)]
    ours = past(*versions, ledger={one.id: entry(names=one.tags) for one in versions})
    verdicts = decide(facts(*versions, pasts=(ours,), wanted=wanted))
    assert [verdict.image.tags for verdict in verdicts if verdict.goes] == [("app:1",)]


def test_what_the_lock_pins_stays() -> None:
    """Whatever digest the tag has by now."""
    pin = Pin("app:1", number(1001), 1.0, "digest")
    wanted = wanted_names((Project("shop", (Service("web", Image("app:1", pin=pin), {}),)),), "linux/amd64")
    assert only(facts(image(), wanted=wanted)).reason == "the spec of web (shop) wants it"
    assert only(facts(image(2), wanted=wanted)).goes


@pytest.mark.parametrize("name", ["mine:1", "app:by-hand", f"mirror/app@{number(7)}"])
def test_a_name_that_somebody_else_gave_keeps_the_image_whole(name: str) -> None:
    """A tag that we did not make, in whatever repository, or a digest of a repository that we never deployed."""
    named = image(tags=(name,)) if "@" not in name else image(digests=(*image().digests, name))
    verdict = only(facts(named))
    assert (verdict.goes, verdict.reason) == (False, f"somebody else named it {name}")


def test_names_that_we_gave_go_tags_first() -> None:
    """What was tagged or built; the tag of a build is ours by the key in its label, also where nothing recorded it."""
    key = "0123456789abcdef" * 4
    named = image(tags=("shop-web:bk-0123456789abcdef", "app:1"), labels={labels.BUILD_KEY: key})
    verdict = only(facts(named, pasts=(past(named, ledger={named.id: entry(names=("app:1",))}),)))
    assert verdict.goes
    assert verdict.names == ("shop-web:bk-0123456789abcdef", "app:1", f"app@{number(1001)}")


def test_a_build_tag_is_ours_only_with_its_key() -> None:
    """Anybody may write such a tag, on an image of another key or of none."""
    for found, name in (
        ({}, "bk-0123456789abcdef"),
        ({}, "bk-"),
        ({labels.BUILD_KEY: "f" * 64}, "bk-0123456789abcdef"),
    ):
        assert not only(facts(image(tags=(f"shop-web:{name}",), labels=found))).goes


def test_a_digest_among_the_tags_is_a_digest() -> None:
    """As containerd stores list what was pulled by digest."""
    name = image().digests[0]
    verdict = only(facts(image(tags=(name,))))
    assert verdict.goes
    assert verdict.names == (name,)


def test_an_image_without_a_name_is_removed_by_its_id() -> None:
    """A build whose tag has moved on."""
    assert only(facts(image(digests=()))).names == (number(1),)


@pytest.mark.parametrize(("hours", "goes"), [(0, False), (23.9, False), (24, True), (-5, False)])
def test_an_image_is_kept_for_a_day_after_its_last_use(hours: float, goes: bool) -> None:
    """By our own ledger and the engine's clock; a clock that went back makes nothing old."""
    ours = past(image(), ledger={number(1): entry(last_used=NOW - hours * 3600)})
    verdict = only(facts(image(), pasts=(ours,)))
    assert verdict.goes is goes
    assert goes or verdict.reason == f"unused for {max(0, int(hours))} h; goes after 24 h"


def test_what_was_in_use_until_now_is_young() -> None:
    """Its age begins with the first look that shows it unused."""
    ours = past(image(), ledger={number(1): entry(last_used=None)})
    verdict = only(facts(image(), pasts=(ours,)))
    assert (verdict.goes, verdict.last_used) == (False, None)


def test_the_youngest_entry_of_several_projects_counts() -> None:
    """One of them used it an hour ago."""
    other = Past("blog", {number(1): entry(last_used=NOW - 3600)})
    verdict = only(facts(image(), pasts=(past(image()), other)))
    assert (verdict.goes, verdict.last_used) == (False, NOW - 3600)


def test_of_a_closed_project_nothing_goes() -> None:
    """Also where another project deployed the same image."""
    other = Past("blog", {number(1): entry()}, closed="project blog is being converged")
    assert only(facts(image(), pasts=(past(image()), other))).reason == "project blog is being converged"


def test_what_a_kept_image_was_built_on_stays() -> None:
    """Whoever made that one: its layers are a prefix, or the same."""
    base = image(1, layers=("a", "b"))
    for layers in (("a", "b", "c"), ("a", "b")):
        above = image(2, tags=("theirs:1",), layers=layers)
        verdict = only(facts(base, above, pasts=(past(base),)))
        assert (verdict.goes, verdict.reason) == (False, "all its layers are part of theirs:1")
    nameless = image(2, digests=(), layers=("a", "b", "c"))
    assert only(facts(base, nameless, pasts=(past(base),))).reason == f"all its layers are part of {number(2)}"


def built_with(*stand_for: str) -> dict[str, str]:
    """The label that tells what an image was built with."""
    return {labels.BUILD_BASES: json.dumps({f"base-{place}": found for place, found in enumerate(stand_for)})}


@pytest.mark.parametrize("known_by", [number(1), f"app:1@{number(1001)}"])
def test_what_a_kept_image_copied_from_stays(known_by: str) -> None:
    """No layer of it need be there: the label says what it was built with."""
    above = image(2, tags=("theirs:1",), labels=built_with(known_by))
    verdict = only(facts(image(1), above, pasts=(past(image(1)),)))
    assert (verdict.goes, verdict.reason) == (False, "theirs:1 was built with it")
    other = replace(above, labels=built_with(number(3), f"app:1@{number(1003)}"))
    assert only(facts(image(1), other, pasts=(past(image(1)),))).goes


def test_what_a_base_that_stays_was_built_with_stays() -> None:
    """And so on, whatever the order; when the last one goes, all go."""
    first, second = image(1), image(2, labels=built_with(number(1)))
    last = image(3, labels=built_with(number(2)))
    for images in ((first, second, last), (last, second, first)):
        assert not any(verdict.goes for verdict in decide(facts(*images, pasts=(past(first, second),))))
        assert all(verdict.goes for verdict in decide(facts(*images)))


@pytest.mark.parametrize("layers", [("a",), ("a", "x", "c"), ("b", "a", "c"), ()])
def test_shared_layers_alone_keep_nothing(layers: tuple[str, ...]) -> None:
    """Only an image all of whose layers are another's is what that one was built on."""
    assert only(facts(image(1, layers=("a", "b")), image(2, layers=layers), pasts=(past(image(1)),))).goes


def test_an_image_whose_layers_are_not_known_is_no_base() -> None:
    """No layer is part of everything."""
    assert only(facts(image(1, layers=()), image(2), pasts=(past(image(1)),))).goes


def test_a_base_goes_with_the_last_image_above_it_and_after_it() -> None:
    """And what they share is counted once."""
    base, above = image(1, layers=("a",), size=70), image(2, layers=("a", "b"), size=100)
    verdicts = decide(facts(base, above))
    assert [(verdict.image.id, verdict.goes, verdict.size) for verdict in verdicts] == [
        (above.id, True, 30),
        (base.id, True, 70),
    ]


def test_a_base_that_is_said_to_be_larger_leaves_nothing() -> None:
    """Where an image store counts the two in different ways."""
    base, above = image(1, layers=("a",), size=120), image(2, layers=("a", "b"), size=100)
    assert [verdict.size for verdict in decide(facts(base, above, pasts=(past(above),)))] == [0]


def test_what_stays_gives_nothing_back() -> None:
    """A base that is kept is not counted with what was built on it."""
    base, above = image(1, layers=("a",), size=70), image(2, layers=("a", "b"), size=100)
    verdicts = decide(facts(base, above, pasts=(past(above),)))
    assert [(verdict.image.id, verdict.size) for verdict in verdicts] == [(above.id, 30)]


def images() -> st.SearchStrategy[ImageState]:
    """Images that share ids, names, labels and layers in every way."""
    return st.builds(
        ImageState,
        id=st.integers(0, 5).map(number),
        tags=st.lists(st.sampled_from(["app:1", "app:2", "mine:1"]), max_size=2, unique=True).map(tuple),
        digests=st.lists(st.sampled_from([f"app@{number(9)}", f"mirror@{number(9)}"]), max_size=1).map(tuple),
        labels=st.sampled_from([{}, {}, {labels.KEEP: "1"}]),
        size=st.integers(0, 9),
        layers=st.lists(st.sampled_from("ab"), max_size=3).map(tuple),
    )


def pasts() -> st.SearchStrategy[Past]:
    entries = st.builds(
        Deployed,
        names=st.sampled_from([(), ("app:1",), ("app:1", "app:2")]),
        repositories=st.sampled_from([(), ("app",)]),
        last_used=st.sampled_from([None, NOW, NOW - DAY, NOW - 2 * DAY]),
    )
    revisions = st.lists(st.integers(0, 5).map(lambda of: stable(image(of), 1)), max_size=4).map(tuple)
    return st.builds(
        Past,
        project=st.sampled_from(["shop", "blog"]),
        ledger=st.dictionaries(st.integers(0, 5).map(number), entries, max_size=5),
        revisions=st.tuples(revisions),
        closed=st.sampled_from(["", "", "", "closed"]),
    )


def everything() -> st.SearchStrategy[Facts]:
    users = st.builds(
        ImageUser, st.just("c"), st.just("exited"), st.frozensets(st.integers(0, 9).map(number), max_size=2)
    )
    return st.builds(
        Facts,
        images=st.lists(images(), max_size=6, unique_by=lambda one: one.id).map(tuple),
        users=st.lists(users, max_size=2).map(tuple),
        pasts=st.lists(pasts(), max_size=2).map(tuple),
        wanted=st.sampled_from([{}, {"app:2": "the spec"}]),
        now=st.just(NOW),
    )


@given(everything())
def test_nothing_that_is_needed_ever_goes(found: Facts) -> None:
    """Not used, kept, foreign, wanted, young, to go back to or built upon: said here in other words than the rules."""
    verdicts = decide(found)
    going = {verdict.image.id for verdict in verdicts if verdict.goes}
    for one in (verdict.image for verdict in verdicts if verdict.goes):
        entries = [ours.ledger[one.id] for ours in found.pasts if one.id in ours.ledger]
        assert entries
        assert not any(one.id in user.images for user in found.users)
        assert labels.KEEP not in one.labels
        assert not set(one.names) & found.wanted.keys()
        assert not {"mine:1", f"mirror@{number(9)}"} & set(one.names)
        assert all(e.last_used is not None and NOW - e.last_used >= MINIMUM_AGE for e in entries)
        assert not any(ours.closed and one.id in ours.ledger for ours in found.pasts)
        ways_back = [item.image_id for ours in found.pasts for service in ours.revisions for item in service[-2:]]
        assert one.id not in ways_back
        stays = [other for other in found.images if other.id not in going]
        assert not any(one.layers and other.layers[: len(one.layers)] == one.layers for other in stays)


@given(everything())
def test_a_lost_ledger_removes_nothing_for_a_day(found: Facts) -> None:
    """Whatever a new ledger enters, by what it sees, has an age that begins then."""
    begun_anew = tuple(
        replace(ours, ledger={one.id: Deployed(("web",), one.names, ("app",), NOW, NOW) for one in found.images})
        for ours in found.pasts
    )
    for later in (0.0, MINIMUM_AGE - 1):
        assert not any(verdict.goes for verdict in decide(replace(found, pasts=begun_anew, now=NOW + later)))
    assert decide(replace(found, pasts=())) == ()


@given(everything())
def test_an_image_has_one_verdict_and_sizes_never_exceed_the_images(found: Facts) -> None:
    """Those that go stand first."""
    verdicts = decide(found)
    assert len({verdict.image.id for verdict in verdicts}) == len(verdicts)
    assert [verdict.goes for verdict in verdicts] == sorted((verdict.goes for verdict in verdicts), reverse=True)
    assert all(0 <= verdict.size <= verdict.image.size for verdict in verdicts)
