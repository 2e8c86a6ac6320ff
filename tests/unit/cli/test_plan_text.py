from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from inline_snapshot import snapshot

from reconciler.cli.palette import Palette
from reconciler.cli.plan_text import render, render_project
from reconciler.model.operation import Difference
from reconciler.model.project import Notice
from reconciler.model.report import Adoption, ProjectReport, Report
from tests.unit.cli.reports import DIGEST_A, EDGE, HELD, HELLO, PLAN, SHOP, operation, replacement, service

if TYPE_CHECKING:
    from reconciler.model.operation import Operation


def test_a_plan_names_every_change_with_its_cause_and_line() -> None:
    """Signs, replicas, way of replacement, causes with file:line, what a pull will tell, and the sum."""
    assert render_project(SHOP) == snapshot("""\
shop on lab-1 (engine 28.3.1, API 1.51)  specs/shop/compose.yaml

  + network  shop_backend               create  not on this engine  specs/shop/compose.yaml:40
  + volume   shop_data                  create
  + image    shop/web:1.4@b2b2b2b2b2b2  pull    not on this engine  specs/shop/compose.yaml:12

  ~ web/1, web/2, web/3  replace: rolling, start-first (nothing forbids two at once)
      image                       shop/web:1.3@a1a1a1a1a1a1  specs/shop/compose.yaml:12
                               -> shop/web:1.4@b2b2b2b2b2b2
      environment.LOG_LEVEL    info -> debug                 specs/shop/compose.yaml:17
      environment.DB_PASSWORD  *** (changed, not shown)      specs/shop/compose.yaml:18
  + web/4                create
      deploy.replicas  3 -> 4 (web/4 does not exist)  specs/shop/compose.yaml:10
  ~ db/1                 replace: with a gap, stop-first (one replica writes to volume db)
      volumes[0]  db:/data -> db:/var/lib/data  specs/shop/compose.yaml:31
  ~ api/2                replace  api/2 exited (137)
  - old/1                remove  not in the spec any more
  = cache  unchanged (1 replica)
  ? web: health check, volumes and user of the image are known after pull

Plan: 3 to create, 5 to replace, 1 to remove, 1 to pull; converges after 27 operations (forecast on a simulated engine).
""")


def test_a_project_in_sync_takes_one_line() -> None:
    """What needs nothing must not hide what needs something."""
    assert render_project(HELLO) == "hello: in sync, nothing to do (1 service, 2 replicas).\n"


def test_what_is_taken_over_as_it_is_is_named() -> None:
    """A project that needs nothing else says what it adopts, and not in a warning beside it."""
    replicas = (("hello", 1, "hello-hello-1"), ("hello", 2, "hello-hello-2"))
    adoption = Adoption(replicas, ("hello_default",), ("hello_data",))
    project = replace(HELLO, adoption=adoption, source="compose.yaml")
    report = Report("plan", (project,), warnings=(Notice("Adopted", "hello/1: hello-hello-1 is kept"),))
    assert render(report) == snapshot("""\
hello on lab-1 (engine 28.3.1, API 1.51)  compose.yaml

  = hello/1, hello/2  adopted as they are (2 replicas)
  = network hello_default, volume hello_data  kept

Plan: 2 to adopt; no container is touched.
""")


def test_one_replica_is_taken_over_beside_changes() -> None:
    """The sum counts it with what is done to the others."""
    adoption = Adoption((("cache", 1, "shop-cache-1"),))
    text = render_project(replace(SHOP, adoption=adoption))
    assert "  = cache/1  adopted as it is (1 replica)\n" in text
    assert "cache  unchanged" not in text
    assert "\nPlan: 1 to adopt, " in text


def test_a_blocked_project_says_what_blocks_it_and_that_it_does_not_converge() -> None:
    """The condition's message, source and remedy stand in the plan, and the sum does not promise success."""
    assert render_project(EDGE) == snapshot("""\
edge on lab-1 (engine 28.3.1, API 1.51)  specs/edge.yaml

  + proxy/1  create

  ! proxy: PortInUse  specs/edge.yaml:9
      port 8080/tcp is published by container "nginx", which is not ours: stop that container, or
      choose another host port in the spec

Plan: 1 to create; does not converge, so nothing is touched: see ! above.
""")


def test_a_rollout_says_its_gate_its_protection_and_how_long_it_takes_at_least() -> None:
    """Once per service, however many causes keep its replicas apart; nothing where the planner says nothing."""
    rolls = service(
        "web",
        (2, 2, 2, 0),
        sync="OutOfSync",
        order="start-first",
        order_reason="nothing forbids two at once",
        gate="healthy, then watched for 30 s",
        protection="publish healthy, drain: signal SIGUSR1, then 5 s",
    )
    operations = (
        *replacement("web", 1, Difference("image", "a:1", "a:2", "c.yaml:3")),
        *replacement("web", 2, Difference("state", "exited (137)", "running")),
    )
    report = replace(_project(*operations), services=(rolls,), expected_seconds=75.0)
    assert render_project(report) == snapshot("""\
shop on lab-1 (engine 28.3.1, API 1.51)  specs/shop/compose.yaml

  ~ web/1  replace: rolling, start-first (nothing forbids two at once)
      gate: healthy, then watched for 30 s
      protection: publish healthy, drain: signal SIGUSR1, then 5 s
      image  a:1 -> a:2  c.yaml:3
  ~ web/2  replace: rolling, start-first (nothing forbids two at once)
      state  exited (137) -> running

Plan: 2 to replace; converges after 8 operations, takes at least 1 min 15 s (forecast on a simulated engine).
""")


