from __future__ import annotations

from dataclasses import replace

from reconciler.cli.changes import changes, drain_method, tally
from reconciler.model.operation import Difference, Operation
from tests.unit.cli.reports import DIGEST_A, GONE, IMAGE, SHOP, operation, replacement


def _verbs(*operations: Operation) -> list[tuple[str, str, tuple[str, ...]]]:
    found = changes(replace(SHOP, operations=operations))
    return [(change.resource, change.verb, change.targets) for change in found]


def test_a_replica_that_is_created_and_removed_is_replaced() -> None:
    """Four engine calls on one slot are one change to a person."""
    assert _verbs(*replacement("web", 1, IMAGE)) == [("container", "replace", ("web/1",))]


def test_single_calls_keep_their_verb() -> None:
    """Nothing is called a replacement that brings up nothing."""
    assert _verbs(operation("container.start", "a", "web", 1)) == [("container", "start", ("web/1",))]
    assert _verbs(operation("container.stop", "a", "web", 1)) == [("container", "stop", ("web/1",))]
    gone = (operation("container.stop", "a", "web", 1), operation("container.remove", "a", "web", 1))
    assert _verbs(*gone) == [("container", "remove", ("web/1",))]
    made = (operation("container.create", "a", "web", 1), operation("network.connect", "a", "web", 1))
    assert _verbs(*made) == [("container", "create", ("web/1",))]


def test_a_network_that_is_removed_and_created_is_replaced() -> None:
    """A network cannot be changed: its users go first, and the plan says replace."""
    calls = (operation("network.remove", "shop_default"), operation("network.create", "shop_default"))
    assert _verbs(*calls) == [("network", "replace", ("shop_default",))]


def test_an_image_is_pulled_once_however_it_is_tagged() -> None:
    """Pull by digest and tag are one change, named as people name images."""
    calls = (
        operation("image.pull", f"shop/web@{DIGEST_A}", "web"),
        operation("image.tag", "shop/web:1.4", "web"),
    )
    assert _verbs(*calls) == [("image", "pull", (f"shop/web:1.4@{DIGEST_A}",))]


def test_networks_volumes_and_images_come_before_replicas() -> None:
    """What replicas need is read first; replicas stand in the order of their numbers."""
    calls = (
        operation("container.create", "b", "web", 2),
        operation("image.pull", "i", "web"),
        operation("container.create", "a", "web", 1),
        operation("network.create", "n"),
    )
    assert [item[0] for item in _verbs(*calls)] == ["network", "image", "container"]
    assert _verbs(*calls)[-1] == ("container", "create", ("web/1", "web/2"))


def test_the_cause_of_a_creation_is_the_cause_of_what_follows() -> None:
    """Later calls on the slot do not add their own view of it."""
    calls = (
        operation("container.create", "a", "web", 1, IMAGE),
        operation("container.start", "a", "web", 1, Difference("state", "created", "running")),
    )
    assert [change.causes for change in changes(replace(SHOP, operations=calls))] == [(IMAGE,)]


def test_impact_is_the_worst_of_a_replica() -> None:
    """A gap anywhere is a gap."""
    first, *rest = replacement("web", 1, IMAGE)
    calls = (replace(first, impact="gap"), *rest)
    assert [change.impact for change in changes(replace(SHOP, operations=calls))] == ["gap"]


def test_the_tally_counts_objects() -> None:
    """Replicas and other objects by verb, zeros left out."""
    calls = (
        *replacement("web", 1, IMAGE),
        *replacement("web", 2, IMAGE),
        operation("container.remove", "o", "old", 1, GONE),
    )
    assert tally(changes(replace(SHOP, operations=calls))) == {"replace": 2, "remove": 1}


def test_a_drain_is_part_of_a_replacement_and_has_its_own_verb_alone() -> None:
    """A signal, a command or a request before a stop is a drain to a person, whichever call makes it."""
    create, start, stop, remove = replacement("web", 1, IMAGE)
    old = stop.resource
    for kind, method in (("container.kill", "signal"), ("container.exec", "exec"), ("container.http", "http")):
        drain = operation(kind, old, "web", 1)  # type: ignore[arg-type]
        assert _verbs(create, start, drain, stop, remove) == [("container", "replace", ("web/1",))]
        assert _verbs(drain) == [("container", "drain", ("web/1",))]
        assert drain_method(drain) == method


def test_publishing_is_part_of_bringing_a_replica_up() -> None:
    """The service's name is attached by a disconnect and a connect; to a person the replica is created."""
    calls = [
        operation("container.create", "a", "web", 1),
        operation("network.disconnect", "a", "web", 1),
        operation("network.connect", "a", "web", 1),
    ]
    assert _verbs(*calls) == [("container", "create", ("web/1",))]
    assert _verbs(*calls[1:]) == [("container", "connect", ("web/1",))]
    assert _verbs(calls[1]) == [("container", "disconnect", ("web/1",))]
