from __future__ import annotations

from dataclasses import replace

from inline_snapshot import snapshot

from reconciler.cli.why_text import render
from reconciler.model.history import Explanation
from reconciler.model.step import Condition
from tests.unit.cli.reports import DIGEST_A, service
from tests.unit.cli.rollouts import BAD, GATE, NIGHT, QUARANTINED, STABLE, WELL

CALM = Explanation("shop", service("web", (3, 3, 3, 3)), last=WELL, stable=STABLE)


def test_a_quarantined_service_says_what_failed_and_how_to_go_on() -> None:
    """Headline, what runs, what is not tried again and why, what the spec asks for, what to type."""
    assert render(QUARANTINED) == snapshot("""\
web is Degraded, OutOfSync: RolledBack  (project shop)
  web/2 was not healthy within 90 s: connection refused; went back to shop/web:1.3; not tried again
  until its spec or image changes, or `reconcile retry web`
  now: 3/3 running, 3 healthy, 0 up to date; shop/web:1.3@a1a1a1a1a1a1
  last stable: revision 7, shop/web:1.3, since 2026-11-21 01:12:52 UTC

quarantined since 2026-11-21 03:13:37 UTC: rolled back and not tried again: Unhealthy
  exit code 1
  health log:
  | exit code 1 (2 times): connection refused
  | exit code 7: \\x1b[31mtimeout
  last lines of shop-web-2-bbbbbbbb:
  | listening on 80
  | reading postgres://me:***@db/x
  | panic: no config

last change:
  ! #12 web  rolled back after 1 min 33 s  2026-11-21 03:12:07 UTC  spec changed
      commit b2c3d4e5f6
      image                       shop/web:1.3@a1a1a1a1a1a1  specs/shop/compose.yaml:12
                               -> shop/web:1.4@b2b2b2b2b2b2
      environment.DB_PASSWORD  *** (changed, not shown)      specs/shop/compose.yaml:18
      start-first; gate: healthy, then watched for 30 s
      1. web/1 up after 12 s, old stopped after 14.5 s
      2. web/2 not healthy within 90 s

to go on:
  correct the spec (specs/shop/compose.yaml:12) or the image
  reconcile retry web
""")


def test_a_service_that_is_fine_says_what_changed_it_last() -> None:
    """Nothing to worry about takes few lines."""
    assert render(CALM) == snapshot("""\
web is Healthy and Synced  (project shop)
  now: 3/3 running, 3 healthy, 3 up to date; shop/web:1.3@a1a1a1a1a1a1
  last stable: revision 7, shop/web:1.3, since 2026-11-21 01:12:52 UTC

last change:
  + #11 web  completed in 45 s  2026-11-21 01:12:07 UTC  spec changed  revision 7
      commit a1b2c3d4e5 main "Serve 1.4" (Ada <ada@example.com>)
      environment.LOG_LEVEL  info -> debug  specs/shop/compose.yaml:17
      start-first; gate: healthy, then watched for 30 s
      1. web/1, web/2 up after 13 s, old stopped after 15.5 s
""")


def test_a_rollout_under_way_says_what_it_waits_for_until_when() -> None:
    """With the gate that has to be passed, and what protects requests meanwhile."""
    status = service(
        "web",
        (3, 3, 2, 1),
        health="Progressing",
        sync="OutOfSync",
        waiting="healthy 1/3",
        gate=GATE,
        protection="drain: signal SIGUSR1, then 5 s",
    )
    text = render(replace(CALM, status=status, last=replace(BAD, verdict="running"), waits_until=NIGHT + 30))
    assert "\n\nwaits for healthy 1/3 until 2026-11-21 03:12:37 UTC\n" in text
    assert "      gate: healthy, then watched for 30 s\n      protection: drain: signal SIGUSR1, then 5 s\n" in text


def test_a_time_without_a_wait_is_when_it_is_looked_at_again() -> None:
    """A backoff ends at a time; nothing else is waited for."""
    text = render(replace(CALM, waits_until=NIGHT))
    assert "looked at again at 2026-11-21 03:12:07 UTC" in text


def test_without_next_steps_a_quarantine_still_names_the_way_out() -> None:
    """Nobody is left without a command to type."""
    text = render(replace(QUARANTINED, next_steps=()))
    assert "reconcile retry web tries the same again" in text


def test_what_blocks_a_service_is_told_with_its_place() -> None:
    """A condition that neither headline nor quarantine tells."""
    blocked = Condition("Stalled", "True", "PortInUse", "port 80 is taken", "web", "c.yaml:9")
    assert "! web: PortInUse  c.yaml:9\n      port 80 is taken" in render(replace(CALM, conditions=(blocked,)))


def test_a_service_without_a_past_says_so() -> None:
    """A lost state directory is not a mystery."""
    text = render(Explanation("shop", replace(CALM.status, digest="", mutated=("web/1: /etc/app.conf",))))
    assert "last change: none is recorded" in text
    assert "changed by hand: web/1: /etc/app.conf" in text
    assert DIGEST_A not in text


def test_secrets_of_what_is_pending_are_hidden() -> None:
    """A definition that is remembered whole is never printed."""
    assert "hunter" not in render(QUARANTINED)
    assert "secret" not in render(QUARANTINED)
