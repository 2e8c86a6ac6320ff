"""Taking over what docker compose made: on the simulated engine, from the dry-run to the runs after it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from reconciler.engine.simulated import Behaviour, outside
from reconciler.model import labels
from reconciler.model.observed import RegistryAnswer
from reconciler.store import Store
from tests.support.composed import compose_up, leftover, one_off, replica
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.report import ProjectReport

WEB = 'services: {web: {image: "example/web:1.0", scale: 2, volumes: ["data:/data"]}}\nvolumes: {data: {}}\n'
VPN = """services:
  vpn: {image: "example/vpn:1.0", container_name: gateway}
  app: {image: "example/app:1.0", network_mode: "service:vpn", pid: "service:vpn"}
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def names(world: World) -> list[str]:
    """Every container's name and state."""
    return sorted(f"{row['Names'][0][1:]} {row['State']}" for row in world.engine.list_containers())


def reasons(report: ProjectReport) -> list[str]:
    return [item.reason for item in report.conditions]


def codes(report: ProjectReport) -> list[str]:
    return [item.code for item in report.notices]


def test_unasked_it_is_blocked(world: World) -> None:
    """The message names both ways to go on."""
    compose_up(world, WEB)
    before = names(world)
    report = world.converge(world.project(WEB))
    assert (reasons(report), report.succeeded, names(world)) == (["NotOurs"], False, before)
    assert "`--dry-run --adopt`" in report.conditions[0].message


def test_what_matches_is_kept_for_good(world: World) -> None:
    """The run that adopts touches nothing, and neither does any run after it, without being told again."""
    compose_up(world, WEB)
    before = names(world)
    report = world.converge(world.project(WEB), adopt=True)
    assert (report.succeeded, report.operations) == (True, ())
    assert [replica[:2] for replica in report.adoption.replicas] == [("web", 1), ("web", 2)]
    assert (report.adoption.networks, report.adoption.volumes) == (("shop_default",), ("shop_data",))
    assert set(codes(report)) == {"Adopted"}
    later = world.converge(world.project(WEB))
    assert (later.succeeded, later.operations, later.notices, names(world)) == (True, (), (), before)
    assert later.adoption.empty


def test_a_dry_run_remembers_nothing(world: World) -> None:
    """What it shows is not in force."""
    compose_up(world, WEB)
    assert world.plan(world.project(WEB), adopt=True).converges
    assert world.memory().adopted == {}
    assert reasons(world.plan(world.project(WEB))) == ["NotOurs"]


def test_without_its_memory_it_is_blocked_again(world: World) -> None:
    """Nothing is removed that is not known to be ours."""
    compose_up(world, WEB)
    world.converge(world.project(WEB), adopt=True)
    world.store = Store.in_memory()
    assert reasons(world.plan(world.project(WEB))) == ["NotOurs"]


def test_later_changes_roll_like_any_other(world: World) -> None:
    """New replicas get our names, the old ones go, and memory forgets them; the network and the volume stay."""
    compose_up(world, WEB)
    networks = {row["Id"] for row in world.engine.list_networks()}
    world.converge(world.project(WEB), adopt=True)
    changed = world.project(WEB.replace("scale: 2", "scale: 2, environment: {A: b}"))
    report = world.converge(changed)
    assert report.succeeded
    assert all(re.fullmatch(r"shop-web-[12]-[0-9a-f]{8} running", name) for name in names(world))
    assert {operation.kind.partition(".")[0] for operation in report.operations} == {"container"}
    assert {row["Id"] for row in world.engine.list_networks()} == networks
    assert world.plan(changed).operations == ()
    world.converge(changed)
    assert world.memory().adopted == {}


def test_a_failed_rollout_goes_back_to_what_compose_made(world: World) -> None:
    """The old containers wait until the new ones are up, as ours do."""
    compose_up(world, WEB)
    dies = Behaviour(exit_after=1.0)
    world.behaviours = lambda _image, config: dies if "A=b" in config.get("Env", ()) else Behaviour()
    changed = world.project(WEB.replace("scale: 2", "scale: 2, environment: {A: b}"))
    report = world.converge(changed, adopt=True)
    assert not report.succeeded
    assert reasons(report) == ["RolledBack"]
    assert "shop-web-2 running" in names(world)
    assert [name.endswith("running") for name in names(world)] == [True, True]


