"""What comes to be wanted of a project while it is being looked at: nothing follows from a look that knew less."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.service.keeper import Waiter
from reconciler.service.mail import Message, SourceChanged
from reconciler.service.surroundings import Job, Kind
from tests.support.service import SOURCE, Served, spec


class Delayed:
    """A service whose next look at a project ends only when told to: its answer is kept back until then."""

    def __init__(self, served: Served, project: str) -> None:
        self._served, self._project, self._start = served, project, served.surroundings.start
        self._kept: list[Message] = []
        served.surroundings.start = self._hold  # type: ignore[method-assign]

    def _hold(self, kind: Kind, name: str, job: Job, /) -> None:
        if kind == "look" and name == self._project and not self._kept:
            self._kept.append(job())
        else:
            self._start(kind, name, job)

    def look(self) -> None:
        """Until the look has begun."""
        for _ in range(20):
            if self._kept:
                return
            self._served.dispatcher.turn()
        raise AssertionError("nobody looks at the project")

    def source_read(self) -> None:
        """What the source has now is heard meanwhile."""
        self._served.surroundings.post(SourceChanged(SOURCE))
        for _ in range(4):
            self._served.dispatcher.turn()

    def end(self) -> None:
        """The look ends, and whatever follows."""
        self._served.post(self._kept[0])
        self._served.settle()


@pytest.fixture
def served(tmp_path: Path) -> Served:
    """A service with two projects that are up."""
    (tmp_path / "shop.yaml").write_text(spec())
    (tmp_path / "blog.yaml").write_text(spec("blog:1"))
    found = Served(tmp_path)
    found.settle()
    return found


def test_a_project_that_comes_back_is_not_removed(served: Served) -> None:
    """Gone with one commit, back with the next one, while its removal was being planned."""
    (before,) = (row["Id"] for row in served.engine.list_containers() if row["Image"].startswith("web:1"))
    slow = Delayed(served, "shop")
    (served.folder / "shop.yaml").unlink()
    slow.source_read()
    slow.look()
    (served.folder / "shop.yaml").write_text(spec())
    slow.source_read()
    slow.end()
    assert before in {row["Id"] for row in served.engine.list_containers()}
    assert served.containers() == ["blog:1", "web:1"]


def test_a_project_that_leaves_while_it_is_well_is_removed(served: Served) -> None:
    """A look that found it in sync does not mean that its removal is done."""
    slow = Delayed(served, "shop")
    served.dispatcher.ask_for("shop", "asked to")
    slow.look()
    (served.folder / "shop.yaml").unlink()
    slow.source_read()
    slow.end()
    assert served.containers() == ["blog:1"]


def test_a_newer_commit_is_what_is_rolled_out(served: Served) -> None:
    """The older one, which was being planned, never runs."""
    slow = Delayed(served, "shop")
    (served.folder / "shop.yaml").write_text(spec("web:2"))
    slow.source_read()
    slow.look()
    (served.folder / "shop.yaml").write_text(spec("web:3"))
    slow.source_read()
    slow.end()
    assert served.containers() == ["blog:1", "web:3"]
    assert not [call for call in served.engine.calls if "web:2" in str(call)]


def test_who_waits_is_told_what_came_of_the_newer_wish(served: Served) -> None:
    """`sync` began with a look that counts no more: it ends with what the next one did."""
    slow, waiter = Delayed(served, "shop"), Waiter(lambda _activity: None)
    served.dispatcher.keeper("shop").waiting.append(waiter)
    served.dispatcher.ask_for("shop", "asked to")
    slow.look()
    (served.folder / "shop.yaml").write_text(spec("web:2"))
    slow.source_read()
    assert not waiter.done.is_set()
    slow.end()
    assert waiter.report is not None
    assert [item.kind for item in waiter.report.operations][:1] == ["image.pull"]


def test_who_waits_for_a_project_that_is_let_go_is_told(served: Served) -> None:
    """One that must not be pruned is nobody's once its file is gone, also where it was just looked at."""
    served.write("shop.yaml", f"{spec()}x-reconcile: {{prune: false}}\n")
    slow, waiter = Delayed(served, "shop"), Waiter(lambda _activity: None)
    served.dispatcher.keeper("shop").waiting.append(waiter)
    served.dispatcher.ask_for("shop", "asked to")
    slow.look()
    (served.folder / "shop.yaml").unlink()
    slow.source_read()
    assert getattr(waiter.error, "code", "") == "LeftSource"
    slow.end()
    assert "shop" not in served.dispatcher.keepers
    assert served.containers() == ["blog:1", "web:1"]
