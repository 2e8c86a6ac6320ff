"""What somebody did to a container by hand is undone by replacing it, and the cause is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.memory import Memory
from reconciler.model.observed import Endpoint
from reconciler.model.project import Attachment, Mutation, Rollout
from tests.support.planning import (
    ENGINE,
    container,
    current,
    desired,
    foreign,
    kinds,
    observed,
    remembering,
    service,
    stable,
    step,
)

NET = (Attachment("default", "net"),)
LIMITED = {"HostConfig": {"Memory": 64 * 1024**2}}


def held(wanted: Any, **changes: Any) -> Memory:
    """A memory in which the wanted definition held."""
    spec_hash = current(wanted).labels[labels.SPEC_HASH]
    return remembering(stable(wanted.project.services[0], spec_hash), **changes)


def network() -> Any:
    from reconciler.model.observed import NetworkState

    return NetworkState("net-id", "net")


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"host_config": {"Memory": 1024**2}}, "deploy.resources.limits.memory", "changed by hand (docker update)"),
        ({"networks": {}}, "networks", "disconnected from net by hand"),
        ({"networks": {"net": Endpoint("1", ("web",)), "x": Endpoint("2")}}, "networks", "connected to x by hand"),
        (
            {"networks": {"net": Endpoint("1", ("shop-web-1",))}},
            "networks.default.aliases",
            "connected to net without the name web by hand",
        ),
        ({"name": "somebody"}, "name", "renamed by hand (docker rename)"),
        ({"status": "paused"}, "state", "web/1 was paused by hand"),
        ({"status": "exited", "exit_code": 137}, "state", "web/1 is not running"),
    ],
)
def test_a_change_by_hand_is_undone_by_replacing(changes: dict[str, Any], field: str, reason: str) -> None:
    """Never by repairing it in place; the status is Modified and the cause names what was changed."""
    wanted = desired(service(networks=NET, container=LIMITED))
    good: dict[str, Any] = {"networks": {"net": Endpoint("net-id", ("web",))}, "host_config": LIMITED["HostConfig"]}
    changed = current(wanted, **{**good, **changes})
    memory = held(wanted, made={changed.id: current(wanted).name})
    found = step(wanted, observed(changed, networks=(network(),)), memory)
    assert kinds(found) == ["container.create web/1"]
    assert [(item.field, item.reason) for item in found.operations[0].cause] == [(field, reason)]
    assert found.services[0].sync == "Modified"
    untouched = replace(changed, name=current(wanted).name, status="running", exit_code=0, **good)
    assert step(wanted, observed(untouched, networks=(network(),)), memory).empty


@pytest.mark.parametrize("mode", ["ignore", "report"])
def test_a_service_can_opt_out(mode: Any) -> None:
    """`mutation.config` other than replace: its containers are left as somebody made them."""
    wanted = desired(service(mutation=Mutation(config=mode)))
    changed = current(wanted, host_config={"Memory": 1024**2})
    assert step(wanted, observed(changed), held(wanted)).empty


@pytest.mark.parametrize(
    ("modes", "listed"),
    [
        (
            Mutation(config="report"),
            (
                "web/1: deploy.resources.limits.memory changed by hand (docker update)",
                "web/1: /etc/app.conf",
            ),
        ),
        (
            Mutation(config="report", filesystem="ignore"),
            ("web/1: deploy.resources.limits.memory changed by hand (docker update)",),
        ),
        (Mutation(config="ignore"), ("web/1: /etc/app.conf",)),
        (Mutation(config="ignore", filesystem="ignore"), ()),
    ],
)
def test_report_lists_what_was_changed_and_changes_nothing(modes: Mutation, listed: tuple[str, ...]) -> None:
    """Settings and the writable layer each as the spec says; sync, health and the plan stay as they are."""
    wanted = desired(service(container=LIMITED, mutation=modes))
    changed = current(wanted, host_config={"Memory": 1024**2})
    memory = held(wanted, baselines={changed.id: ()})
    found = step(wanted, observed(changed, mutations={changed.id: ("/etc/app.conf",)}), memory)
    assert found.services[0].mutated == listed
    assert (found.services[0].sync, found.services[0].health) == ("Synced", "Healthy")
    assert found.empty
    assert found.conditions == ()


def test_report_says_nothing_of_a_replica_of_another_definition() -> None:
    """It differs because the spec changed, and is replaced because of that."""
    wanted = desired(service(container=LIMITED, mutation=Mutation(config="report")))
    found = step(wanted, observed(container(host_config={"Memory": 1024**2})))
    assert kinds(found) == ["container.create web/1"]
    assert found.services[0].mutated == ()


@pytest.mark.parametrize(("limited", "done"), [(True, ["container.create web/1"]), (False, [])])
def test_unlimited_swap_is_undone_where_the_engine_can_limit_it(*, limited: bool, done: list[str]) -> None:
    """An engine that cannot shows unlimited swap for every container: nobody did that."""
    wanted = desired(service(container=LIMITED))
    changed = current(wanted, host_config={**LIMITED["HostConfig"], "MemorySwap": -1})
    seen = observed(changed, engine=replace(ENGINE, swap_limited=limited))
    found = step(wanted, seen, held(wanted))
    assert kinds(found) == done
    assert [cause.field for item in found.operations for cause in item.cause] == ["memswap_limit"] * len(done)


def test_a_removed_replica_is_made_again() -> None:
    """That it is missing is somebody's doing, not a pending change."""
    wanted = desired(service())
    found = step(wanted, observed(), held(wanted))
    assert kinds(found) == ["container.create web/1"]
    assert found.services[0].sync == "Modified"


