from __future__ import annotations

import json
from dataclasses import replace

from inline_snapshot import snapshot

from reconciler.cli import plan_json, plan_markdown
from reconciler.cli.report_text import render
from reconciler.model.memory import Failure
from reconciler.model.observed import Probe
from reconciler.model.report import Report
from reconciler.model.step import Condition
from tests.unit.cli.reports import EDGE, HELD, HELLO, INVALID, SHOP

DONE = replace(SHOP, in_sync=True, duration=12.34)
FAILURE = Failure(
    "web", "hash", "Unhealthy", "web/1 was not healthy within 30 s: connection refused", "shop-web-1-bbbbbbbb"
)
FAILED = replace(
    SHOP,
    succeeded=False,
    duration=83.2,
    failures=(FAILURE,),
    failed_operations=(("container.start:shop-db-1-bbbbbbbb", "host port 5432/tcp is in use"),),
    logs=(("shop-web-1-bbbbbbbb", "listening on 80\n\x1b[31mpanic\x1b[0m: no config\n"),),
)


def test_a_converged_project_says_what_was_done_in_how_long() -> None:
    """One line where everything went well."""
    assert render(Report("converge", (DONE,))) == (
        "shop: converged in 12.3 s: 3 created, 5 replaced, 1 removed, 1 pulled.\n"
    )


def test_a_project_in_sync_says_so() -> None:
    """A second run that changes nothing says that it changed nothing."""
    assert render(Report("converge", (HELLO,))) == "hello: in sync, nothing to do (1 service, 2 replicas).\n"


def test_a_failure_shows_reason_log_state_and_next_step() -> None:
    """What happened, the container's last words made safe, what still runs, what to do."""
    assert render(Report("converge", (FAILED,), failed=True)) == snapshot("""\
  ! container.start:shop-db-1-bbbbbbbb failed
      host port 5432/tcp is in use

  ! web: Unhealthy
      web/1 was not healthy within 30 s: connection refused
      last lines of shop-web-1-bbbbbbbb:
      | listening on 80
      | \\x1b[31mpanic\\x1b[0m: no config

shop: failed after 1 min 23 s.
  now: api 1/2 running (1 up to date), cache 1/1 running, db 1/1 running (0 up to date), web 3/3
  running (0 up to date)
  next: read the log lines above, correct the spec or the image, and run reconcile again
""")


def test_a_project_whose_forecast_fails_was_not_touched() -> None:
    """Operations of a forecast are never reported as done."""
    text = render(Report("converge", (EDGE,), failed=True))
    assert "edge: not touched: its forecast does not converge." in text
    assert "created" not in text


def test_a_stopped_run_is_not_a_failed_one() -> None:
    """Ctrl-C is said to be what it was, and that the next run carries on."""
    text = render(Report("converge", (replace(SHOP, succeeded=False, duration=1.0),), failed=True), stopped=True)
    assert "shop: stopped on request after 1.0 s" in text
    assert "it carries on from here" in text


def test_a_drain_that_failed_is_told_though_the_rollout_is_through() -> None:
    """Nothing is left to carry on with, but requests may have been lost."""
    failed = (("container.exec:web/1/00000000", "sh exited with 3"),)
    drained = replace(DONE, succeeded=False, in_sync=True, failed_operations=failed)
    text = " ".join(render(Report("converge", (drained,), failed=True)).split())
    assert "sh exited with 3" in text
    assert "the replicas were replaced, and requests may have been lost" in text


def test_several_projects_end_with_a_total() -> None:
    """The last line names what failed and counts what was refused."""
    report = Report("converge", (DONE, HELLO, FAILED), errors=(INVALID,), refused=True)
    assert render(report).splitlines()[-1] == "2 projects converged, 1 failed (shop), 1 error (on stderr)."


def test_a_rollback_says_what_failed_what_the_container_left_and_how_to_go_on() -> None:
    """Exit code, health checks, the last fifty lines, which service went back, both ways out."""
    failure = replace(
        FAILURE,
        message="web/1 was not healthy within 30 s",
        exit_code=137,
        health_log=(Probe(1.0, 1, "refused"), Probe(2.0, 1, "refused")),
        rolled_back=True,
    )
    log = "".join(f"line {number}\n" for number in range(1, 71))
    project = replace(HELD, failures=(failure,), succeeded=False, logs=(("shop-web-1-bbbbbbbb", log),), duration=83.2)
    text = render(Report("converge", (project,), failed=True))
    assert "| line 21\n" in text
    assert "| line 20\n" not in text
    assert text.replace("".join(f"      | line {number}\n" for number in range(21, 70)), "") == snapshot("""\
  ! web: Unhealthy, rolled back
      web/1 was not healthy within 30 s; went back to shop/web:1.3; not tried again until its spec
      or image changes, or `reconcile retry web`
      exit code 137
      health log:
      | exit code 1 (2 times): refused
      last lines of shop-web-1-bbbbbbbb:
      | line 70

shop: failed after 1 min 23 s: rolled back: web.
  now: web 3/3 running (0 up to date)
  next: read the log lines above, correct the spec or the image, and run reconcile again; reconcile
  retry web tries the same again
""")


def test_what_is_not_tried_again_makes_a_run_fail() -> None:
    """Nothing was attempted, everything else is as asked for: still a person has to act."""
    assert render(Report("converge", (HELD,))) == snapshot("""\
shop: failed: not tried again: web.
  now: web 3/3 running (0 up to date)
  next: correct the spec or the image and run reconcile again; reconcile retry web tries the same
  again
""")
    done = replace(HELD, operations=SHOP.operations[:2], duration=3.0)
    assert "shop: failed: not tried again: web; everything else converged in 3.0 s: 2 created." in render(
        Report("converge", (done,))
    )


def test_what_is_paused_is_not_called_rolled_back() -> None:
    """In no line of text and no document, as asked or for want of the old image; the way to go on is there."""
    failure = replace(FAILURE, rolled_back=True)
    for reason in ("Paused", "ImageGone"):
        held = Condition("Stalled", "True", reason, f"{failure.message}; stays as it is", "web", "c.yaml:3")
        paused = replace(FAILED, failures=(failure,), conditions=(held,), failed_operations=())
        report = Report("converge", (paused,), failed=True)
        text = render(report)
        assert f"! web: Unhealthy\n      {failure.message}; stays as it is\n" in text
        assert "\nshop: failed after 1 min 23 s: paused: web.\n" in text
        assert "reconcile retry web" in text.replace("\n  ", " ")
        document = plan_json.render(report)
        assert json.loads(document)["projects"][0]["failures"][0]["rolled_back"] is False
        for rendered in (text, plan_markdown.render(report), document.replace('"rolled_back"', "")):
            assert "rolled back" not in rendered
        assert "rolled back" in render(Report("converge", (replace(paused, conditions=()),), failed=True))