def test_a_quarantined_service_is_not_tried_again_and_the_way_out_is_named() -> None:
    """The plan converges without it, and does not promise what is not tried."""
    assert render_project(HELD) == snapshot("""\
shop on lab-1 (engine 28.3.1, API 1.51)  specs/shop/compose.yaml

  ! web: not tried again (RolledBack)  specs/shop/compose.yaml:12
      web/1 was not healthy within 30 s; went back to shop/web:1.3; not tried again until its spec
      or image changes, or `reconcile retry web`

Plan: no changes; not tried again: web, see ! above.
""")
    with_others = replace(HELD, operations=replacement("api", 1, Difference("image", "a:1", "a:2")))
    assert render_project(with_others).splitlines()[-1] == (
        "Plan: 1 to replace; converges after 4 operations (forecast on a simulated engine); "
        "not tried again: web, see ! above."
    )


def test_several_projects_begin_with_warnings_and_end_with_a_total() -> None:
    """The last line of a run over several projects counts them."""
    lines = render(PLAN).splitlines()
    assert lines[0] == "warning: specs/notes.yaml: skipped: neither services nor include in it"
    assert lines[-1] == "3 projects: 2 with changes, 1 in sync; 1 error (on stderr)."


def test_a_reason_too_long_for_its_line_stands_beneath() -> None:
    """A long image name pushes its reason to the next line instead of cutting it."""
    name = f"registry.example.com/a/rather/long/path/to/web@{DIGEST_A}"
    cause = Difference("image", None, name, "specs/shop/compose.yaml:12", "not on this engine")
    text = render_project(_project(operation("image.pull", name, "web", None, cause)))
    assert text.splitlines()[2:4] == [
        "  + image    registry.example.com/a/rather/long/path/to/web@a1a1a1a1a1a1  pull",
        "      not on this engine  specs/shop/compose.yaml:12",
    ]


def test_one_cause_of_many_replicas_is_printed_once() -> None:
    """Fifty replicas changed for one reason take the lines of one."""
    operations = [item for slot in range(1, 51) for item in replacement("web", slot, Difference("image", "a:1", "a:2"))]
    text = render_project(_project(*operations))
    assert text.count("a:1 -> a:2") == 1
    assert "~ web/1 to web/50 (50)  replace: rolling" in text


def test_a_reason_that_names_its_replica_does_not_keep_replicas_apart() -> None:
    """`web/2 does not exist` and `web/3 does not exist` are one cause of two replicas."""
    operations = [operation("container.create", f"shop-web-{slot}-b", "web", slot, _missing(slot)) for slot in (2, 3)]
    text = render_project(_project(*operations))
    assert "+ web/2, web/3  create" in text
    assert "(replica does not exist)" in text


def test_different_causes_of_one_service_are_kept_apart() -> None:
    """Replicas that change for different reasons are told apart."""
    operations = (
        *replacement("web", 1, Difference("image", "a:1", "a:2")),
        *replacement("web", 2, Difference("state", "exited (137)", "running")),
    )
    text = render_project(_project(*operations))
    assert "~ web/1  replace" in text
    assert "~ web/2  replace" in text


@pytest.mark.parametrize("width", [80, 90, 100])
def test_no_line_of_values_is_wider_than_asked(width: int) -> None:
    """Long values and paths are cut, and the place where two long values differ stays in sight."""
    before, after = ("x" * 300 + " --log json " + "y" * 300), ("x" * 300 + " --log console " + "y" * 300)
    cause = Difference("command", before, after, "deeply/" * 20 + "compose.yaml:12", "a reason " * 30)
    lines = render_project(_project(*replacement("web", 1, cause)), width=width).splitlines()
    assert max(map(len, lines[:-1])) <= width
    assert any("--log json" in line for line in lines)
    assert any("--log console" in line for line in lines)


def test_secrets_are_redacted_even_where_the_planner_forgot() -> None:
    """The renderer is the last gate: a value of a variable with a secret name is never printed."""
    text = render_project(SHOP)
    assert "hunter" not in text
    assert "environment.DB_PASSWORD  *** (changed, not shown)" in text


def test_nothing_from_a_spec_reaches_the_terminal_raw() -> None:
    """Escape codes in values, reasons and names are shown, not obeyed."""
    cause = Difference("environment.X", "\x1b[2J", "ok\r", "f\x07:1", "because \x1b]0;title\x07")
    text = render_project(_project(*replacement("web", 1, cause)))
    assert text.replace("\n", "").isprintable()


def test_colour_changes_no_letter() -> None:
    """Colour is never the only carrier of a meaning, and can be taken away without loss."""
    colored = render(PLAN, palette=Palette(enabled=True))
    assert "\x1b[" in colored
    plain = colored
    for code in ("0", "1", "2", "31", "32", "33"):
        plain = plain.replace(f"\x1b[{code}m", "")
    assert plain == render(PLAN)


def test_the_same_report_gives_the_same_bytes() -> None:
    """Stable output can be compared and committed."""
    assert render(PLAN) == render(replace(PLAN))


def test_a_run_without_projects_prints_nothing() -> None:
    """Refusals belong to stderr; stdout stays empty."""
    assert render(Report("plan")) == ""


def _missing(slot: int) -> Difference:
    return Difference("deploy.replicas", 1, 3, "c.yaml:4", f"web/{slot} does not exist")


def _project(*operations: Operation) -> ProjectReport:
    return replace(SHOP, operations=operations, services=(service("web", (3, 3, 3, 3)),), unknown=())
