"""What is pushed, under which names, and what is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from reconciler.cli.push_text import render, render_errors, render_json
from reconciler.engine.simulated import SimulatedEngine, VirtualClock
from reconciler.errors import EngineError
from reconciler.forecast import VirtualExecutor
from reconciler.model.project import Build, Image, Notice, Project, Service
from reconciler.model.pushed import Pushed, PushReport
from reconciler.observation import image_from_row
from reconciler.pushing import push, push_tags

BUILD = Build("/c", "/c/Dockerfile", key="k", tag="reg.test/web:bk-1", tags=("reg.test/also",))


def service(name: str, reference: str, build: Build | None = BUILD) -> Service:
    return Service(name, Image(reference, build=build), {}, sources={"build": "compose.yaml:3"})


class Shop:
    """A simulated engine, with what its builds made."""

    def __init__(self, *services: Service, built: bool = True) -> None:
        self.engine = SimulatedEngine(VirtualClock(0.0))
        self.engine.world.registry = {}
        self.lines: list[tuple[str, str]] = []
        self.services = services
        for one in services if built else ():
            if one.image.build:
                names = (one.image.build.tag, *one.image.build.tags, one.image.reference)
                self.engine.build_image(one.image.build, tuple(name for name in names if name), None, lambda _: None)

    def push(self) -> tuple[Pushed, ...]:
        """What came of it."""
        images = tuple(image_from_row(row, None) for row in self.engine.list_images())
        said = self.lines
        executor = VirtualExecutor(self.engine)
        return push(Project("shop", self.services), images, executor, lambda *line: said.append(line))


def outcomes(items: tuple[Pushed, ...]) -> list[tuple[str, str]]:
    return [(item.reference, item.status) for item in items]


def test_all_names_are_pushed_once() -> None:
    """A service without a build is none of it; a name that two have is pushed for the first."""
    shop = Shop(service("web", "reg.test/web:1"), service("db", "postgres:16", None), service("api", "reg.test/web:1"))
    found = shop.push()
    names = ["reg.test/web:1", "reg.test/also:latest", "reg.test/web:bk-1"]
    assert outcomes(found) == [(name, "pushed") for name in names]
    assert {item.digest for item in found} == {answer.digest for answer in shop.engine.world.registry.values()}  # type: ignore[union-attr]
    assert {name for name, _ in shop.lines} == set(names)


def test_each_service_without_a_name_is_left_out() -> None:
    """By its name, with the reason."""
    found = Shop(service("web", ""), service("api", "")).push()
    assert [(item.service, item.status, item.reason) for item in found] == [
        ("web", "skipped", "NoImage"),
        ("api", "skipped", "NoImage"),
    ]


def test_what_is_not_there_fails() -> None:
    """Not built, or without a key: the trouble says why."""
    (found,) = Shop(service("web", "reg.test/web:1"), built=False).push()
    assert (found.status, found.reason) == ("failed", "NotBuilt")
    assert found.message.endswith("run reconcile first")
    unknown = replace(BUILD, key="", trouble="no base", reason="RegistryUnreachable")
    (found,) = Shop(service("web", "reg.test/web:1", unknown), built=False).push()
    assert (found.status, found.reason, found.message) == ("failed", "RegistryUnreachable", "no base")


def test_a_name_of_another_image_fails_and_the_others_are_pushed() -> None:
    """What is pushed is what was built."""
    shop = Shop(service("web", "reg.test/web:1"))
    shop.engine.build_image(Build("/o", "", key="o"), ("reg.test/web:1",), None, lambda _: None)
    found = shop.push()
    assert [item.status for item in found] == ["failed", "pushed", "pushed"]
    assert found[0].reason == "NotCurrent"


def test_a_refused_push_is_told() -> None:
    """With the engine's words; the others go on."""

    def refuse(call: Any, _moment: str) -> EngineError | None:
        refused = call.name == "push_image" and call.args == ("reg.test/web:1",)
        return EngineError("denied: a:b@c", code="PushFailed") if refused else None

    shop = Shop(service("web", "reg.test/web:1"))
    shop.engine.fault = refuse
    found = shop.push()
    assert [item.status for item in found] == ["failed", "pushed", "pushed"]
    assert (found[0].reason, found[0].message) == ("PushFailed", "denied: a:b@c")


@pytest.mark.parametrize(
    ("repository", "expected"),
    [("web", False), ("team/web", False), ("reg.test/web", True), ("localhost/web", True), ("reg:5000/web", True)],
)
def test_the_immutable_tag_goes_where_a_registry_is_named(repository: str, *, expected: bool) -> None:
    """By Docker's rule; elsewhere it would go to the hub."""
    tag = f"{repository}:bk-1"
    assert (tag in push_tags(service("web", f"{repository}:1"), replace(BUILD, tag=tag))) is expected


REPORT = PushReport(
    (
        (
            "shop",
            (
                Pushed("web", "reg.test/web:1", "pushed", f"sha256:{'1' * 64}", seconds=1.25),
                Pushed("api", "reg.test/api:1", "failed", message="denied", reason="PushFailed", source="c.yaml:3"),
                Pushed("bare", "", "skipped", message="it has no image: to be pushed as", reason="NoImage"),
            ),
        ),
        ("empty", ()),
    ),
    warnings=(Notice("W", "careful"),),
    errors=(Notice("E", "wrong"),),
)


def test_a_report_for_people() -> None:
    """A line each, and beneath it why not."""
    assert render(REPORT) == (
        "shop: 1 pushed, 1 skipped, 1 failed\n"
        "  pushed   web  reg.test/web:1  111111111111 (1.2 s)\n"
        "  failed   api  reg.test/api:1\n"
        "           denied  c.yaml:3\n"
        "  skipped  bare\n"
        "           it has no image: to be pushed as\n"
        "\n"
        "empty: nothing is built here\n"
    )


def test_a_report_for_scripts() -> None:
    """The same as one document; a digest that is not known is null."""
    assert REPORT.failed
    assert not PushReport().failed
    document = json.loads(render_json(REPORT))
    assert (document["schema_version"], document["command"]) == (1, "images push")
    shop, empty = document["projects"]
    assert empty == {"name": "empty", "images": []}
    assert shop["images"][1] == {
        "service": "api",
        "reference": "reg.test/api:1",
        "status": "failed",
        "digest": None,
        "reason": "PushFailed",
        "message": "denied",
        "source": "c.yaml:3",
    }
    assert (len(document["warnings"]), len(document["errors"])) == (1, 1)
    assert json.loads(render_errors((Notice("E", "wrong"),)))["projects"] == []


class Noting(VirtualExecutor):
    """Notes what came of each call that may run beside the others."""

    def gather(self, call: Callable[[SimulatedEngine, Any], Any], keys: Iterable[Any]) -> list[Any]:
        """As it does."""
        self.found = super().gather(call, keys)
        return self.found


def test_a_repository_gets_one_push_at_a_time() -> None:
    """Only different repositories are pushed to at once: what two pushes share is sent once, by the first."""
    shop = Shop(service("web", "reg.test/web:1"))
    executor = Noting(shop.engine)
    images = tuple(image_from_row(row, None) for row in shop.engine.list_images())
    push(Project("shop", shop.services), images, executor, lambda *_: None)
    names = [[item.reference for item in found] for found in executor.found]
    assert names == [["reg.test/web:1", "reg.test/web:bk-1"], ["reg.test/also:latest"]]