def test_a_second_container_with_our_labels_is_left_alone() -> None:
    """It is told, the service shows Modified, and nothing is done to it."""
    wanted = desired(service())
    copy = foreign("copy", claims="shop", replica="web/1")
    found = step(wanted, observed(current(wanted), foreign=(copy,)), held(wanted))
    assert found.empty
    assert found.services[0].sync == "Modified"
    assert [item.code for item in found.notices] == ["CopiedLabels"]
    elsewhere = foreign("copy", claims="shop", replica="other/1")
    assert step(wanted, observed(current(wanted), foreign=(elsewhere,)), held(wanted)).services[0].sync == "Synced"


@pytest.mark.parametrize("status", ["running", "exited"])
def test_a_renamed_container_that_nobody_remembers_is_not_doubled(status: str) -> None:
    """Without memory it cannot be told from a copy: while it runs, a second one might write to the same volume."""
    wanted = desired(service())
    renamed = foreign("mine", claims="shop", replica="web/1", status=status)
    found = step(wanted, observed(foreign=(renamed,)))
    assert kinds(found) == ([] if status == "running" else ["container.create web/1"])
    assert [item.reason for item in found.conditions] == (["Blocked"] if status == "running" else [])


def named(publish: Any, names: tuple[str, ...], *, known: bool = True, attempted: bool = False) -> list[str]:
    """The reasons for which a replica that answers to these names is replaced."""
    place = (Attachment("default", "net", ("www",)),)
    wanted = desired(service(networks=place, rollout=Rollout(min_running=0.0, monitor=0.0, publish=publish)))
    one = current(wanted, networks={"net": Endpoint("net-id", names)})
    memory = held(wanted) if known else Memory()
    memory = replace(memory, attempted=frozenset({one.name} if attempted else ()))
    found = step(wanted, observed(one, networks=(network(),)), memory)
    return [cause.reason for item in found.operations if item.kind == "container.create" for cause in item.cause]


@pytest.mark.parametrize("publish", ["immediate", "healthy"])
@pytest.mark.parametrize(
    ("names", "lost"),
    [
        (("web", "www"), ""),
        (("shop-web-1", "web", "www", "by-hand"), ""),
        (("www",), "web"),
        (("web",), "www"),
        (("by-hand",), "web, www"),
    ],
)
def test_a_name_that_is_gone_is_a_change_by_hand(publish: str, names: tuple[str, ...], lost: str) -> None:
    """Its service's and those of the spec; names that somebody added take nothing away."""
    assert named(publish, names) == ([f"connected to net without the name {lost} by hand"] if lost else [])


@pytest.mark.parametrize(("known", "attempted"), [(True, True), (False, True), (False, False)])
def test_who_is_yet_to_be_named_has_lost_no_name(*, known: bool, attempted: bool) -> None:
    """With `publish: healthy` a replica is named at the end of its rollout."""
    assert named("healthy", ("shop-web-1",), known=known, attempted=attempted) == []


def written(mode: Any, **changes: Any) -> Any:
    """One pass over a replica in which /etc/app.conf was written to."""
    wanted = desired(service(mutation=Mutation(filesystem=mode)))
    one = current(wanted)
    memory = held(wanted, baselines={one.id: ("/var/log/app",)})
    seen = observed(one, mutations={one.id: ("/etc/app.conf", "/var/log/app")}, **changes)
    return step(wanted, seen, memory)


