"""The whole service on a simulated engine: what is in force runs, whatever sources and engine do, and nothing goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.engine.simulated import Behaviour, outside
from reconciler.errors import UsageError
from reconciler.service.mail import Happened, Reload
from tests.support.service import Served, spec


@pytest.fixture
def served(tmp_path: Path) -> Served:
    """A service with two projects that are up."""
    (tmp_path / "shop.yaml").write_text(spec())
    (tmp_path / "blog.yaml").write_text(spec("blog:1", 2))
    found = Served(tmp_path)
    found.settle()
    return found


def test_it_brings_up_what_its_source_has(served: Served) -> None:
    """And says in one line for each project that it is in sync then."""
    assert served.containers() == ["blog:1", "blog:1", "web:1"]
    assert {entry["project"] for entry in served.said("info") if entry.get("decided") == "in sync"} == {"shop", "blog"}


def test_a_saved_spec_is_delivered(served: Served) -> None:
    """To the project that it is about, with the cause in the log; the other one is left alone."""
    before = len(served.logged)
    served.write("shop.yaml", spec("web:2"))
    assert served.containers() == ["blog:1", "blog:1", "web:2"]
    new = served.logged[before:]
    assert any("image (shop.yaml:3)" in entry.get("cause", ()) for entry in new)
    assert {entry["project"] for entry in new if "project" in entry} == {"shop"}


def test_a_container_that_somebody_kills_is_replaced(served: Served) -> None:
    """By the event alone: no time has to pass. The pass says in one line what it decided, before it is done."""
    now, before = served.clock.now(), len(served.logged)
    outside.remove(served.engine, served.engine.list_containers()[0]["Id"])
    served.run(0.1)
    served.settle()
    assert served.containers() == ["blog:1", "blog:1", "web:1"]
    assert served.clock.now() - now < served.settings.resync
    told = [entry for entry in served.logged[before:] if entry["event"] in {"pass", "operation", "work ended"}]
    assert told[0]["decided"] == "container.create 1, container.start 1"
    assert [entry["event"] for entry in told] == ["pass", "operation", "operation", "work ended", "pass"]
    assert len({entry["pass"] for entry in told[:-1]}) == 1


def test_a_broken_spec_leaves_what_runs_and_costs_no_other_project(served: Served) -> None:
    """Its last good definition stays in force and is healed; a good one ends the trouble."""
    served.write("shop.yaml", "services: {web: {image: [}}\n")
    served.write("blog.yaml", spec("blog:2"))
    assert served.containers() == ["blog:2", "web:1"]
    assert [entry["code"] for entry in served.said("warning")] == ["SpecInvalid"]
    outside.remove(
        served.engine, next(row["Id"] for row in served.engine.list_containers() if row["Image"].startswith("web:1"))
    )
    served.run(0.1)
    served.settle()
    assert served.containers() == ["blog:2", "web:1"]
    status = served.desk.status((), (), deep=False)
    assert [error.code for error in status.errors] == ["SpecInvalid"]
    served.write("shop.yaml", spec("web:3"))
    assert served.containers() == ["blog:2", "web:3"]
    assert not served.desk.status((), (), deep=False).errors


def test_an_empty_folder_removes_nothing(served: Served) -> None:
    """Nor does one that is gone: it is said once, and what was read last stays in force."""
    (served.folder / "shop.yaml").unlink()
    served.remove("blog.yaml")
    served.run(3600)
    assert served.containers() == ["blog:1", "blog:1", "web:1"]
    assert len([entry for entry in served.said("warning") if entry["event"] == "source cannot be read"]) == 1


def test_a_project_whose_file_is_gone_goes(served: Served) -> None:
    """Because it came from this very source; the other one is not touched."""
    served.remove("shop.yaml")
    assert served.containers() == ["blog:1", "blog:1"]
    assert "shop" not in served.dispatcher.keepers


def test_a_project_that_must_not_be_pruned_stays(served: Served) -> None:
    """`prune: false` holds for the file that is gone, too."""
    served.write("shop.yaml", spec() + "x-reconcile: {prune: false}\n")
    served.remove("shop.yaml")
    assert served.containers() == ["blog:1", "blog:1", "web:1"]


def test_a_suspended_project_goes_once_it_is_resumed(served: Served) -> None:
    """It left its source meanwhile: until then it runs, status says so, and nothing is forgotten."""
    served.desk.suspend("shop", None, "looking into it", "ada")
    served.settle()
    served.remove("shop.yaml")
    served.run(3600)
    assert served.containers() == ["blog:1", "blog:1", "web:1"]
    status = served.desk.status(("shop",), (), deep=False)
    assert [item.reason for item in status.projects[0].conditions] == ["Suspended"]
    assert [notice.code for notice in status.warnings] == ["LeftSource"]
    assert served.desk.resume("shop", None, "ada") == ("shop",)
    served.settle()
    assert served.containers() == ["blog:1", "blog:1"]
    assert "shop" not in served.dispatcher.keepers
    assert not served.desk.status((), (), deep=False).warnings


def test_a_suspended_service_of_a_project_that_left_goes_when_it_is_resumed(served: Served) -> None:
    """The others went at once; a restart in between forgets nothing of that."""
    served.write("shop.yaml", spec() + spec("db:1", service="db").removeprefix("services:\n"))
    served.desk.suspend("shop", "db", "its data is being copied", "ada")
    served.settle()
    served.remove("shop.yaml")
    assert served.containers("shop") == ["db:1"]
    served.begin()
    served.settle()
    served.run(3600)
    assert served.containers("shop") == ["db:1"]
    assert served.desk.resume(None, "db", "ada") == ("shop/db",)
    served.settle()
    assert served.containers("shop") == []
    assert "shop" not in served.dispatcher.keepers


def test_a_service_of_a_project_that_left_is_told_from_the_live_one(served: Served) -> None:
    """Renamed while its service was suspended: `suspend` is for the new one, `resume` asks which of the two."""
    served.remove("blog.yaml")
    served.desk.suspend("shop", "web", "looking into it", "ada")
    served.settle()
    served.write("shop.yaml", f"name: store\n{spec()}")
    assert served.desk.suspend(None, "web", "this one too", "ada") == ("store/web",)
    with pytest.raises(UsageError, match="service web is in several projects: shop, store"):
        served.desk.resume(None, "web", "ada")
    with pytest.raises(UsageError, match="there is no service web in project shop"):
        served.desk.suspend("shop", "web", "it has left", "ada")
    assert served.containers("shop") == ["web:1"]
    assert served.desk.resume("store", "web", "ada") == ("store/web",)
    assert served.desk.resume("shop", "web", "ada") == ("shop/web",)
    served.settle()
    assert (served.containers("shop"), served.containers("store")) == ([], ["web:1"])


def test_a_project_that_comes_back_before_it_was_resumed_stays(served: Served) -> None:
    """What left and was held is in force again as its source has it now."""
    served.desk.suspend("shop", None, "looking into it", "ada")
    served.settle()
    served.remove("shop.yaml")
    served.write("shop.yaml", spec("web:2"))
    served.desk.resume("shop", None, "ada")
    served.settle()
    assert served.containers() == ["blog:1", "blog:1", "web:2"]


def test_a_network_in_use_by_others_goes_once_it_is_free(served: Served) -> None:
    """Nobody asks for it: the event of its last user's end is enough."""
    served.engine.create_container("guest", {"Image": "blog:1", "HostConfig": {"NetworkMode": "shop_default"}})
    guest = next(row["Id"] for row in served.engine.list_containers() if "/guest" in row["Names"])
    served.engine.start_container(guest)
    served.remove("shop.yaml")
    networks = {row["Name"] for row in served.engine.list_networks()}
    assert "shop_default" in networks
    assert served.containers("shop") == []
    outside.remove(served.engine, guest)
    served.run(served.settings.full)
    served.settle()
    assert "shop_default" not in {row["Name"] for row in served.engine.list_networks()}
    assert "shop" not in served.dispatcher.keepers


