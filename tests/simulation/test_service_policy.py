"""What the service says and does where a policy holds, on a simulated engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import admission
from reconciler.engine.simulated import SimulatedEngine, outside
from reconciler.model.operation import Operation
from reconciler.model.settings import PolicyException, PolicySettings, Settings
from reconciler.policy import judge
from reconciler.policy.judge import Violation
from reconciler.policy.resolve import Policy
from tests.support.service import Served, spec

REASON = "agreed on 2026-05-02"
EXCEPTION = PolicyException("privileged", "shop", "web", REASON, "settings.yaml:7")


def settings(*exceptions: PolicyException) -> Settings:
    """Settings at `standard`."""
    return Settings(policy=PolicySettings("standard", exceptions=exceptions))


def test_exceptions_in_use_are_logged_once_for_each_change(tmp_path: Path) -> None:
    """At the start, and when the project changes: with rule, reason and place; status has them, too."""
    (tmp_path / "shop.yaml").write_text(spec() + "    privileged: true\n")
    (tmp_path / "blog.yaml").write_text(spec("blog:1"))
    served = Served(tmp_path, settings=settings(EXCEPTION))
    served.settle()
    (told,) = [entry for entry in served.said("info") if entry["event"] == "policy exception"]
    assert (told["project"], told["source"]) == ("shop", "settings.yaml:7")
    assert "shop/web" in told["text"]
    assert "privileged" in told["text"]
    assert REASON in told["text"]
    assert [item.code for item in served.desk.status((), (), deep=False).warnings] == ["PolicyException"]
    served.write("blog.yaml", spec("blog:2"))
    served.run(served.settings.full * 2)
    assert [entry["event"] for entry in served.said("info")].count("policy exception") == 1
    served.write("shop.yaml", spec("web:2"))
    last = [entry for entry in served.said("info") if entry["event"] == "policy exception"][-1]
    assert "does not need its exception" in last["text"]


def judged(operation: Operation, policy: Policy) -> tuple[Violation, ...]:
    """Stands for a rule that only final payloads break: nothing makes or starts a container of `bad:...`."""
    image = str((operation.payload.get("body") or {}).get("Image", ""))
    if not image.startswith("bad:"):
        return judge.denied(operation, policy)
    return (Violation("images", f"services.{operation.service}", f"image {image}", operation.service or ""),)


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations that such a rule has denied."""
    found: list[str] = []

    def deny(operation: Operation, policy: Policy) -> tuple[Violation, ...]:
        violations = judged(operation, policy)
        found.extend(operation.id for _ in violations)
        return violations

    monkeypatch.setattr(admission, "denied", deny)
    return found


def shop(image: str, order: str = "start-first", db: str = "db:1") -> str:
    """A project of two services."""
    update = f"    deploy: {{update_config: {{order: {order}}}}}\n"
    return f"services:\n  web:\n    image: {image}\n{update}  db:\n    image: {db}\n"


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_what_only_an_operation_breaks_holds_up_no_other_service(tmp_path: Path, denied: list[str], order: str) -> None:
    """What runs stays, the rest is delivered and kept up, and nothing is tried until something changes."""
    (tmp_path / "shop.yaml").write_text(shop("web:1", order))
    served = Served(tmp_path, settings=settings())
    served.settle()
    before = {row["Id"] for row in served.engine.list_containers() if row["Image"].startswith("web:1")}
    served.write("shop.yaml", shop("bad:1", order, "db:2"))
    assert served.containers() == ["db:2", "web:1"]
    assert before <= {row["Id"] for row in served.engine.list_containers()}
    (project,) = served.desk.status((), (), deep=False).projects
    told = " ".join(item.message for item in project.conditions)
    assert "policy rule images" in told
    assert "until its spec or the policy changes" in told
    tried, events = len(denied), served.engine.world.logged
    served.run(3600)
    assert (len(denied), served.engine.world.logged) == (tried, events)
    outside.remove(
        served.engine, next(row["Id"] for row in served.engine.list_containers() if row["Image"].startswith("db:2"))
    )
    served.run(0.1)
    served.settle()
    assert served.containers() == ["db:2", "web:1"]
    served.write("shop.yaml", shop("web:3", order, "db:2"))
    assert served.containers() == ["db:2", "web:3"]


def test_what_the_policy_denied_in_a_rollout_goes_on_by_itself_once_it_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The forecast was let through, the run was not: over a restart with other settings nobody has to retry."""
    (tmp_path / "shop.yaml").write_text(shop("web:1"))
    served = Served(tmp_path, settings=settings())
    served.settle()
    forecast: list[str] = []

    def later(operation: Operation, policy: Policy) -> tuple[Violation, ...]:
        found = judged(operation, policy)
        if found and not forecast:
            forecast.append(operation.id)
            return ()
        return () if "start" in operation.kind else found

    monkeypatch.setattr(admission, "denied", later)
    served.write("shop.yaml", shop("bad:1"))
    assert forecast
    assert served.containers() == ["db:1", "web:1"]
    served.run(3600)
    assert served.containers() == ["db:1", "web:1"]
    monkeypatch.setattr(admission, "denied", judge.denied)
    served.begin()
    served.settle()
    assert served.containers() == ["bad:1", "db:1"]


def test_what_the_policy_denied_can_be_retried_by_hand(
    tmp_path: Path, denied: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As what failed; what was not denied cannot."""
    (tmp_path / "shop.yaml").write_text(shop("bad:1"))
    served = Served(tmp_path, settings=settings())
    served.settle()
    assert served.containers() == ["db:1"]
    assert denied
    monkeypatch.setattr(admission, "denied", judge.denied)
    session, project = served.passes.session("shop"), served.dispatcher.fleet.members["shop"].project
    assert session.retry(project, "web")
    assert not session.retry(project, "db")
    served.dispatcher.ask_for("shop", "retry")
    served.settle()
    assert served.containers() == ["bad:1", "db:1"]


@pytest.mark.parametrize("change", [outside.remove, outside.die])
@pytest.mark.parametrize("again", [False, True])
def test_what_the_policy_denies_of_what_is_in_force_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[SimulatedEngine, str], None], *, again: bool
) -> None:
    """Where nothing else is to do, too: it is not tried at every look, it is told, and it can be retried."""
    tried: list[str] = []

    def deny(operation: Operation, policy: Policy) -> tuple[Violation, ...]:
        if operation.service != "web" or operation.kind not in {"container.create", "container.start"}:
            return judge.denied(operation, policy)
        tried.append(operation.id)
        return (Violation("images", "services.web", "web:1", "web"),)

    (tmp_path / "shop.yaml").write_text(shop("web:1"))
    served = Served(tmp_path, settings=settings())
    served.settle()
    monkeypatch.setattr(admission, "denied", deny)
    if again:
        served.begin()
        served.settle()
    rows = served.engine.list_containers()
    change(served.engine, next(row["Id"] for row in rows if row["Image"].startswith("web:1")))
    served.run(served.settings.full)
    assert len(tried) == 1
    served.run(3600)
    assert len(tried) == 1
    session, project = served.passes.session("shop"), served.dispatcher.fleet.members["shop"].project
    explanation = session.explain(project, "web")
    assert explanation.pending == ()
    assert "policy rule images" in " ".join(item.message for item in explanation.conditions)
    assert not session.retry(project, "db")
    assert session.retry(project, "web")
    assert not session.retry(project, "web")
    monkeypatch.setattr(admission, "denied", judge.denied)
    served.dispatcher.ask_for("shop", "retry")
    served.settle()
    assert served.containers() == ["db:1", "web:1"]