def test_shared_namespaces_and_literal_names_are_kept(world: World) -> None:
    """An owner need not be up for long: what joined it is judged by whom it joined."""
    compose_up(world, VPN)
    outside.restart_engine(world.engine)
    for name in ("gateway", "shop-app-1"):
        world.engine.start_container(name)
    before = names(world)
    report = world.converge(world.project(VPN), adopt=True)
    assert (report.succeeded, report.operations, names(world)) == (True, (), before)
    assert [item[0] for item in report.adoption.replicas] == ["app", "vpn"]


def test_what_shares_with_an_owner_that_goes_is_replaced_too(world: World) -> None:
    """Its namespace ends with the owner."""
    compose_up(world, VPN)
    report = world.converge(world.project(VPN.replace("gateway}", "gateway, user: nobody}")), adopt=True)
    assert report.succeeded
    assert {operation.service for operation in report.operations} == {"vpn", "app"}


def test_what_is_not_whole_is_no_replica(world: World) -> None:
    """A leftover goes, what `docker compose run` started stays, and a replica too many goes as any other."""
    compose_up(world, WEB)
    leftover(world, "web", 1)
    one_off(world, "web")
    replica(world, "web", 3)
    assert world.converge(world.project(WEB), adopt=True).succeeded
    assert names(world) == ["shop-web-1 running", "shop-web-2 running", "shop-web-run-0123456789ab running"]
    assert reasons(world.plan(world.project(WEB))) == []


def test_a_leftover_alone_says_what_it_is(world: World) -> None:
    """A run that failed after it had removed the replica has left nothing else of it."""
    compose_up(world, WEB)
    outside.remove(world.engine, "shop-web-1")
    leftover(world, "web", 1)
    report = world.converge(world.project(WEB), adopt=True)
    assert report.succeeded
    causes = {item.reason for operation in report.operations for item in operation.cause}
    assert causes == {"0123456789ab_shop-web-1 was left behind by docker compose and never ran"}


def test_services_that_left_the_spec_go_unless_told_otherwise(world: World) -> None:
    """As our own do."""
    both = 'services: {web: {image: "example/web:1.0"}, old: {image: "example/old:1.0"}}\n'
    one = 'services: {web: {image: "example/web:1.0"}}\n'
    compose_up(world, both)
    kept = world.converge(world.project(one + "x-reconcile: {prune: false}\n"), adopt=True)
    assert ("Orphan" in codes(kept), names(world)) == (True, ["shop-old-1 running", "shop-web-1 running"])
    assert world.converge(world.project(one)).succeeded
    assert names(world) == ["shop-web-1 running"]


def test_services_that_a_run_is_not_about_stay_composes(world: World) -> None:
    """Those of a profile that is off are neither taken over nor in the way."""
    both = 'services: {web: {image: "example/web:1.0"}, debug: {image: "example/old:1.0"}}\n'
    compose_up(world, both)
    off = both.replace('"example/old:1.0"', '"example/old:1.0", profiles: [debug]')
    assert world.converge(world.project(off), adopt=True).operations == ()
    assert {item[labels.SERVICE] for item in world.memory().adopted.values()} == {"web"}
    assert world.converge(world.project(off)).succeeded
    assert reasons(world.plan(world.project(both))) == ["NotOurs"]


def test_another_instances_containers_are_not_adopted(world: World) -> None:
    """Only what Compose itself made is."""
    one = 'services: {web: {image: "example/web:1.0"}}\n'
    compose_up(world, one)
    for box in world.engine.world.containers.values():
        box.document["Config"]["Labels"][labels.INSTANCE] = "another"
    report = world.converge(world.project(one), adopt=True)
    assert (reasons(report), world.memory().adopted) == (["NotOurs"], {})
    assert "--adopt" not in report.conditions[0].message


