"""What the service says and does where a policy holds, on a simulated engine."""

from __future__ import annotations

from pathlib import Path

from reconciler.model.settings import PolicyException, PolicySettings, Settings
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