def test_it_remembers_over_a_restart_which_projects_are_its_own(tmp_path: Path) -> None:
    """A file that vanished while nobody looked is a project that left."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/shop.yaml").write_text(spec())
    (tmp_path / "specs/blog.yaml").write_text(spec("blog:1"))
    served = Served(tmp_path / "specs", state=tmp_path / "state")
    served.settle()
    (tmp_path / "specs/shop.yaml").unlink()
    served.begin()
    served.settle()
    assert served.containers() == ["blog:1"]


def test_an_idle_day_is_quiet(served: Served) -> None:
    """24 hours write at most ten lines at info, and no operation."""
    before, calls = len([e for e in served.logged if e["log_level"] != "debug"]), len(served.engine.world.event_log)
    served.run(24 * 3600)
    told = [entry for entry in served.logged if entry["log_level"] != "debug"][before:]
    assert len(told) <= 10, told
    assert len(served.engine.world.event_log) == calls


def test_a_bad_version_is_rolled_back_once_and_waits_for_a_change(tmp_path: Path) -> None:
    """Quarantine is terminal: an hour later nothing has been tried again; a new spec is, at once."""

    def behave(image: str, _: object) -> Behaviour:
        return Behaviour(exit_after=0.5, exit_code=1) if image.startswith("web:bad") else Behaviour()

    (tmp_path / "shop.yaml").write_text(spec())
    served = Served(tmp_path, behaviours=behave)
    served.settle()
    served.write("shop.yaml", spec("web:bad"))
    assert served.containers() == ["web:1"]
    events = served.engine.world.logged
    served.run(3600)
    assert served.engine.world.logged == events
    assert any(
        "Quarantined" in str(entry.get("decided")) or "RolledBack" in str(entry.get("decided"))
        for entry in served.logged
    )
    served.write("shop.yaml", spec("web:2"))
    assert served.containers() == ["web:2"]


def test_a_reload_looks_at_everything(served: Served) -> None:
    """SIGHUP: sources are asked and every project compared."""
    before = len(served.logged)
    served.post(Reload())
    served.run(0.1)
    served.settle()
    assert {e["project"] for e in served.logged[before:] if e["event"] == "pass"} == {"shop", "blog"}


def test_lost_events_cost_nothing(served: Served) -> None:
    """What happened while nobody listened is found."""
    outside.remove(served.engine, served.engine.list_containers()[0]["Id"])
    served.surroundings._seen = served.engine.world.told  # the stream was down
    served.post(Happened(lost=True))
    served.run(0.1)
    served.settle()
    assert served.containers() == ["blog:1", "blog:1", "web:1"]