def test_what_compose_adds_beside_ours_comes_after_ours(world: World) -> None:
    """`docker compose up --scale` on a project of ours."""
    project = world.project(WEB)
    assert world.converge(project).succeeded
    before = names(world)
    replica(world, "web", 3)
    assert reasons(world.plan(project)) == ["NotOurs"]
    assert world.converge(project, adopt=True).succeeded
    assert names(world) == before


def test_a_project_from_another_folder_is_told(world: World) -> None:
    """It may be another project of the same name."""
    compose_up(world, WEB)
    for box in world.engine.world.containers.values():
        box.document["Config"]["Labels"][labels.COMPOSE_DIR] = "/srv/other"
    report = world.plan(world.project(WEB), adopt=True)
    assert codes(report)[0] == "AdoptedFromElsewhere"
    assert "/srv/other" in report.notices[0].message


def test_a_network_that_was_made_differently_is_made_anew(world: World) -> None:
    """It is ours then, as any network of ours whose definition changed, and so are the replicas on it."""
    compose_up(world, WEB)
    before = names(world)
    changed = world.project(WEB + "networks: {default: {internal: true}}\n")
    assert world.converge(changed, adopt=True).succeeded
    assert not set(before) & set(names(world))
    assert world.plan(changed).operations == ()


def test_a_network_alone_is_taken_over(world: World) -> None:
    """After `docker compose rm` nothing else is left."""
    compose_up(world, WEB)
    for row in world.engine.list_containers():
        outside.remove(world.engine, row["Id"])
    report = world.plan(world.project(WEB))
    assert "`--adopt`" in report.conditions[0].message
    assert world.converge(world.project(WEB), adopt=True).succeeded
    assert world.plan(world.project(WEB)).operations == ()


def test_a_container_that_goes_meanwhile_is_left_out(world: World) -> None:
    """Between the list and the inspection anything may happen."""
    compose_up(world, WEB)

    def vanish(call: object, moment: str) -> None:
        if getattr(call, "name", "") == "inspect_container" and moment == "before":
            world.engine.fault = None
            outside.remove(world.engine, "shop-web-1")

    world.engine.fault = vanish
    assert world.converge(world.project(WEB), adopt=True).succeeded
    assert [name.rpartition("-")[0] if name.count("-") > 2 else name for name in names(world)] == [
        "shop-web-1",
        "shop-web-2 running",
    ]


def test_a_job_that_completed_is_not_run_again(world: World) -> None:
    """It showed what it was asked for, and it ended well."""
    text = 'services: {migrate: {image: "example/app:1.0", restart: "no"}}\n'
    compose_up(world, text)
    assert world.converge(world.project(text), adopt=True).operations == ()
    assert world.converge(world.project(text)).operations == ()


def test_a_chain_of_shared_namespaces_is_kept(world: World) -> None:
    """Each is judged by the one before it."""
    text = VPN + '  last: {image: "example/app:1.0", network_mode: "service:vpn", ipc: "service:app"}\n'
    compose_up(world, text.replace("app: {", "app: {ipc: shareable, "))
    report = world.converge(world.project(text.replace("app: {", "app: {ipc: shareable, ")), adopt=True)
    assert [item[0] for item in report.adoption.replicas] == ["app", "last", "vpn"]
    assert report.operations == ()


def test_what_is_taken_over_waits_for_its_window(world: World) -> None:
    """It runs already, so that what is newer is an update like any other."""
    rules = '{web: {image: "example/web:1.0", x-reconcile: {image: {track: digest, window: "0 0 29 2 *"}}}}'
    compose_up(world, f"services: {rules}\n")
    before = names(world)
    world.engine.world.registry = {"example/web:1.0": RegistryAnswer(f"sha256:{'e' * 64}")}
    report = world.converge(world.project(f"services: {rules}\n"), adopt=True)
    assert (report.succeeded, report.operations, names(world)) == (True, (), before)
