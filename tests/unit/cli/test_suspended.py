"""What people read about a project of which something is suspended, and about who suspended it."""

from __future__ import annotations

from dataclasses import replace

from inline_snapshot import snapshot

from reconciler.cli import (
    history_text,
    plan_json,
    plan_markdown,
    plan_text,
    report_text,
    status_text,
    verdicts,
    why_text,
)
from reconciler.model.history import ActionRecord, Explanation
from reconciler.model.report import ProjectReport, Report
from reconciler.model.step import Condition
from tests.unit.cli.reports import ENGINE, SPEC, service
from tests.unit.cli.rollouts import NIGHT, WELL

SAID = "suspended by alice since 2026-11-21 03:12 UTC: the disk; `reconcile resume web` to go on"
WEB = Condition("Reconciling", "False", "Suspended", SAID, "web", f"{SPEC}:3")
SHOP = replace(WEB, message=SAID.replace("web", "-p shop"), service=None)
HELD = service("web", (1, 0, 0, 0), health="Suspended", sync="Modified", reason="Suspended", message=SAID)
PARTLY = ProjectReport(
    "shop", ENGINE, services=(HELD, service("db", (1, 1, 1, 1))), conditions=(WEB,), converges=True, succeeded=True
)
WHOLLY = replace(PARTLY, services=(replace(HELD, reason="", message=""),), conditions=(SHOP,), in_sync=True)


def test_a_plan_says_what_stays_as_it_is() -> None:
    """Neither as unchanged nor as not reached."""
    assert plan_text.render_project(PARTLY) == snapshot("""\
shop on lab-1 (engine 28.3.1, API 1.51)

  = db  unchanged (1 replica)

  ~ web: Suspended  specs/shop/compose.yaml:3
      suspended by alice since 2026-11-21 03:12 UTC: the disk; `reconcile resume web` to go on

Plan: no changes; suspended: web, see ~ above.
""")
    assert plan_text.render_project(WHOLLY).endswith("Plan: no changes; suspended, see ~ above.\n")
    markdown = plan_markdown.render(Report("plan", (PARTLY,)))
    assert "- **web: Suspended** suspended by alice since" in markdown
    assert "in sync" not in plan_markdown.render(Report("plan", (WHOLLY,)))


def test_a_report_says_that_nothing_was_done_for_its_sake() -> None:
    """It is no failure: exit 0."""
    report = Report("converge", (WHOLLY,))
    assert report_text.render(report) == snapshot("""\
  ~ Suspended  specs/shop/compose.yaml:3
      suspended by alice since 2026-11-21 03:12 UTC: the disk; `reconcile resume -p shop` to go on

shop: nothing was done: what is suspended stays as it is.
""")
    assert verdicts.exit_code(report, exit_code_flag=False) == 0
    assert plan_json.render(report).count("Suspended") == 2


def test_the_status_shows_it_once() -> None:
    """Beneath its service, or at the end where it is the whole project."""
    partly, wholly = (status_text.render(Report("status", (item,))) for item in (PARTLY, WHOLLY))
    assert partly.startswith("shop on lab-1 (engine 28.3.1, API 1.51): Modified, Suspended")
    assert partly.count("suspended by alice") == wholly.count("suspended by alice") == 1
    assert "  ~ Suspended" in wholly


def test_why_says_so_too() -> None:
    """Of the whole project as well."""
    text = why_text.render(Explanation("shop", replace(HELD, reason="", message=""), (SHOP,)))
    assert "  ~ Suspended" in text
    assert why_text.render(Explanation("shop", HELD, (WEB,))).count("suspended by alice") == 1


def test_the_history_has_what_persons_asked_for_between_the_rollouts() -> None:
    """In order of time, with who it was; URL passwords are hidden."""
    asked = (
        ActionRecord(NIGHT - 7300, "alice", "retry", "web"),
        ActionRecord(NIGHT, "", "suspend", "", "see postgres://me:secret@db/x"),
    )
    text = history_text.render((("shop", (WELL,)),), {"shop": asked})
    heads = [line.strip() for line in text.splitlines() if line.startswith("  ") and line[2] != " "]
    assert (heads[0], heads[2]) == (
        "* retry asked for web  2026-11-21 01:10:27 UTC  by alice",
        "* suspended  2026-11-21 03:12:07 UTC",
    )
    assert heads[1].startswith("+ #11 web  completed in 45 s")
    assert "see postgres://me:***@db/x" in text
    assert history_text.render((("shop", ()),), {"shop": asked}).startswith("shop\n\n  * retry")
