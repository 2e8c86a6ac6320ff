"""`reconcile.lock`: what is read back, what is refused where, and which services it pins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import SpecError
from reconciler.model.project import Build, Image, Pin
from reconciler.spec.lockfile import (
    FILE_NAME,
    Entry,
    can_be_pinned,
    is_pinned,
    is_stale,
    read_lock,
    render_lock,
    with_pins,
)
from tests.support.planning import project, service

if TYPE_CHECKING:
    from reconciler.spec.lockfile import Lock

DIGEST = f"sha256:{'d' * 64}"
PIN = Pin("app:1", DIGEST, 1_780_000_000.0, "digest", "reconcile.lock:6")
ENTRY = Entry("app:1", PIN)
HEAD = "version: 1\nprojects:\n  shop:\n    web:\n"
GOOD = {"reference": "app:1", "digest": DIGEST, "at": "2026-05-28T20:26:40Z", "policy": "digest"}


def written(folder: Path, text: str) -> Lock:
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
    return read_lock(str(folder), str(folder))


def refused(folder: Path, text: str) -> str:
    with pytest.raises(SpecError) as caught:
        written(folder, text)
    assert caught.value.code == "LockInvalid"
    assert caught.value.hint == "correct it, or delete it and run reconcile images lock"
    return f"{caught.value.source}: {caught.value.message}"


def row(**changes: str | None) -> str:
    """A lock of one service with these keys of its entry; None leaves one out."""
    lines = (f"      {key}: {value}\n" for key, value in {**GOOD, **changes}.items() if value is not None)
    return HEAD + "".join(lines)


def test_a_folder_without_a_lock_pins_nothing(tmp_path: Path) -> None:
    """Nobody has to have one."""
    assert read_lock(str(tmp_path), str(tmp_path)) == {}
    assert with_pins(project(service()), {}) == project(service())


def test_a_lock_is_written_for_people_and_sorted(tmp_path: Path) -> None:
    """What was resolved stands beside what is written where it is something else."""
    other = Entry("app:^1", replace(PIN, reference="app:1.2", policy="semver ^1"))
    text = render_lock({"shop": {"web": ENTRY, "api": other}, "empty": {}})
    assert text.splitlines() == [
        "# Which image each service runs. Written by `reconcile images lock`: commit it, and move what it says with",
        "# `reconcile images lock --update [SERVICE]`.",
        "version: 1",
        "projects:",
        "  shop:",
        "    api:",
        "      reference: app:^1",
        "      resolved: app:1.2",
        f"      digest: {DIGEST}",
        '      at: "2026-05-28T20:26:40Z"',
        "      policy: semver ^1",
        "    web:",
        "      reference: app:1",
        f"      digest: {DIGEST}",
        '      at: "2026-05-28T20:26:40Z"',
        "      policy: digest",
    ]
    found = written(tmp_path, text)["shop"]["web"]
    assert found == replace(ENTRY, pin=replace(PIN, source="reconcile.lock:12"))


NAMES = st.from_regex(r"[a-zA-Z0-9._-]{1,12}", fullmatch=True) | st.sampled_from(
    ("null", "on", "y", "~", "1", "1e3", "0o7", "0x1F", "1_000", "12:30", "2026-05-28", ".inf", "-", "=", "<<", "true")
)
REPOSITORIES = st.from_regex(r"(127\.0\.0\.1:5000/)?[a-z0-9]{1,5}(/[a-z0-9]{1,5})?", fullmatch=True)
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
POLICIES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=30)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    repository = draw(REPOSITORIES)
    reference, resolved = (f"{repository}:{draw(TAGS)}" for _ in range(2))
    digest = f"sha256:{draw(st.integers(0, 2**256 - 1)):064x}"
    at = float(draw(st.integers(0, 4_000_000_000)))
    return Entry(reference, Pin(resolved, digest, at, draw(POLICIES)))


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.dictionaries(NAMES, entries(), min_size=1, max_size=3), max_size=3))
def test_what_is_written_is_read_again(lock: Lock) -> None:
    """Whatever the names look like to YAML; and the same entries give the same bytes, in any order."""
    text = render_lock(lock)
    with TemporaryDirectory() as folder:
        found = written(Path(folder), text)
    unplaced = {
        name: {key: replace(entry, pin=replace(entry.pin, source="")) for key, entry in pins.items()}
        for name, pins in found.items()
    }
    assert unplaced == lock
    assert render_lock(found) == text
    assert render_lock(dict(reversed(list(lock.items())))) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "reconcile.lock: the lock is empty"),
        ("[]\n", "reconcile.lock:1: the lock has to be a mapping, and is a list"),
        ("version: 1\n---\nversion: 1\n", "reconcile.lock:2: the lock is more than one document"),
        ("version: 1\nproject: {}\n", "reconcile.lock:2: the lock has a key 'project', which means nothing"),
        ("projects: {}\n", "reconcile.lock: the lock has no version, and this program writes version 1"),
        ("version: 2\n", "reconcile.lock:1: the lock has version '2', and this program writes version 1"),
        ("version: 1\nprojects: 3\n", "reconcile.lock:2: projects has to be a mapping, and is a number"),
        ("version: 1\nprojects:\n  shop: []\n", "reconcile.lock:3: shop has to be a mapping, and is a list"),
        (f"{HEAD}", "reconcile.lock:4: web has to be a mapping, and is nothing"),
        (row(more="1"), "reconcile.lock:9: the lock's entry has a key 'more', which means nothing"),
        (row(policy=None), "reconcile.lock:4: the lock's entry has no policy"),
        (row(digest="sha256:1"), "reconcile.lock:6: the lock says 'sha256:1', which is no digest"),
        (row(resolved="other:1"), "reconcile.lock:9: the lock resolves 'app:1' to another repository"),
        (row(at="soon"), "reconcile.lock:7: the lock says 'soon', which is no time"),
        (row(at="[1]"), "reconcile.lock:7: the lock's at has to be a string, and is a list"),
    ],
)
def test_a_lock_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """And with how to write one; nothing of it holds."""
    assert refused(tmp_path, text) == message


def test_a_lock_without_projects_pins_nothing(tmp_path: Path) -> None:
    """As it is written when the last entry goes."""
    assert written(tmp_path, render_lock({})) == {}
    assert written(tmp_path, "version: 1\n") == {}


def test_a_link_to_nothing_is_no_missing_lock(tmp_path: Path) -> None:
    """What is not mounted or not checked out must not unpin everything in silence."""
    (tmp_path / FILE_NAME).symlink_to("elsewhere")
    with pytest.raises(SpecError, match="the lock does not exist"):
        read_lock(str(tmp_path), str(tmp_path))


def test_a_time_without_a_zone_is_utc(tmp_path: Path) -> None:
    """Whoever edits a lock by hand gets the same everywhere."""
    found = written(tmp_path, row(at="2026-05-28T20:26:40"))
    assert found["shop"]["web"].pin.at == PIN.at


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image("app:1"), True),
        (Image("app"), True),
        (Image(f"app@{DIGEST}"), False),
        (Image("app:1", build=Build("/src", "/src/Dockerfile")), False),
        (Image("app:1", "never"), False),
        (Image("app:1", "build"), False),
    ],
)
def test_only_a_tag_that_a_registry_may_be_asked_for_can_be_pinned(image: Image, *, expected: bool) -> None:
    """A digest is pinned already, and what is made here comes from no registry."""
    assert can_be_pinned(service(image=image)) is expected
    assert is_stale(service(image=image), {}) is expected


def test_a_pin_holds_as_long_as_the_spec_says_what_it_pinned() -> None:
    """Other entries, and those of other projects, do not matter."""
    lock = {"shop": {"web": ENTRY, "gone": ENTRY}, "other": {"api": ENTRY}}
    found = with_pins(project(service()), lock)
    assert found.services[0].image.pin == PIN
    assert is_pinned(found.services[0])
    assert found.notices == ()


def test_a_pin_that_does_not_fit_any_more_is_told_and_does_not_hold() -> None:
    """The tag was changed in the spec, or the service is new: the spec is what counts."""
    changed = service(image=Image("app:2"), sources={"image": "compose.yaml:3"})
    found = with_pins(project(changed, service("api", sources={"": "compose.yaml:9"})), {"shop": {"web": ENTRY}})
    assert [item.image.pin for item in found.services] == [None, None]
    assert [(item.code, item.source) for item in found.notices] == [
        ("LockStale", "compose.yaml:3"),
        ("LockStale", "compose.yaml:9"),
    ]
    assert [item.message for item in found.notices] == [
        "web: reconcile.lock pins app:1, and the spec says app:2: run reconcile images lock --update web",
        "api: reconcile.lock does not pin it: run reconcile images lock",
    ]


def test_what_cannot_be_pinned_is_not_stale() -> None:
    """A build beside pinned services is no reason to complain."""
    built = service(image=Image("app:1", build=Build("/src", "/src/Dockerfile")))
    assert with_pins(project(built), {"shop": {"web": ENTRY}}) == project(built)
