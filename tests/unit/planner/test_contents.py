"""What files contain: never remembered by a digest to guess with, and never told as a path that nobody wrote."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.canonical import keyed_hash
from reconciler.model.desired import Desired
from reconciler.model.files import Content
from reconciler.model.memory import Memory
from reconciler.planner.contents import changed_contents, remembered
from tests.support.planning import current, desired, observed, remembering, service, stable, step

ONE, TWO = "1" * 64, "2" * 64
PLAIN = Content("secrets.s:/run/secrets/s", "plain", "c.yaml:9", "secrets.s")
KEYED = replace(PLAIN, digest=f"hmac:{keyed_hash('', 'plain')}")


def holding(*contents: Content, **fields: Any) -> Desired:
    """A service with files that contain this."""
    return desired(service(contents=contents, sources={"": "c.yaml:2", "volumes./a": "c.yaml:7"}, **fields))


def mounting(digest: str, how: str = "", key: str = "volumes./a", content: str = "/d/shop/{}") -> Desired:
    """A service that mounts the copy of that digest."""
    copy = content.format(digest)
    mount = {"Type": "bind", "Source": copy, "Target": "/a", "ReadOnly": not how}
    kept = Content(key, f"hmac:{digest}", "c.yaml:7", "./a", f"/here/{digest}", copy=copy)
    return holding(kept, container={"Env": ["A=1"], "HostConfig": {"Mounts": [mount]}})


def known(wanted: Desired, *, of: Desired | None = None) -> Memory:
    """A memory in which that came up, with the contents of the other one where it is given."""
    found = (of or wanted).project.services[0]
    return remembering(stable(found, current(wanted).labels[labels.SPEC_HASH]))


def test_what_is_remembered_is_keyed() -> None:
    """Once; what cannot be read has nothing to key."""
    kept = remembered(service(contents=(PLAIN, replace(PLAIN, digest=""))), "")
    assert [content.digest for content in kept.contents] == [KEYED.digest, ""]
    assert remembered(kept, "") == kept
    assert remembered(kept, "another key").contents == kept.contents


def test_a_definition_that_holds_is_remembered_without_its_digests() -> None:
    """Also one that an older program remembered with them."""
    wanted = holding(PLAIN)
    (held,) = step(wanted, observed(current(wanted))).stable
    assert held.service.contents == (KEYED,)
    memory = remembering(held)
    assert step(wanted, observed(current(wanted)), memory).stable == ()
    (again,) = step(wanted, observed(current(wanted)), known(wanted)).stable
    assert again.service.contents == (KEYED,)


@pytest.mark.parametrize("before", [PLAIN, KEYED])
def test_contents_are_compared_in_either_form(before: Content) -> None:
    """By the key of the installation."""
    old, other = service(contents=(before,)), replace(PLAIN, digest="other")
    assert changed_contents(old, service(contents=(PLAIN,)), "") == []
    assert changed_contents(old, service(contents=(other,)), "") == [other]
    assert changed_contents(service(contents=()), service(contents=(PLAIN,)), "") == []


def causes(before: Desired, after: Desired, memory: Memory | None = None) -> list[tuple[str, Any, Any, str, str]]:
    """Why a replica of the one is replaced by one of the other."""
    host = before.project.services[0].container["HostConfig"]
    found = step(after, observed(current(before, host_config=host)), memory)
    return [(it.field, it.before, it.after, it.source, it.reason) for op in found.operations for it in op.cause]


@pytest.mark.parametrize("key", ["volumes./a", "configs.a:/a"])
@pytest.mark.parametrize("knows", [True, False])
def test_another_copy_is_a_content_that_changed(key: str, knows: bool) -> None:
    """Told once, with or without a memory of what it was; not as a path that nobody wrote."""
    before, after = mounting(ONE, key=key), mounting(TWO, key=key)
    memory = known(before) if knows else None
    field = key.partition(":")[0]
    place = "c.yaml:7" if field == "volumes./a" else "c.yaml:2"
    assert causes(before, after, memory) == [(field, None, None, place, "the content of ./a changed")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (mounting(ONE, content="/old/{}"), mounting(ONE)),
        (mounting("x"), mounting(ONE)),
        (mounting(ONE), mounting("x")),
        (mounting(ONE, how="rw"), mounting(TWO)),
    ],
    ids=["moved", "from another place", "to another place", "mounted otherwise"],
)
def test_any_other_change_of_a_mount_is_told_as_it_is(before: Desired, after: Desired) -> None:
    """With both paths."""
    ((field, was, now, _, _),) = causes(before, after)
    assert field == "volumes./a"
    assert was != now
    assert was.startswith("/")


def test_going_back_finds_the_copies_of_before() -> None:
    """So nothing is said of files that stay as they are."""
    before, after = mounting(ONE), mounting(TWO)
    failed = current(after, status="exited", exit_code=1, host_config=after.project.services[0].container["HostConfig"])
    memory = replace(known(before), attempted=frozenset({failed.name}))
    found = step(after, observed(failed), memory)
    assert found.conditions[0].reason == "RollingBack"
    assert "stays as it is on disk" not in found.conditions[0].message


def test_what_stood_encrypted_is_shown_nowhere() -> None:
    """Whatever the variable is called; a container's label says which they are, for whoever has lost its memory."""
    before = desired(service(container={"Env": ["A=was-coded", "B=was-coded too"]}, hidden=("A",)))
    old = current(before, config={"Env": ["A=was-coded", "B=was-coded too"]}, labels={labels.HIDDEN: "A"})
    after = desired(service(container={"Env": ["B=2"]}))
    found = step(after, observed(old))
    told = {(item.field, item.before, item.after) for op in found.operations for item in op.cause}
    assert told == {("environment.A", "***", None), ("environment.B", "*** too", "2")}
    (create,) = [op for op in step(before, observed()).operations if op.kind == "container.create"]
    assert create.payload["body"]["Labels"][labels.HIDDEN] == "A"
