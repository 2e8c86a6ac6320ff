"""Which image a service is to run, given what registries said: pure decisions on hand-made states."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.following.choice import candidates
from reconciler.images.resolution import (
    FORGOTTEN_AFTER,
    Moment,
    Option,
    Running,
    admitted,
    compared_key,
    is_asked,
    is_running,
    local_option,
    options,
    pinned,
    policy_words,
    running_image,
    target_kept,
    target_of,
    with_comparison,
    with_sightings,
)
from reconciler.model import labels
from reconciler.model.desired import Held, Target
from reconciler.model.memory import Memory, Sighting
from reconciler.model.observed import ImageState, RegistryAnswer
from reconciler.model.project import Build, Following, Image, Pin
from tests.support.planning import IMAGE, NOW, container, observed, service

if TYPE_CHECKING:
    from reconciler.model.project import PullPolicy, Service

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
ANSWER = RegistryAnswer(error="timeout", reason="RegistryUnreachable")
DAY = 86_400.0
WHEN = Moment(NOW, UTC)
RUNS = Running("app:1", A, IMAGE.id)
CLOSED = "30 3 * * *"  # Unix time 1000 is 00:16:40
DIGEST = Following("digest")
SEMVER = Following("semver")
PIN = Pin("app:1", B, 5.0, "digest", "reconcile.lock:6")


def following(how: Following = DIGEST, **image: Any) -> Service:
    return service(image=Image("app:1", **{"following": how, **image}))


def seen(**digests: str) -> Memory:
    """A memory in which registries had that under `app:<name>` since 900, and were asked then."""
    return Memory(sightings={f"app:{name}": Sighting(digest, 900.0, 900.0) for name, digest in digests.items()})


def asked(wanted: Service, memory: Memory | None = None, running: Running | None = None, **changes: Any) -> bool:
    return is_asked(wanted, running, observed(**changes), memory or Memory(), WHEN)


@pytest.mark.parametrize("policy", ["never", "build"])
def test_who_may_not_be_asked_is_not(policy: PullPolicy) -> None:
    """`never` and `build` ask no registry, not even for what is missing."""
    assert not asked(service(image=Image("app:1", policy)))
    assert not asked(service(image=Image("none:1", policy)))


def test_what_is_built_pinned_or_scaled_to_nothing_is_not_asked_for() -> None:
    """A pin says it, a build makes it, and for no replica it does not matter."""
    assert not asked(service(image=Image("none:1", "always", Build("/src", "/src/Dockerfile"))))
    assert not asked(service(image=Image("none:1", "always", pin=PIN)))
    assert not asked(service(image=Image("none:1", "always"), replicas=0))


@pytest.mark.parametrize(("reference", "expected"), [(f"app@{B}", False), (f"app:9@{B}", False), (f"app@{A}", True)])
def test_a_written_digest_is_asked_for_only_where_it_is_missing(reference: str, *, expected: bool) -> None:
    """It cannot become another one, whatever the policy."""
    image = replace(IMAGE, digests=(f"app@{B}",))
    assert asked(service(image=Image(reference, "always")), images=(image,)) is expected


def test_a_registry_is_asked_for_what_is_missing_or_always_or_followed() -> None:
    """`missing` takes what is local."""
    assert asked(service(image=Image("none:1")))
    assert not asked(service())
    assert asked(service(image=Image("app:1", "always")))
    assert asked(following())


@pytest.mark.parametrize(
    ("asked_at", "digest", "expected"),
    [(NOW - DAY, A, True), (NOW - DAY + 1, A, False), (NOW - DAY + 1, B, True)],
    ids=["over", "not over", "not over, but the pull failed"],
)
def test_a_timed_policy_asks_when_it_is_due(asked_at: float, digest: str, *, expected: bool) -> None:
    """After its interval, at first, and where what was said last never arrived."""
    wanted = service(image=Image("app:1", "timed", interval=DAY))
    here = replace(IMAGE, digests=(f"app@{A}",))
    memory = Memory(sightings={"app:1": Sighting(digest, 1.0, asked_at), "other:1": Sighting(B, NOW, NOW)})
    assert asked(wanted, memory, images=(here,)) is expected
    assert asked(wanted, images=(here,))


def test_what_is_the_same_here_has_arrived() -> None:
    """Another index with the same content is not pulled, and is not missed."""
    wanted = service(image=Image("app:1", "timed", interval=DAY))
    same = compared_key("app", B, IMAGE.id)
    assert asked(wanted, replace(seen(**{"1": B}), compared={same: False}))
    assert not asked(wanted, replace(seen(**{"1": B}), compared={same: True}))


def test_what_is_held_back_is_not_missed() -> None:
    """A cooldown of a week under `daily` costs one question a day."""
    wanted = following(replace(DIGEST, cooldown=7 * DAY), pull_policy="timed", interval=DAY)
    assert not asked(wanted, seen(**{"1": B}), RUNS)
    assert asked(following(pull_policy="timed", interval=DAY), seen(**{"1": B}), RUNS)


def test_timed_versions_are_asked_for_once_an_interval() -> None:
    """Also where the tag that is written was never pulled, because a newer one runs; and at once where none runs."""
    wanted = following(SEMVER, pull_policy="timed", interval=DAY)
    running = replace(RUNS, reference="app:1.3")
    assert not asked(wanted, seen(**{"1.3": A}), running, images=())
    assert asked(wanted, Memory(), running, images=())
    assert asked(wanted, seen(**{"1.3": A}))
    written = replace(IMAGE, tags=("app:1",))
    assert asked(wanted, seen(**{"1.3": A}), None, images=(written,))


def test_what_runs_is_the_newest_of_the_written_repository() -> None:
    """One that runs before one that is stopped; its tag is that of the reference that it was made of."""
    pulled = {labels.DIGEST: A}
    old = container(image="app:1", created_at=9.0, status="exited", labels=pulled)
    new = container(image=f"app:1.2@{A}", created_at=5.0, image_id="sha256:2", labels=pulled)
    assert running_image(following(SEMVER), observed(old, new)) == Running("app:1.2", A, "sha256:2")
    other = container("api", image="app:7")
    assert running_image(service(), observed(other)) is None


def test_what_runs_from_another_repository_is_no_version_of_this_one() -> None:
    """Whoever writes another repository starts anew."""
    assert running_image(service(image=Image("other:1")), observed(container())) is None


def test_a_container_made_of_an_id_runs_what_its_label_says() -> None:
    """And what the spec says by now is another matter."""
    made = container(image=IMAGE.id, labels={labels.IMAGE: "app:1"})
    assert running_image(service(image=Image("app:2")), observed(made)) == Running("app:1", IMAGE.id, IMAGE.id)


def test_a_digest_is_known_since_it_was_first_seen() -> None:
    """And anew after another one was there: A, B, A again is new."""
    memory = with_sightings(Memory(), {"app:1": RegistryAnswer(A)}, 10.0)
    memory = with_sightings(memory, {"app:1": RegistryAnswer(A)}, 20.0)
    assert memory.sightings == {"app:1": Sighting(A, 10.0, 20.0)}
    memory = with_sightings(memory, {"app:1": RegistryAnswer(B)}, 30.0)
    memory = with_sightings(memory, {"app:1": RegistryAnswer(A)}, 40.0)
    assert memory.sightings == {"app:1": Sighting(A, 40.0, 40.0)}


def test_a_registry_that_said_nothing_changes_no_memory() -> None:
    """A time-out does not begin a cooldown anew; what nobody asks for is forgotten after a long time."""
    memory = seen(**{"1": A})
    assert with_sightings(memory, {"app:1": ANSWER}, NOW) is memory
    assert with_sightings(memory, {}, 900.0 + FORGOTTEN_AFTER) == Memory()


def test_a_comparison_is_remembered_as_long_as_its_image_is_there() -> None:
    """Ids come back no more."""
    memory = Memory(compared={"app@a gone": True, f"app@a {IMAGE.id}": False})
    found = with_comparison(memory, f"app@b {IMAGE.id}", observed(), same=True)
    assert found.compared == {f"app@a {IMAGE.id}": False, f"app@b {IMAGE.id}": True}


def test_options_are_what_registries_had_in_the_order_asked_for() -> None:
    """What they do not have is no option."""
    found = options(("app:2", "app:9", "app:1"), seen(**{"1": A, "2": B}))
    assert found == (Option("app:2", B, 900.0), Option("app:1", A, 900.0))
    assert found[0].pinned == f"app:2@{B}"
    assert pinned(Image("app:1", pin=PIN)) == (Option("app:1", B, 5.0),)
    assert pinned(Image("app:1")) == ()


def test_an_option_runs_under_its_digest_or_as_the_same_image() -> None:
    """Whatever index it came under."""
    option = Option("app:1", B, 0.0)
    pulled = replace(IMAGE, digests=(f"app@{B}",))
    assert not is_running(option, None, (pulled,))
    assert is_running(option, RUNS, (pulled,))
    assert not is_running(option, RUNS, (IMAGE,))
    assert is_running(replace(option, same_as=IMAGE.id), RUNS, (IMAGE,))
    assert is_running(option, replace(RUNS, digest=B), ())


def test_a_new_digest_waits_for_its_cooldown() -> None:
    """It counts from our first sight; what runs goes on meanwhile."""
    wanted = following(replace(DIGEST, cooldown=100.0))
    taken, held = admitted(wanted, (Option("app:1", B, NOW - 99),), RUNS, (), WHEN)
    assert taken == ()
    message = "new: its cooldown ends 1970-01-01 00:16 UTC"
    assert held == (Held(f"app:1@{B}", "cooldown", message, NOW + 1),)
    assert admitted(wanted, (Option("app:1", B, NOW - 100),), RUNS, (), WHEN)[1] == ()


def test_a_new_digest_waits_for_its_window() -> None:
    """The minute at which it opens is told."""
    wanted = following(replace(DIGEST, window=CLOSED))
    _, held = admitted(wanted, (Option("app:1", B, 0.0),), RUNS, (), WHEN)
    message = "the window opens 1970-01-01 03:30 UTC"
    assert held == (Held(f"app:1@{B}", "window", message, 3.5 * 3600),)
    assert admitted(wanted, (Option("app:1", B, 0.0),), RUNS, (), Moment(3.5 * 3600, UTC))[1] == ()


def test_something_has_to_be_the_first() -> None:
    """Where nothing runs no window holds back, and the cooldown of newer versions not the last option."""
    rules = replace(SEMVER, cooldown=100.0, window=CLOSED)
    found = (Option("app:1.2", B, NOW), Option("app:1", A, NOW))
    taken, held = admitted(following(rules), found, None, (), WHEN)
    assert taken == (found[1],)
    assert [item.by for item in held] == ["cooldown"]
    assert admitted(following(rules), (Option("app:1.2", B, 0.0), found[1]), None, (), WHEN)[1] == ()


def test_nothing_holds_back_what_runs_nor_what_is_pinned() -> None:
    """What runs ends the list: nothing behind it is ever taken."""
    rules = replace(SEMVER, cooldown=100.0)
    runs, older = Option("app:1", A, NOW), Option("app:0", C, 0.0)
    assert admitted(following(rules), (runs, older), RUNS, (), WHEN) == ((runs,), ())
    new = Option("app:1", B, NOW)
    assert admitted(following(rules, pin=PIN), (new,), RUNS, (), WHEN) == ((new,), ())


DIGESTS = st.sampled_from((A, B, C))
OPTIONS = st.lists(
    st.builds(Option, st.sampled_from(("app:1", "app:1.2", "app:1.3")), DIGESTS, st.floats(0.0, 2 * NOW)), max_size=5
).map(tuple)
RUNNING = st.none() | st.builds(Running, st.sampled_from(("app:1", "app:1.2")), DIGESTS, st.just(IMAGE.id))
RULES = st.builds(
    Following,
    st.sampled_from(("digest", "semver")),
    cooldown=st.sampled_from((0.0, 500.0)),
    window=st.sampled_from(("", CLOSED)),
)


@settings(deadline=None)
@given(OPTIONS, RUNNING, RULES)
def test_what_is_held_back_is_not_taken(found: tuple[Option, ...], running: Running | None, rules: Following) -> None:
    """Each option up to what runs is either taken or held, and what holds one back ends later than now."""
    taken, held = admitted(following(rules), found, running, (), WHEN)
    ends = next((at + 1 for at, item in enumerate(found) if is_running(item, running, ())), len(found))
    assert sorted([item.pinned for item in taken] + [item.reference for item in held]) == sorted(
        item.pinned for item in found[:ends]
    )
    assert all(item.until is not None and item.until > NOW for item in held)
    assert admitted(following(rules), found, running, (), WHEN) == (taken, held)


@settings(deadline=None)
@given(OPTIONS, RUNNING.filter(bool), RULES)
def test_no_update_breaks_its_cooldown_or_window(
    found: tuple[Option, ...], running: Running | None, rules: Following
) -> None:
    """Whatever is taken instead of what runs was known long enough, in a minute in which that may be."""
    taken, _ = admitted(following(rules), found, running, (), WHEN)
    news = [item for item in taken if not is_running(item, running, ())]
    assert all(item.since + rules.cooldown <= NOW for item in news)
    assert not (news and rules.window)


VERSIONS = st.tuples(st.just(1), st.integers(0, 3), st.integers(0, 3)).map(lambda parts: ".".join(map(str, parts)))


@settings(deadline=None)
@given(VERSIONS, st.sets(VERSIONS, max_size=8), st.data())
def test_nothing_older_than_what_runs_is_taken(running: str, tags: set[str], data: st.DataObject) -> None:
    """Whatever the registry lists, since whenever it is known, and whatever of it is held back."""
    runs = Running(f"app:{running}", A, IMAGE.id)
    names = candidates("1.0.0", running, {*tags, running}, SEMVER)
    found = tuple(
        Option(f"app:{name}", data.draw(DIGESTS), data.draw(st.floats(0.0, 2 * NOW))) for name in (*names, running)
    )
    taken, _ = admitted(following(data.draw(RULES)), found, runs, (), WHEN)
    now = tuple(map(int, running.split(".")))
    assert all(tuple(map(int, item.reference.rpartition(":")[2].split("."))) >= now for item in taken)


@settings(deadline=None)
@given(RUNNING.filter(bool), st.sampled_from((DIGEST, SEMVER)))
def test_no_registrys_error_replaces_what_runs(running: Running, rules: Following) -> None:
    """Where no option is left, what runs is the target."""
    target = target_kept(following(rules), running, ANSWER, ())
    assert (target.reference, target.digest, target.same_as) == (running.reference, running.digest, running.image_id)
    assert (target.error, target.reason, target.refused) == ("timeout", "RegistryUnreachable", False)


def test_where_nothing_is_followed_what_runs_is_kept_as_far_as_it_is_what_is_written() -> None:
    """`always` with a registry that is down: not the local image, which somebody may have tagged; but a new tag is."""
    always = service(image=Image("app:1", "always"))
    assert target_kept(always, RUNS, ANSWER, ()).digest == A
    assert target_kept(always, RUNS, RegistryAnswer(), ()) == Target("app:1")
    older = replace(RUNS, reference="app:0")
    assert target_kept(always, older, ANSWER, ()) == Target("app:1", error="timeout", reason="RegistryUnreachable")
    exact = service(image=Image(f"app:1@{B}"))
    assert target_kept(exact, RUNS, ANSWER, ()).digest is None


def test_what_is_refused_leaves_what_runs_and_starts_nothing_else() -> None:
    """Where nothing runs the target is refused, with what is wrong."""
    held = (Held(f"app:1@{B}", "signature", "nobody signed it", reason="SignatureMissing"),)
    assert target_kept(service(), RUNS, RegistryAnswer(), held).digest == A
    refused = target_kept(service(), None, RegistryAnswer(), held)
    assert refused == Target("app:1", error="nobody signed it", reason="SignatureMissing", held=held, refused=True)


@pytest.mark.parametrize(
    ("image", "option", "why", "source"),
    [
        (Image("app:1", pin=PIN), Option("app:1", B, 0.0), "reconcile.lock pins it", "reconcile.lock:6"),
        (
            Image("app:1", following=replace(SEMVER, range="^1")),
            Option("app:1.2", B, 0.0),
            "1.2 is the newest version in ^1 that may be followed",
            "compose.yaml:9",
        ),
        (
            Image("app:1", following=SEMVER),
            Option("app:1.2", B, 0.0),
            "1.2 is the newest version that may be followed",
            "compose.yaml:9",
        ),
        (
            Image("app:1", following=DIGEST),
            Option("app:1", B, 0.0),
            "the registry has another digest",
            "compose.yaml:9",
        ),
        (Image("app:1", "always"), Option("app:1", B, 0.0), "the registry has another digest", ""),
        (Image("app:1"), Option("app:1", B, 0.0), "", ""),
    ],
)
def test_an_update_says_who_chose_it(image: Image, option: Option, why: str, source: str) -> None:
    """And where that is written; what is written already speaks for itself."""
    wanted = service(image=image, sources={"x-reconcile.image.track": "compose.yaml:9"})
    found = target_of(option, wanted, RegistryAnswer(), (), update=True)
    assert (found.digest, found.why, found.source) == (B, why, source)
    told = (why, source) if option.reference != "app:1" else ("", "")
    assert target_of(option, wanted, RegistryAnswer(), (), update=False) == Target(option.reference, B, "", *told)


def test_what_a_registry_left_unsaid_is_told_of_what_is_kept() -> None:
    """Not of an update, which is new, nor of a pin, which needs no answer."""
    option = Option("app:1", A, 0.0)
    kept = target_of(option, following(), ANSWER, (), update=False)
    assert (kept.error, kept.reason) == ("timeout", "RegistryUnreachable")
    assert target_of(option, following(), ANSWER, (), update=True).error == ""
    assert target_of(option, following(pin=PIN), ANSWER, (), update=False).reason == ""


def test_what_is_local_is_known_by_its_repositorys_digest_else_by_its_id() -> None:
    """So that nothing unsigned passes for having come from nowhere."""
    assert local_option(service(), (replace(IMAGE, digests=(f"app@{B}",)),), NOW) == Option("app:1", B, NOW)
    assert local_option(service(), (IMAGE,), NOW) == Option("app:1", IMAGE.id, NOW)
    assert local_option(service(), (ImageState("sha256:9", ("other:1",)),), NOW) is None


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (Image("app:1"), "pull_policy missing"),
        (Image("app:1", "timed", interval=DAY), "pull_policy every 86400 s"),
        (Image("app:1", following=DIGEST), "digest"),
        (Image("app:1", following=replace(SEMVER, range="^1", filter="^v")), "semver ^1 filter ^v"),
    ],
)
def test_a_policy_is_told_in_one_line(image: Image, words: str) -> None:
    """As it stands in tables and in the lock."""
    assert policy_words(image) == words
