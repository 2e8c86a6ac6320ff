"""What a failed rollout goes back to, and that nobody tries the failed definition again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.files import Content
from reconciler.model.memory import Failure, Memory
from reconciler.model.observed import Endpoint, NetworkState
from reconciler.model.project import Attachment, Rollout, Service, UpdateConfig
from reconciler.planner.rollback import going_back, last_good
from tests.support.planning import (
    IMAGE,
    NOW,
    container,
    current,
    desired,
    kinds,
    known_bad,
    observed,
    reasons,
    remembering,
    service,
    stable,
    step,
    targets,
)

BEFORE = service(container={"Env": ["A=0"]})
QUICK = {"min_running": 0.0, "monitor": 0.0}


def rolling(replicas: int = 1, **changes: Any) -> Service:
    """A service that is gated by nothing but being up, also on the way back."""
    return service(replicas=replicas, rollout=Rollout(**{**QUICK, **changes}))


def creates(found: Any, spec_hash: str) -> list[int]:
    """The slots for which a container of this definition is created."""
    return [
        item.slot
        for item in found.operations
        if item.kind == "container.create" and item.payload["body"]["Labels"][labels.SPEC_HASH] == spec_hash
    ]


def test_every_slot_that_was_touched_goes_back() -> None:
    """Also those whose replacement had passed: their old containers, stopped since, are started again."""
    wanted = desired(rolling(2, rollback=UpdateConfig(parallelism=0)))
    through, failed = current(wanted, slot=1), current(wanted, slot=2, health="unhealthy")
    old = [container(slot=1, status="exited"), container(slot=2)]
    memory = Memory(attempted=frozenset({through.name, failed.name}))
    found = step(wanted, observed(*old, through, failed), memory)
    assert targets(found) == [("container.start", "id-web-1"), ("container.stop", "new-web-2")]
    assert reasons(found) == ["RollingBack"]
    assert found.services[0].message.endswith(
        "not tried again until its spec or image changes, or `reconcile retry web`"
    )


def test_a_mounted_file_does_not_go_back() -> None:
    """The old container reads its new content too; a config that is copied in does go back."""
    file = Content("volumes./etc/a.conf", "1", origin="./a.conf", path="/srv/a.conf")
    config = Content("configs.b:/b", "1", origin="configs.b")
    changed = tuple(replace(item, digest="2") for item in (file, config))
    wanted = desired(replace(rolling(), contents=changed))
    before = stable(replace(BEFORE, contents=(file, config)))
    memory = known_bad(wanted, memory=remembering(before))
    found = step(wanted, observed(current(wanted, status="exited"), container(status="exited")), memory)
    assert "revision 1 (app:1), but not ./a.conf: a mounted file stays as it is on disk" in found.services[0].message
    same = remembering(stable(replace(BEFORE, contents=changed)))
    found = step(wanted, observed(current(wanted, status="exited")), known_bad(wanted, memory=same))
    assert "but not" not in found.services[0].message


def test_what_the_rollout_removed_is_made_again_from_memory() -> None:
    """With the definition, name and image that ran before."""
    wanted = desired(rolling())
    dead = current(wanted, status="exited")
    memory = known_bad(wanted, memory=remembering(stable(BEFORE), attempted=frozenset({dead.name})))
    found = step(wanted, observed(dead), memory)
    assert creates(found, "old") == [1]
    body = found.operations[0].payload["body"]
    assert (body["Env"], body["Image"]) == (["A=0"], "app:1")
    assert [cause.field for cause in found.operations[0].cause] == ["rollback"]


def test_where_the_old_image_is_gone_nothing_is_stopped() -> None:
    """What runs of the failed definition is better than nothing: it is told, and left alone."""
    wanted = desired(rolling(2))
    up, dead = current(wanted, slot=1), current(wanted, slot=2, status="exited")
    memory = known_bad(wanted, memory=remembering(stable(BEFORE, image_id="sha256:" + "9" * 64)))
    found = step(wanted, observed(up, dead), memory)
    assert found.empty
    assert "ImageGone" in reasons(found)
    assert found.services[0].waiting == "its last good image"


def test_old_containers_that_still_exist_need_no_image() -> None:
    """Starting them again is all there is to do."""
    wanted = desired(rolling())
    memory = known_bad(wanted, memory=remembering(stable(BEFORE, image_id="sha256:" + "9" * 64)))
    found = step(wanted, observed(container(status="exited"), current(wanted, status="exited")), memory)
    assert targets(found) == [("container.start", "id-web-1")]


def test_a_rollback_is_never_rolled_back() -> None:
    """Where what ran before does not come up either, the failed definition is still not tried again."""
    wanted = desired(rolling())
    old, dead = container(status="exited", exit_code=1, started_at=NOW), current(wanted, status="exited")
    memory = replace(known_bad(wanted), attempted=frozenset({old.name, dead.name}))
    found = step(wanted, observed(old, dead), memory)
    assert found.empty
    assert reasons(found) == ["RollingBack"]


@pytest.mark.parametrize("known", [True, False])
def test_an_old_container_whose_start_is_under_way_is_not_given_up(*, known: bool) -> None:
    """Begun with and still stopped: before the engine has answered, that says nothing against it."""
    wanted = desired(rolling())
    old, dead = container(status="exited"), current(wanted, status="exited")
    memory = known_bad(wanted, memory=remembering(stable(BEFORE)) if known else None)
    begun = replace(memory, attempted=frozenset({old.name}))
    inflight = frozenset({"container.start:web/1/00000000"})
    under_way = step(wanted, observed(old, dead, inflight=inflight), begun)
    assert (under_way.operations, under_way.services[0].waiting) == ((), "")
    given_up = step(wanted, observed(old, dead), begun)
    assert kinds(given_up) == (["container.create web/1"] if known else [])


def test_a_rollback_that_failed_before_is_not_repeated() -> None:
    """Memory of the last good one being bad too changes nothing of that."""
    wanted = desired(rolling())
    both = known_bad(wanted, memory=remembering(stable(BEFORE))).with_failures((Failure("web", "old", "Exited", "x"),))
    found = step(wanted, observed(), replace(both, failed_operations={"container.create:web/1/0": "no"}))
    assert creates(found, current(wanted).labels[labels.SPEC_HASH]) == []


@pytest.mark.parametrize("old_runs", [True, False])
def test_quarantine_holds_in_every_later_run(*, old_runs: bool) -> None:
    """Nothing is created for the failed definition; it is Degraded, and said how to go on."""
    wanted = desired(rolling())
    running = [container()] if old_runs else []
    memory = known_bad(wanted, memory=remembering(stable(BEFORE)) if old_runs else None)
    found = step(wanted, observed(*running), memory)
    assert found.empty
    assert reasons(found) == ["RolledBack" if old_runs else "Quarantined"]
    assert found.services[0].health == "Degraded"
    assert "reconcile retry web" in found.conditions[0].message


def test_quarantine_is_of_one_definition() -> None:
    """Another one goes out, whatever is remembered of the first."""
    bad = desired(rolling())
    memory = known_bad(bad, memory=remembering(stable(BEFORE)))
    good = desired(replace(rolling(), container={"Env": ["A=2"]}))
    assert kinds(step(good, observed(container()), memory)) == ["container.create web/1"]


def test_the_rest_of_the_project_goes_on() -> None:
    """A failed service blocks those that depend on it, and nobody else."""
    wanted = desired(rolling(), service("sibling"))
    memory = known_bad(wanted, memory=remembering(stable(BEFORE)))
    assert kinds(step(wanted, observed(container()), memory)) == ["container.create sibling/1"]


def test_retry_lifts_the_quarantine() -> None:
    """It is tried once more, as if it had never been."""
    wanted = desired(rolling())
    memory = known_bad(wanted, memory=remembering(stable(BEFORE)))
    lifted = memory.without_failures("shop", "web")
    found = step(wanted, observed(container()), replace(lifted, quarantined=frozenset()))
    assert kinds(found) == ["container.create web/1"]
    assert found.conditions == ()


def test_a_job_that_failed_is_not_rolled_back() -> None:
    """Running the old one again would not undo what the new one did."""
    wanted = desired(service(job=True))
    dead = current(wanted, status="exited", exit_code=1)
    memory = remembering(stable(BEFORE), attempted=frozenset({dead.name}))
    found = step(wanted, observed(container(status="exited"), dead), memory)
    assert reasons(found) == ["Exited"]
    assert [item for item in kinds(found) if "start" in item or "create" in item] == []


def test_going_back_follows_rollback_config() -> None:
    """Its order, parallelism, delay and monitor; what it leaves open is as for the way there."""
    back = UpdateConfig("stop-first", 2, 3.0, 4.0, 0.5, "continue")
    wanted = service(replicas=3, rollout=Rollout(settle=1.0, rollback=back))
    rollout = going_back(BEFORE, wanted).rollout
    assert (rollout.order, rollout.parallelism, rollout.delay, rollout.monitor) == ("stop-first", 2, 3.0, 4.0)
    assert (rollout.max_failure_ratio, rollout.failure_action, rollout.settle) == (0.5, "continue", 1.0)
    open_ = going_back(BEFORE, service(rollout=Rollout(order="start-first", monitor=7.0))).rollout
    assert (open_.order, open_.parallelism, open_.monitor, open_.failure_action) == ("start-first", 1, 7.0, "pause")


def test_going_back_keeps_the_wanted_number_of_replicas() -> None:
    """A failed definition that also asked for more replicas gets them, of the old one."""
    assert going_back(BEFORE, service(replicas=3)).replicas == 3
    assert going_back(BEFORE, service(replicas=3)).container == BEFORE.container


# --- without memory ---------------------------------------------------------------------------------------------------


def test_where_memory_is_lost_the_old_container_says_what_it_was() -> None:
    """Its configuration, networks and image; what the engine or we added is left out."""
    old = container(
        labels={"team": "a", labels.NAME: "front", labels.DIGEST: "sha256:d"},
        config={"Env": ["A=0"], "Hostname": "id-web", "Image": "app:1", "Labels": {"x": "y"}},
        host_config={"Memory": 5},
        networks={"bridge": Endpoint("b"), "back": Endpoint("n", ("web", "db")), "front": Endpoint("f")},
    )
    known = service(networks=(Attachment("rear", "back"),))
    found = last_good(Memory(), known, "bad", [old])
    assert found is not None
    assert found.service.container == {
        "Env": ["A=0"],
        "Labels": {"team": "a"},
        "HostConfig": {"Memory": 5, "Mounts": []},
    }
    assert [(item.key, item.network, item.aliases) for item in found.service.networks] == [
        ("rear", "back", ("db",)),
        ("front", "front", ()),
    ]
    assert (found.service.container_name, found.spec_hash, found.image_id) == ("front", "old", IMAGE.id)


def test_a_host_name_that_somebody_chose_is_kept() -> None:
    """One that the engine made of the id is not."""
    old = container(config={"Hostname": "db-1"})
    found = last_good(Memory(), service(), "bad", [old])
    assert found is not None
    assert found.service.container["Hostname"] == "db-1"


def test_what_never_ran_is_nothing_to_go_back_to() -> None:
    """Nor is the failed definition itself, wherever it stands."""
    wanted = service()
    assert last_good(Memory(), wanted, "bad", [container(started_at=0.0, status="created")]) is None
    assert last_good(Memory(), wanted, "old", [container()]) is None
    assert last_good(remembering(stable(wanted)), wanted, "old", []) is None


def test_an_operation_that_failed_for_good_goes_back_too() -> None:
    """A create that the engine refuses fails the rollout, and what runs stays."""
    wanted = desired(rolling())
    asked = step(wanted, observed(container())).operations[0]
    memory = remembering(stable(BEFORE)).with_failed_operation(asked.id, "no space left")
    found = step(wanted, observed(container()), memory)
    assert [(failure.reason, failure.rolled_back) for failure in found.failures] == [("OperationFailed", True)]
    after = step(wanted, observed(container()), memory.with_failures(found.failures))
    assert (after.empty, reasons(after)) == (True, ["RolledBack"])


def test_a_refused_operation_on_a_stable_definition_is_no_failed_rollout() -> None:
    """A replica that was lost and cannot be made again is told; the definition is not thrown away."""
    wanted = desired(rolling())
    own = current(wanted).labels[labels.SPEC_HASH]
    memory = remembering(stable(wanted.project.services[0], own))
    asked = step(wanted, observed(), memory).operations[0]
    found = step(wanted, observed(), memory.with_failed_operation(asked.id, "no space left"))
    assert (found.failures, reasons(found)) == ((), ["OperationFailed"])


def test_a_name_that_cannot_be_given_fails_the_rollout() -> None:
    """With `publish: healthy` a replica that nobody can reach is not up."""
    networks = (Attachment("default", "net"),)
    wanted = desired(service(networks=networks, rollout=Rollout(publish="healthy", **QUICK)))  # type: ignore[arg-type]
    new = current(wanted, networks={"net": Endpoint("n", ("shop-web-1",))})
    memory = Memory().with_failed_operation("network.disconnect:web/1/11111111:net/publish", "refused")
    found = step(wanted, observed(new, networks=(NetworkState("n", "net"),)), memory)
    assert [failure.message for failure in found.failures] == ["refused"]


def test_an_operation_that_the_policy_refused_is_no_fault_of_the_definition() -> None:
    """It goes back all the same, and waits for a change; it is in no quarantine that a person would have to lift."""
    wanted = desired(rolling())
    asked = step(wanted, observed(container())).operations[0]
    memory = remembering(stable(BEFORE)).with_refused_operation(asked.id, "not allowed here")
    found = step(wanted, observed(container()), memory)
    assert [(failure.reason, failure.rolled_back) for failure in found.failures] == [("PolicyDenied", True)]
    known = memory.with_failures(found.failures)
    assert list(known.denied.values()) == list(found.failures)
    after = step(wanted, observed(container()), known)
    assert (after.empty, reasons(after)) == (True, ["RolledBack"])
    assert "until its spec or the policy changes" in after.conditions[0].message