def test_filesystem_replace_makes_it_anew() -> None:
    """The path is the cause; what it had written itself when it came up is none."""
    found = written("replace")
    assert kinds(found) == ["container.create web/1"]
    (cause,) = found.operations[0].cause
    assert (cause.field, cause.before, cause.reason) == (
        "filesystem",
        ["/etc/app.conf"],
        "/etc/app.conf was written to",
    )


@pytest.mark.parametrize(("mode", "listed"), [("report", ("web/1: /etc/app.conf",)), ("ignore", ())])
def test_filesystem_report_changes_nothing(mode: Any, listed: tuple[str, ...]) -> None:
    """Paths are listed, sync and conditions stay as they are; `ignore` does not even list them."""
    found = written(mode)
    assert found.empty
    assert found.services[0].mutated == listed
    assert found.services[0].sync == "Synced"


def test_what_was_not_looked_at_is_not_changed() -> None:
    """Nobody looked into the writable layer in this pass."""
    wanted = desired(service(mutation=Mutation(filesystem="replace")))
    assert step(wanted, observed(current(wanted)), held(wanted)).empty


def test_a_duplicate_of_ours_goes() -> None:
    """A stopped leftover of the same slot is removed, whatever somebody did to it."""
    wanted = desired(service())
    assert kinds(step(wanted, observed(container(status="exited"), current(wanted)), held(wanted))) == [
        "container.remove web/1"
    ]


@pytest.mark.parametrize(
    ("ended", "done"),
    [
        ({"exit_code": 137}, ["container.create web/1"]),
        ({"exit_code": 1}, []),
        ({"exit_code": 137, "oom_killed": True}, []),
        ({"exit_code": 0, "error": "task already exists"}, ["container.create web/1"]),
    ],
)
def test_a_replica_that_ended_with_its_engine_is_tried_once_more(ended: dict[str, Any], done: list[str]) -> None:
    """An earlier run began with it and did not see its end: a signal tells nothing against the definition."""
    wanted = desired(service())
    one = current(wanted, status="exited", **ended)
    begun = frozenset({one.name})
    assert kinds(step(wanted, observed(one), Memory(attempted=begun, earlier=begun))) == done
    assert kinds(step(wanted, observed(one), Memory(attempted=begun))) == []


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("how", ["asked", "shown"])
def test_a_start_that_fails_of_what_an_earlier_run_made_is_a_loss(how: str, *, beside: bool) -> None:
    """The engine died while it started it: it is made anew once, and what fails then is a failed rollout."""
    wanted = desired(service())
    error: dict[str, Any] = {"error": "task already exists"} if how == "shown" else {}
    one = current(wanted, status="created", started_at=0.0, **error)
    refused = {"container.start:web/1/11111111": "task already exists"} if how == "asked" else {}
    seen = observed(*([container()] if beside else []), one)
    memory = Memory(attempted=frozenset({one.name}), earlier=frozenset({one.name}), failed_operations=refused)
    found = step(wanted, seen, memory)
    assert kinds(found) == ["container.create web/1"]
    assert (found.failures, found.conditions) == ((), ())
    again = current(wanted, id="again", name=found.operations[0].resource, created_at=9.0, status="exited", exit_code=1)
    after = step(wanted, observed(one, again), memory.with_attempts(found.operations))
    assert [item.reason for item in after.failures] == ["Exited"]
    ours = step(wanted, seen, replace(memory, earlier=frozenset()))
    told = "web/1: could not start: task already exists" if how == "shown" else "task already exists"
    assert [item.message for item in ours.failures] == [told]


def test_a_start_that_failed_once_and_succeeded_since_is_none() -> None:
    """What runs has started."""
    wanted = desired(service())
    one = current(wanted)
    begun = frozenset({one.name})
    refused = {"container.start:web/1/11111111": "no answer"}
    assert step(wanted, observed(one), Memory(attempted=begun, earlier=begun, failed_operations=refused)).empty


def test_a_change_by_hand_during_a_rollout_is_no_failure_of_it() -> None:
    """The replica is replaced by its equal, and the definition is not put in quarantine."""
    wanted = desired(service(networks=NET))
    new = current(wanted, networks={"net": Endpoint("1", ("web",)), "x": Endpoint("2")})
    found = step(wanted, observed(container(), new, networks=(network(),)), Memory(attempted=frozenset({new.name})))
    assert (found.failures, kinds(found)) == ((), ["container.create web/1"])
