"""Why a service is as it is, where the reason lies elsewhere: in what it depends on, or in a container of nobody's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reconciler.cli import why_text
from reconciler.engine.simulated import Behaviour
from reconciler.explaining import explain
from reconciler.model.memory import Failure, Memory
from reconciler.model.step import Condition, ServiceStatus, Step
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from reconciler.model.history import Explanation

CHAIN = """
services:
  front: {{image: "example/front:1", depends_on: [api]}}
  api: {{image: "example/api:1", {waits}}}
  db: {{image: "example/db:1", healthcheck: {{test: [CMD, "true"], interval: 1s, timeout: 1s, retries: 1}}}}
  aside: {{image: "example/aside:1"}}
"""
WAITS = ["depends_on: {db: {condition: service_healthy}}", 'network_mode: "service:db"']
WEB = 'services:\n  web: {image: "example/web:1"}\n  aside: {image: "example/aside:1"}\n'


def sick_db(image: str, _config: Mapping[str, Any]) -> Behaviour:
    return Behaviour(healthy_after=None, probe_output="no") if "/db:" in image else Behaviour()


def ask(world: World, text: str, service: str) -> Explanation:
    """What `why` answers."""
    project = world.project(text)
    return world._session(project).explain(project, service)


@pytest.mark.parametrize("waits", WAITS)
def test_the_failed_service_at_the_end_of_a_chain_is_named_with_its_way_out(tmp_path: Path, waits: str) -> None:
    """Whoever asks about the front learns that the database has to be helped, and how."""
    world, text = World(tmp_path, behaviours=sick_db), CHAIN.format(waits=waits)
    world.converge(world.project(text))
    explanation = ask(world, text, "front")
    (condition,) = explanation.conditions
    assert (condition.type, condition.reason, condition.service) == ("Stalled", "DependencyFailed", "front")
    assert condition.message.startswith(
        "front waits for api, which waits for db: db is stalled (Quarantined): db/1: un"
    )
    assert explanation.next_steps == (
        "fix the spec of db or its image and run `reconcile`",
        "`reconcile retry db` to try it again as it is",
        "`reconcile why db`",
    )
    text = why_text.render(explanation)
    assert "! front: DependencyFailed" in text
    assert "to go on:\n  fix the spec of db" in text


def test_the_next_in_the_chain_is_told_once(tmp_path: Path) -> None:
    """The planner has said that it is not touched; the way out is added."""
    world, text = World(tmp_path, behaviours=sick_db), CHAIN.format(waits=WAITS[0])
    world.converge(world.project(text))
    explanation = ask(world, text, "api")
    assert [item.reason for item in explanation.conditions] == ["DependencyFailed"]
    assert explanation.next_steps[-2:] == ("`reconcile retry db` to try it again as it is", "`reconcile why db`")


def test_who_waits_for_nobody_is_not_told_of_others(tmp_path: Path) -> None:
    """A sibling of the failed one is fine, and so is a dependent that runs and has nothing to wait for."""
    world, text = World(tmp_path), CHAIN.format(waits=WAITS[0])
    assert world.converge(world.project(text)).succeeded
    world.behaviours = sick_db
    worse = text.replace("example/db:1", "example/db:2")
    world.converge(world.project(worse))
    for service in ("aside", "front"):
        explanation = ask(world, worse, service)
        assert (explanation.conditions, explanation.next_steps) == ((), ())


def test_a_container_with_copied_labels_is_named_with_the_way_to_remove_it(tmp_path: Path) -> None:
    """The service is Modified because of it; another service is not told."""
    world = World(tmp_path)
    world.converge(world.project(WEB))
    labels = world.engine.inspect_container(world.container("web/1"))["Config"]["Labels"]
    others = {key: value for key, value in labels.items() if not key.startswith("com.docker.compose.")}
    world.foreign("copy", {"Image": "example/web:1", "Labels": others})
    explanation = ask(world, WEB, "web")
    assert explanation.status.sync == "Modified"
    (condition,) = explanation.conditions
    assert (condition.reason, condition.source, condition.service) == ("CopiedLabels", "copy", "web")
    assert explanation.next_steps == ("`docker rm -f copy` if nobody needs it: it is not ours, so it is never removed",)
    assert "container copy carries the labels of web/1" in why_text.render(explanation)
    assert ask(world, WEB, "aside").conditions == ()


@pytest.mark.parametrize(
    ("reason", "rolled_back"), [("Paused", False), ("ImageGone", False), ("RolledBack", True), ("RollingBack", True)]
)
def test_what_holds_a_service_back_is_called_rolled_back_only_where_it_goes_back(
    tmp_path: Path, reason: str, rolled_back: bool
) -> None:
    """A paused rollout, and one whose old image is gone, stay as they are; all of them say how to go on."""
    world = World(tmp_path)
    project = world.project(WEB)
    failure = Failure("web", "hash", "Exited", "web/2: exited (9)", at=1.0, rolled_back=True)
    status = ServiceStatus("web", 3, 3, 2, 2, "example/web:2", "", "Degraded", "OutOfSync", reason=reason)
    step = Step(services=(status,), conditions=(Condition("Stalled", "True", reason, "web/2: exited (9)", "web"),))
    kept = world.store.project("engine", "default", "shop")
    explanation = explain(step, Memory(failures={("web", "hash"): failure}), kept, project, "web")
    assert explanation.quarantine == replace(failure, rolled_back=rolled_back)
    assert "`reconcile retry web` to try it again as it is" in explanation.next_steps
    told = "quarantined since 1970-01-01 00:00:01 UTC: rolled back" in why_text.render(explanation)
    assert told is rolled_back


def test_where_the_old_image_is_gone_the_way_out_is_to_bring_it_back(tmp_path: Path) -> None:
    """Nothing else lets the rollback go on."""
    world = World(tmp_path)
    status = ServiceStatus("web", 3, 0, 0, 0, "example/web:2", "", "Degraded", "OutOfSync", reason="ImageGone")
    step = Step(services=(status,), conditions=(Condition("Stalled", "True", "ImageGone", "cannot go back", "web"),))
    kept = world.store.project("engine", "default", "shop")
    explanation = explain(step, Memory(), kept, world.project(WEB), "web")
    assert explanation.next_steps[0] == "`docker pull` or load the image of the last stable revision again"
