"""What follows whom: dependencies, shared namespaces, and how much of a project may be out of service."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.desired import Desired
from reconciler.model.memory import Failure, Memory
from reconciler.model.observed import Container
from reconciler.model.project import Dependency, Rollout, Service
from tests.support.planning import (
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

STOP_FIRST = Rollout("stop-first", min_running=0.0, monitor=0.0)
VPN = (("NetworkMode", "vpn"),)


def held(wanted: Desired, *names: str, **changes: Any) -> Memory:
    """A memory in which these services came up with what is wanted of them now."""
    definitions = []
    for name in names:
        found = wanted.project.service(name)
        assert found is not None
        definitions.append(stable(found, current(wanted, name).labels[labels.SPEC_HASH]))
    return remembering(*definitions, **changes)


# --- dependencies -----------------------------------------------------------------------------------------------------


def test_dependencies_roll_first() -> None:
    """What depends on a service is not begun with before all of that one is new."""
    wanted = desired(service(depends_on=(Dependency("db"),)), service("db", replicas=2))
    old = [container(), container("db", 1), container("db", 2)]
    assert kinds(step(wanted, observed(*old))) == ["container.create db/1"]
    found = step(wanted, observed(*old, current(wanted, "db", 1)))
    assert [item for item in kinds(found) if "web" in item] == []
    assert [item.waiting for item in found.services if item.name == "web"] == ["db to have started"]


def test_a_failed_service_blocks_its_dependents_not_its_siblings() -> None:
    """Those stay as they are, and say whose fault it is."""
    wanted = desired(service("db"), service(depends_on=(Dependency("db"),)), service("sibling"))
    memory = known_bad(wanted, "db", remembering(stable(service("db"))))
    found = step(wanted, observed(container("db"), container(), container("sibling")), memory)
    assert kinds(found) == ["container.create sibling/1"]
    assert reasons(found) == ["RolledBack", "DependencyFailed"]


def test_a_dependent_that_held_comes_back_beside_a_rolled_back_dependency() -> None:
    """It is as good with the definition that both ran before."""
    wanted = desired(service("db"), service(depends_on=(Dependency("db"),)))
    memory = held(wanted, "web", made={})
    memory = known_bad(wanted, "db", replace(memory, stable={**memory.stable, "db": stable(service("db"))}))
    found = step(wanted, observed(container("db")), memory)
    assert kinds(found) == ["container.create web/1"]


def test_a_dependent_goes_back_where_its_dependency_fails_halfway() -> None:
    """The container that made room for its next one is started again."""
    wanted = desired(service("db"), service(depends_on=(Dependency("db"),), rollout=STOP_FIRST))
    memory = known_bad(wanted, "db", remembering(stable(service("db"))))
    found = step(wanted, observed(container("db"), container(status="exited")), memory)
    assert targets(found) == [("container.start", "id-web-1")]


def test_restart_true_replaces_what_depends_on_it() -> None:
    """Once the dependency is through, with the reason said; without `restart` it is left alone."""
    for restart, expected in ((True, ["container.create web/1"]), (False, [])):
        wanted = desired(service("db"), service(depends_on=(Dependency("db", restart=restart),)))
        db, web = current(wanted, "db", created_at=500.0), current(wanted)
        found = step(wanted, observed(db, web), held(wanted, "db", "web"))
        assert kinds(found) == expected
        assert [cause.reason for item in found.operations for cause in item.cause] == ["db was replaced"] * restart


def test_restart_true_waits_until_all_of_it_is_new() -> None:
    """Half a dependency is no reason to replace anything yet."""
    depending = service(depends_on=(Dependency("db", restart=True),))
    wanted = desired(service("db", replicas=2), depending)
    seen = observed(current(wanted, "db", 1, created_at=500.0), container("db", 2), current(wanted))
    assert [item for item in kinds(step(wanted, seen, held(wanted, "web"))) if "web" in item] == []


def test_the_dependency_replaced_last_is_the_reason() -> None:
    """One reason, the newest."""
    both = (Dependency("db", restart=True), Dependency("cache", restart=True), Dependency("gone", restart=True))
    wanted = desired(service("db"), service("cache"), service(depends_on=both))
    seen = observed(
        current(wanted, "db", created_at=500.0), current(wanted, "cache", created_at=600.0), current(wanted)
    )
    found = step(wanted, seen, held(wanted, "db", "cache", "web"))
    assert [cause.field for cause in found.operations[0].cause] == ["depends_on.cache.restart"]


# --- shared namespaces ------------------------------------------------------------------------------------------------


def sharing(**changes: Any) -> Desired:
    """A service that lives in the network of another."""
    return desired(service("vpn"), service(shares=VPN, rollout=STOP_FIRST, **changes))


def joined(owner: str, **changes: Any) -> Container:
    """The replica of an older definition, in the network of that container."""
    return container(networks={}, host_config={"NetworkMode": f"container:{owner}"}, **changes)


def test_who_shares_a_namespace_is_replaced_with_its_owner() -> None:
    """The hash tells: it joined a container that is another one now."""
    wanted = sharing()
    found = step(wanted, observed(current(wanted, "vpn"), joined("id-vpn-1")))
    assert kinds(found) == ["container.create web/1"]
    assert found.operations[0].payload["body"]["HostConfig"]["NetworkMode"] == "container:new-vpn-1"
    assert "network_mode" in [cause.field for cause in found.operations[0].cause]


def test_the_owner_stays_until_those_in_its_namespace_have_moved() -> None:
    """Stopped under them, they would be without a network until they are replaced."""
    wanted = sharing()
    old, new = container("vpn"), current(wanted, "vpn")
    assert kinds(step(wanted, observed(old, new, joined(old.id)))) == ["container.create web/1"]
    created = current_sharing(wanted, new, status="created", started_at=0.0)
    assert kinds(step(wanted, observed(old, new, joined(old.id), created))) == ["container.stop web/1"]
    moving = step(wanted, observed(old, new, joined(old.id, status="exited"), created))
    assert kinds(moving) == ["container.stop vpn/1", "container.start web/1"]


def test_an_owner_that_cannot_run_twice_is_stopped_under_them() -> None:
    """Waiting for those who wait for the new one would never end."""
    wanted = desired(service("vpn", rollout=STOP_FIRST), service(shares=VPN, rollout=STOP_FIRST))
    created = current(wanted, "vpn", status="created", started_at=0.0)
    found = step(wanted, observed(container("vpn"), created, joined("id-vpn-1")))
    assert kinds(found) == ["container.stop vpn/1"]


@pytest.mark.parametrize("whose", ["another owner's", "another service's"])
def test_nobody_else_keeps_an_owner_running(whose: str) -> None:
    """Only replicas that joined this container, of services that share its namespace in this spec."""
    wanted = sharing() if whose == "another owner's" else desired(service("vpn"), service())
    old, new = container("vpn"), current(wanted, "vpn")
    beside = joined("id-other" if whose == "another owner's" else old.id)
    assert "container.stop vpn/1" in kinds(step(wanted, observed(old, new, beside)))


def test_a_failed_sharer_does_not_keep_the_owner() -> None:
    """It moves no more: its last good definition is made anew in the new namespace."""
    wanted = sharing()
    old, new = container("vpn"), current(wanted, "vpn")
    bad = current_sharing(wanted, new).labels[labels.SPEC_HASH]
    before = service(shares=VPN, rollout=STOP_FIRST, container={"Env": ["A=0"]})
    memory = remembering(stable(before)).with_failures((Failure("web", bad, "Exited", "x", rolled_back=True),))
    found = step(wanted, observed(old, new, joined(old.id)), memory)
    assert kinds(found) == ["container.stop vpn/1", "container.create web/1"]


def test_a_bad_definition_comes_back_joined_to_the_new_owner() -> None:
    """Its old container cannot be started again: whose network it had is gone."""
    wanted = sharing()
    owner = current(wanted, "vpn")
    bad_hash = current_sharing(wanted, owner).labels[labels.SPEC_HASH]
    before = service(shares=VPN, rollout=STOP_FIRST, container={"Env": ["A=0"]})
    memory = replace(
        remembering(stable(before)),
        attempted=frozenset({"shop-web-1-11111111"}),
    )
    dead = current_sharing(wanted, owner, status="exited", exit_code=1)
    old = joined("id-vpn-1", status="exited")
    found = step(wanted, observed(owner, old, dead), memory)
    creation = next(item for item in found.operations if item.kind == "container.create")
    body = creation.payload["body"]
    assert (body["Env"], body["HostConfig"]["NetworkMode"]) == (["A=0"], "container:new-vpn-1")
    assert body["Labels"][labels.SPEC_HASH] == "old" != bad_hash


def current_sharing(wanted: Desired, owner: Any, **changes: Any) -> Any:
    """The replica of the wanted definition, joined to that owner."""
    (creation,) = step(wanted, observed(owner)).operations
    spec_hash = creation.payload["body"]["Labels"][labels.SPEC_HASH]
    own = {labels.SPEC_HASH: spec_hash, labels.ROLLOUT: "11111111"}
    host = {"NetworkMode": f"container:{owner.id}"}
    return container(labels=own, **{"id": "new-web-1", "created_at": 5.0, "host_config": host, **changes})


def test_going_back_to_a_replica_of_another_owner_makes_it_anew() -> None:
    """It runs, but in a network that is not there any more."""
    wanted = sharing()
    owner = current(wanted, "vpn")
    before = service(shares=VPN, rollout=STOP_FIRST, container={"Env": ["A=0"]})
    dead = current_sharing(wanted, owner, status="exited", exit_code=1)
    memory = replace(remembering(stable(before)), attempted=frozenset({dead.name}))
    found = step(wanted, observed(owner, joined("id-vpn-1"), dead), memory)
    assert [item for item in kinds(found) if "create" in item] == ["container.create web/1"]


# --- how much at once -------------------------------------------------------------------------------------------------


def bounded(count: int | None, *services: Service) -> Desired:
    """`--max-unavailable`."""
    return replace(desired(*services), max_unavailable=count)


def several(**changes: Any) -> tuple[Service, ...]:
    """Three services of one replica that cannot run twice."""
    return tuple(service(name, **{"rollout": STOP_FIRST, **changes}) for name in ("a", "b", "c"))


@pytest.mark.parametrize(("bound", "begun"), [(None, 3), (3, 3), (2, 2), (1, 1), (0, 0)])
def test_max_unavailable_bounds_the_whole_project(bound: int | None, begun: int) -> None:
    """However many services roll, no more of their replicas are being replaced at once."""
    wanted = bounded(bound, *several())
    found = step(wanted, observed(*(container(name) for name in "abc")))
    assert len([item for item in found.operations if item.kind == "container.create"]) == begun


@pytest.mark.parametrize(
    "out",
    [
        {"status": "exited"},
        {"status": "paused"},
        {"health": "unhealthy"},
    ],
)
def test_what_does_not_serve_already_counts(out: dict[str, Any]) -> None:
    """A replica that fell over by itself is unavailable too: it is replaced, and no other one taken out beside it."""
    wanted = bounded(1, *several())
    found = step(wanted, observed(container("a", **out), container("b"), container("c")))
    assert [item.service for item in found.operations if item.kind == "container.create"] == ["a"]


def test_a_replacement_under_way_counts() -> None:
    """From the moment its successor exists until that is up."""
    wanted = bounded(1, *several())
    seen = observed(container("a"), current(wanted, "a", status="created"), container("b"), container("c"))
    assert kinds(step(wanted, seen)) == ["container.stop a/1"]


def test_what_serves_again_leaves_its_place_to_the_next() -> None:
    """A replica that is through counts no more, even while the stopped one that it replaced is still there."""
    wanted = bounded(1, *several())
    through = (container("a", status="exited"), current(wanted, "a"))
    found = step(wanted, observed(*through, container("b"), container("c")))
    assert [item.service for item in found.operations if item.kind == "container.create"] == ["b"]


def test_a_replica_that_never_ran_is_not_out_of_service() -> None:
    """Scaling up takes nothing away, so it leaves the bound to those that are replaced."""
    wanted = bounded(1, *several())
    found = step(wanted, observed(container("b"), container("c")))
    assert [item.service for item in found.operations if item.kind == "container.create"] == ["a", "b"]


def test_start_first_takes_nothing_out_of_service() -> None:
    """It is not bounded by it."""
    wanted = bounded(0, *several(rollout=Rollout(min_running=0.0, monitor=0.0)))
    assert len(step(wanted, observed(*(container(name) for name in "abc"))).operations) == 3


# --- jobs -------------------------------------------------------------------------------------------------------------


def test_a_job_runs_once_per_definition_also_when_its_container_is_gone() -> None:
    """Somebody removed it after it completed: nothing is run again."""
    wanted = desired(service(job=True))
    found = step(wanted, observed(), held(wanted, "web"))
    assert found.empty
    assert (found.services[0].health, found.services[0].sync) == ("Completed", "Synced")


def test_a_changed_job_runs_again() -> None:
    """Another definition is another job."""
    wanted = desired(service(job=True))
    memory = held(desired(service(job=True, container={"Env": ["A=0"]})), "web")
    done = container(status="exited")
    assert kinds(step(wanted, observed(done), memory)) == ["container.create web/1"]


def test_a_job_that_completed_is_not_run_again_beside_another_of_it() -> None:
    """Back to a definition that completed before, while a later one still runs: that is never called done."""
    wanted = desired(service(job=True))
    found = step(wanted, observed(container()), held(wanted, "web"))
    assert "container.create" not in [item.kind for item in found.operations]
    assert found.operations or found.conditions
    assert found.services[0].sync == "OutOfSync"


def test_a_completed_job_is_completed() -> None:
    """Exit 0; what waits for it goes on."""
    after = Dependency("web", "service_completed_successfully")
    wanted = desired(service(job=True), service("app", depends_on=(after,)))
    found = step(wanted, observed(current(wanted, status="exited", exit_code=0)))
    assert found.services[1].health == "Completed"
    assert kinds(found) == ["container.create app/1"]


def test_a_job_that_takes_too_long_has_failed() -> None:
    """`progress_deadline` ends every wait."""
    wanted = desired(service(job=True, rollout=Rollout(progress_deadline=60.0)))
    job = current(wanted, started_at=NOW - 59.0)
    assert step(wanted, observed(job)).wake_at == NOW + 1.0
    late = current(wanted, started_at=NOW - 60.0)
    found = step(wanted, observed(late), Memory(attempted=frozenset({late.name})))
    assert [failure.message for failure in found.failures] == ["web/1: did not complete within 60 s"]
