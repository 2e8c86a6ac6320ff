from __future__ import annotations

from dataclasses import replace

from inline_snapshot import snapshot

from reconciler.cli.history_text import render
from reconciler.cli.palette import Palette
from tests.unit.cli.rollouts import BAD, NIGHT, WELL, replica


def test_each_rollout_says_when_why_batch_by_batch_and_how_it_ended() -> None:
    """The newest stands last; what failed shows why, with the container's last words."""
    assert render((("shop", (BAD, WELL)),)) == snapshot("""\
shop

  + #11 web  completed in 45 s  2026-11-21 01:12:07 UTC  spec changed  revision 7
      commit a1b2c3d4e5 main "Serve 1.4" (Ada <ada@example.com>)
      environment.LOG_LEVEL  info -> debug  specs/shop/compose.yaml:17
      start-first; gate: healthy, then watched for 30 s
      1. web/1, web/2 up after 13 s, old stopped after 15.5 s

  ! #12 web  rolled back after 1 min 33 s  2026-11-21 03:12:07 UTC  spec changed
      commit b2c3d4e5f6
      image                       shop/web:1.3@a1a1a1a1a1a1  specs/shop/compose.yaml:12
                               -> shop/web:1.4@b2b2b2b2b2b2
      environment.DB_PASSWORD  *** (changed, not shown)      specs/shop/compose.yaml:18
      start-first; gate: healthy, then watched for 30 s
      1. web/1 up after 12 s, old stopped after 14.5 s
      2. web/2 not healthy within 90 s
      ! Unhealthy: web/2 was not healthy within 90 s: connection refused
        exit code 1
        health log:
        | exit code 1 (2 times): connection refused
        | exit code 7: \\x1b[31mtimeout
        last lines of shop-web-2-bbbbbbbb:
        | listening on 80
        | reading postgres://me:***@db/x
        | panic: no config
""")


def test_a_project_without_a_past_says_so() -> None:
    """An empty answer is an answer."""
    assert render((("shop", ()), ("edge", ()))) == "shop: no rollout is recorded\n\nedge: no rollout is recorded\n"


def test_of_many_batches_the_uneventful_ones_are_counted() -> None:
    """Forty replicas one by one do not take forty lines; the one that did not come up has its own."""
    batches = [(replica(slot, slot * 10.0),) for slot in range(1, 41)]
    batches[29] = (replica(30, 0.0, verdict="web/30: exited (1)"),)
    text = render((("shop", (replace(WELL, began_at=NIGHT, batches=tuple(batches)),)),))
    assert "1. web/1 up after 10 s, old stopped after 12.5 s" in text
    assert "30. web/30 exited (1)" in text
    assert "web/20" not in text
    assert "and 35 more batches, all up" in text


def test_a_rollout_that_goes_on_says_so() -> None:
    """No duration is claimed while it runs, and no end."""
    head = render((("shop", (replace(WELL, verdict="running", ended_at=0.0, revision=0, source_revision=None),)),))
    assert "  ~ #11 web  still running  2026-11-21 01:12:07 UTC  spec changed\n" in head


def test_a_cut_off_rollout_has_no_duration() -> None:
    """Where nobody saw the end, none is made up."""
    text = render((("shop", (replace(WELL, verdict="interrupted", ended_at=0.0, trigger="drift"),)),))
    assert "  ~ #11 web  interrupted  2026-11-21 01:12:07 UTC  drift  revision 7" in text


def test_a_rollback_that_a_person_asked_for_is_no_failure() -> None:
    """The exclamation mark is kept for what nobody wanted."""
    by_hand = replace(BAD, trigger="rollback", failure=None, batches=((replica(1, 12),),))
    assert "  + #12 web  rolled back after" in render((("shop", (by_hand,)),))
    assert "  ! #12 web  rolled back after" in render((("shop", (replace(by_hand, trigger="spec"),)),))


def test_nothing_a_container_said_reaches_the_terminal_raw_or_with_secrets() -> None:
    """Escape codes, passwords in URLs and secret values are hidden."""
    text = render((("shop", (BAD,)),))
    assert text.replace("\n", "").isprintable()
    assert "secret" not in text
    assert "hunter" not in text


def test_colour_changes_no_letter() -> None:
    """Colour can be taken away without loss."""
    past = (("shop", (WELL, BAD, replace(BAD, verdict="running"))),)
    colored = render(past, palette=Palette(enabled=True))
    assert "\x1b[31m" in colored
    for code in ("0", "1", "2", "31", "32", "33"):
        colored = colored.replace(f"\x1b[{code}m", "")
    assert colored == render(past)


def test_lines_stay_within_the_width() -> None:
    """On the narrowest terminal the date moves beneath the verdict, and long words are wrapped or cut."""
    wordy = replace(BAD, batches=((replica(1, 1.0, verdict="a trouble with many words " * 8),),))
    lines = render((("shop", (wordy,)),), width=80).splitlines()
    assert max(map(len, lines)) <= 80


def test_what_went_wrong_on_the_way_and_what_was_cut_off_is_told() -> None:
    """A drain that failed does not end a rollout, and neither does a run that was killed; secrets stay hidden."""
    note = "web/2 (shop-web-2-aaaaaaaa): drain failed: POST http://me:secret@10.0.0.2/drain; stopped after its delay"
    record = replace(WELL, trigger="dependency", taken_up=(NIGHT - 7190, NIGHT - 7180), notes=(note,))
    text = render((("shop", (record,)),), width=200)
    assert "  a dependency was replaced  " in text
    assert "      interrupted, and taken up again at 2026-11-21 01:12:17 UTC, 2026-11-21 01:12:27 UTC\n" in text
    assert f"      {note.replace('secret', '***')}\n" in text
