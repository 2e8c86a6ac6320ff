"""A service whose replicas write their own mounted file is not replaced for that for ever."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.desired import Desired
from reconciler.model.files import Content
from reconciler.model.memory import Memory
from reconciler.model.observed import Container
from tests.support.planning import (
    NOW,
    container,
    current,
    desired,
    kinds,
    observed,
    reasons,
    remembering,
    service,
    step,
)

FILE = Content(
    "volumes./etc/app.ini", "1", "compose.yaml:7", "./app.ini", "/srv/app.ini", writable=True, changed_at=10.0
)
OTHER = Content("volumes./etc/tls.pem", "1", "compose.yaml:8", "./tls.pem", "/srv/tls.pem")


def holding(*contents: Content, **changes: Any) -> Desired:
    """A service that mounts these files."""
    return desired(service(contents=contents), **changes)


def known(own_writes: int = 2, *contents: Content, at: float = 5.0) -> tuple[Memory, Container]:
    """The memory in which the service came up with these files, and what runs of it."""
    before = holding(*(contents or (FILE,)))
    runs = current(before, started_at=2.0)
    (stable,) = step(before, observed(runs)).stable
    return remembering(replace(stable, revision=1, at=at, own_writes=own_writes)), runs


def test_the_third_change_in_a_row_is_not_followed() -> None:
    """It stays as it runs, and a condition names the file and the ways out."""
    memory, runs = known()
    found = step(holding(replace(FILE, digest="2")), observed(runs), memory)
    assert (kinds(found), reasons(found), found.stable) == ([], ["WritesItsOwnFile"], ())
    condition = found.conditions[0]
    assert (condition.service, condition.source) == ("web", "compose.yaml:7")
    assert condition.message == (
        "web was replaced 2 times in a row for nothing but ./app.ini, which changed each time soon after it came up:"
        " its containers write it, so it is left as it runs; mount it read-only, or say"
        " `x-reconcile.mutation.allow: [/etc/app.ini]`; `reconcile retry web` if somebody else changed it"
    )
    assert (found.services[0].sync, found.services[0].health) == ("Synced", "Healthy")


def test_a_replica_that_is_lost_then_comes_back_as_it_was() -> None:
    """What it came up with last stays its definition."""
    memory, runs = known()
    found = step(holding(replace(FILE, digest="2")), observed(replace(runs, status="exited", exit_code=1)), memory)
    assert kinds(found) == ["container.create web/1"]
    body = found.operations[0].payload["body"]
    assert body["Labels"][labels.SPEC_HASH] == runs.labels[labels.SPEC_HASH]


def test_what_else_left_the_spec_goes_all_the_same() -> None:
    """The service itself is well."""
    memory, runs = known()
    found = step(holding(replace(FILE, digest="2")), observed(runs, container("old")), memory)
    assert kinds(found) == ["container.stop old/1"]


@pytest.mark.parametrize(
    "wanted",
    [
        holding(replace(FILE, digest="2", changed_at=700.0)),
        holding(replace(FILE, digest="2", changed_at=0.0)),
        holding(replace(FILE, digest="2", writable=False)),
        holding(replace(FILE, digest="2"), OTHER),
        desired(service(contents=(replace(FILE, digest="2"),), container={"Env": ["A=2"]})),
        holding(replace(FILE, digest="2"), from_git=True),
    ],
    ids=["changed later", "changed at no known time", "read-only", "one more file", "another setting", "from Git"],
)
def test_a_change_by_somebody_else_is_followed(wanted: Desired) -> None:
    """As every change is."""
    memory, runs = known()
    found = step(wanted, observed(runs), memory)
    assert (kinds(found), reasons(found)) == (["container.create web/1"], [])


def test_a_file_that_it_writes_when_it_is_restarted_is_its_own_too() -> None:
    """What counts is since when its containers run, not only when they came up first."""
    memory, runs = known()
    wanted = holding(replace(FILE, digest="2", changed_at=900.0))
    assert kinds(step(wanted, observed(runs), memory)) == ["container.create web/1"]
    assert kinds(step(wanted, observed(replace(runs, started_at=890.0)), memory)) == []


@pytest.mark.parametrize(("before", "changed_at", "after"), [(0, 10.0, 1), (1, 10.0, 2), (2, 700.0, 0), (1, 700.0, 0)])
def test_definitions_that_differ_by_own_writes_alone_are_counted(before: int, changed_at: float, after: int) -> None:
    """In a row: a change by somebody else begins anew."""
    memory, _ = known(before)
    wanted = holding(replace(FILE, digest="2", changed_at=changed_at))
    (learned,) = step(wanted, observed(current(wanted)), memory).stable
    assert (learned.own_writes, learned.at) == (after, NOW)


def test_the_first_definition_is_nobodys_write() -> None:
    """There is nothing that it differs from."""
    wanted = holding(FILE)
    assert step(wanted, observed(current(wanted))).stable[0].own_writes == 0


def test_without_its_image_nothing_is_known() -> None:
    """Whether the file is all that differs shows once the image is there."""
    memory, runs = known()
    found = step(holding(replace(FILE, digest="2")), observed(runs, images=()), memory)
    assert reasons(found) == ["ImageUnavailable"]


def test_a_memory_of_before_does_not_know_what_else_differed() -> None:
    """It is followed, as ever."""
    memory, runs = known()
    old = replace(memory.stable["web"], outline="")
    found = step(holding(replace(FILE, digest="2")), observed(runs), remembering(old))
    assert kinds(found) == ["container.create web/1"]


def test_retry_follows_the_file_again() -> None:
    """A person who says that it was somebody else is believed."""
    memory, runs = known()
    lifted = memory.without_failures("shop", "web")
    assert lifted.stable["web"].own_writes == 0
    assert lifted.without_failures("shop", "web") == lifted
    assert kinds(step(holding(replace(FILE, digest="2")), observed(runs), lifted)) == ["container.create web/1"]
