"""What is in force, whatever a source says or cannot say."""

from __future__ import annotations

from reconciler.model.project import Image, Notice, Project, Service
from reconciler.model.revision import Revision
from reconciler.service.fleet import Change, Fleet, Member, Reading, Trouble

ERROR = Notice("SpecInvalid", "tabs are not allowed", "blog.yaml:3")


def member(name: str, image: str = "web:1", source: str = "ops", commit: str = "a" * 40) -> Member:
    service = Service("web", Image(image), {})
    project = Project(name, (service,), source=f"{name}.yaml:1", revision=Revision(source, commit))
    return Member(project, source, (f"{name}.yaml",))


def reading(*members: Member, troubles: tuple[Trouble, ...] = (), source: str = "ops") -> Reading:
    return Reading(source, Revision(source, "a" * 40), members, troubles)


def fleet_with(*members: Member) -> Fleet:
    fleet = Fleet()
    fleet.take(reading(*members), {})
    return fleet


def test_a_first_reading_is_all_new() -> None:
    """Every project has changed, and none is gone."""
    fleet = Fleet()
    assert fleet.take(reading(member("shop"), member("blog")), {}) == Change(frozenset({"shop", "blog"}))
    assert set(fleet.members) == {"shop", "blog"}
    assert fleet.revision("ops") == Revision("ops", "a" * 40)
    assert fleet.revision("other") is None


def test_a_commit_concerns_only_the_projects_that_it_changed() -> None:
    """Another commit alone is another revision, not another definition."""
    fleet = fleet_with(member("shop"), member("blog"))
    change = fleet.take(reading(member("shop", commit="b" * 40), member("blog", "web:2", commit="b" * 40)), {})
    assert change == Change(frozenset({"blog"}), frozenset({"shop"}))
    found = fleet.members["shop"].project.revision
    assert found is not None
    assert found.commit == "b" * 40


def test_a_project_that_left_is_gone() -> None:
    """And no longer in force."""
    fleet = fleet_with(member("shop"), member("blog"))
    assert fleet.take(reading(member("shop")), {}).gone == {"blog"}
    assert set(fleet.members) == {"shop"}


def test_a_broken_file_keeps_its_last_good_project_in_force() -> None:
    """The others go on; what is wrong is known by project."""
    fleet = fleet_with(member("shop"), member("blog"))
    change = fleet.take(reading(member("shop", "web:2"), troubles=(Trouble(("blog.yaml",), (ERROR,)),)), {})
    assert change == Change(frozenset({"shop"}))
    assert set(fleet.members) == {"shop", "blog"}
    assert list(fleet.errors) == [ERROR]
    assert fleet.errors_of("blog") == (ERROR,)
    assert not fleet.errors_of("shop")
    assert not fleet.errors_of("unknown")
    assert fleet.unread


def test_nothing_is_gone_while_a_file_cannot_be_read_that_may_be_it() -> None:
    """A file that was renamed and is broken hides its project: unknown is not absent."""
    fleet = fleet_with(member("shop"), member("blog"))
    renamed = Trouble(("new.yaml",), (ERROR,))
    assert fleet.take(reading(member("shop"), troubles=(renamed,)), {}).gone == frozenset()
    known = Trouble(("new.yaml",), (ERROR,), "other")
    assert fleet.take(reading(member("shop"), troubles=(known,)), {}).gone == {"blog"}


def test_a_project_of_an_earlier_life_can_be_gone() -> None:
    """What the store knows of the source counts, unless its file cannot be read or another source has it now."""
    before = {"blog": ("blog.yaml",), "shop": ("shop.yaml",)}
    assert Fleet().take(reading(member("shop")), before).gone == {"blog"}
    broken = Trouble(("blog.yaml",), (ERROR,), "renamed")
    assert Fleet().take(reading(member("shop"), troubles=(broken,)), before).gone == frozenset()
    fleet = Fleet()
    fleet.take(reading(member("blog", source="other"), source="other"), {})
    assert fleet.take(reading(member("shop")), before).gone == frozenset()


def test_a_project_of_another_source_is_not_taken_over() -> None:
    """The first one keeps it, and who comes second is told."""
    fleet = fleet_with(member("shop"))
    change = fleet.take(reading(member("shop", "evil:1", "other"), member("blog", source="other"), source="other"), {})
    assert change == Change(frozenset({"blog"}))
    assert fleet.members["shop"].source == "ops"
    assert [(error.code, error.source) for error in fleet.errors] == [("ProjectTwice", "shop.yaml:1")]


def test_a_project_that_is_gone_from_one_source_can_come_from_another() -> None:
    """It belongs to nobody then."""
    fleet = fleet_with(member("shop"), member("blog"))
    fleet.take(reading(member("blog")), {})
    assert fleet.take(reading(member("shop", source="other"), source="other"), {}).changed == {"shop"}


def test_notices_are_of_the_latest_readings() -> None:
    """Those of an earlier one are gone with it."""
    fleet = Fleet()
    notice = Notice("NotASpec", "skipped", "x.yaml")
    fleet.take(Reading("ops", Revision("ops"), (member("shop"),), (), (notice,)), {})
    assert fleet.notices == (notice,)
    fleet.take(reading(member("shop")), {})
    assert not fleet.notices
