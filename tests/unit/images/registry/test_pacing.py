from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from reconciler.errors import RegistryError
from reconciler.images.registry.pacing import AT_ONCE, FIRST_PAUSE, LONGEST_PAUSE, WORTH, Pacing, seconds_of
from tests.support.standin import Clock


def trouble() -> RegistryError:
    return RegistryError("busy", reason="RegistryRateLimited", source="a", hint="wait")


def paced(clock: Clock, chance: float = 1.0) -> Pacing:
    return Pacing(clock, lambda: chance)


def refused(pacing: Pacing, host: str, **options: Any) -> RegistryError | None:
    try:
        pacing.check(host, "other", **options)
    except RegistryError as error:
        return error
    return None


def test_a_host_in_trouble_is_left_alone_and_no_other() -> None:
    """Until its time is over it is refused with the same trouble, for whatever reference."""
    clock = Clock()
    pacing = paced(clock)
    assert pacing.failed("h", trouble(), "30").retry_at == 1030.0
    again = refused(pacing, "h")
    assert again is not None
    assert (again.reason, again.source, again.retry_at, again.hint) == ("RegistryRateLimited", "other", 1030.0, "wait")
    assert refused(pacing, "elsewhere") is None
    clock.now = 1030.0
    assert refused(pacing, "h") is None


def test_pauses_double_up_to_a_bound_and_end_with_an_answer() -> None:
    """Where the host does not say how long, the pause grows; an answer makes it forgotten."""
    clock = Clock()
    pacing = paced(clock)

    def pause(took: float = 0.0) -> float:
        before, clock.now = clock.now, pacing.failed("h", trouble(), took=took).retry_at or 0.0
        return clock.now - before

    pauses = [pause() for _ in range(12)]
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE
    pacing.answered("h", {})
    assert refused(pacing, "h") is None
    assert pause() == FIRST_PAUSE
    pacing.answered("h", {})
    assert [pause(10.0), pause(100.0)] == [10.0 * WORTH, LONGEST_PAUSE]


def test_questions_that_fail_together_are_one_failure() -> None:
    """However many were under way when the host fell silent, it is tried again as soon as after one."""
    pacing = paced(Clock())
    assert {pacing.failed("h", trouble()).retry_at for _ in range(AT_ONCE)} == {1000.0 + FIRST_PAUSE}


def test_what_was_under_way_does_not_end_a_pause() -> None:
    """Neither an answer nor a shorter trouble after the host's own word; when it is over an answer counts."""
    clock = Clock()
    pacing = paced(clock)
    pacing.failed("h", trouble(), "3600")
    pacing.answered("h", {"ratelimit-remaining": "9;w=9000"})
    silent = RegistryError("silent", reason="RegistryUnreachable", source="b")
    assert pacing.failed("h", silent).retry_at == 4600.0
    again = refused(pacing, "h")
    assert again is not None
    assert (again.reason, again.retry_at) == ("RegistryRateLimited", 4600.0)
    pacing.failed("h", silent, "7200")
    assert getattr(refused(pacing, "h"), "retry_at", None) == 8200.0
    clock.now = 8200.0
    assert refused(pacing, "h", downloads_left=10) is not None
    pacing.answered("h", {})
    assert pacing.failed("h", trouble()).retry_at == 8200.0 + FIRST_PAUSE


def test_a_host_is_asked_by_few_at_once_and_the_others_hear_what_those_learn() -> None:
    """Of many who ask a host that hangs, all but the first few get their trouble, and another host is free."""
    pacing, waiting, asked = paced(Clock()), threading.Event(), threading.Semaphore(0)

    def ask(number: int) -> bool:
        try:
            with pacing.turn("h", f"a:{number}"):
                asked.release()
                waiting.wait()
                pacing.failed("h", trouble())
                return True
        except RegistryError as error:
            return error.reason != "RegistryRateLimited"

    with ThreadPoolExecutor(3 * AT_ONCE) as pool:
        answers = pool.map(ask, range(3 * AT_ONCE))
        for _ in range(AT_ONCE):
            asked.acquire()
        with pacing.turn("elsewhere", "b"):
            waiting.set()
        assert sum(answers) == AT_ONCE


def test_pauses_are_spread() -> None:
    """Many controllers that fail together do not come back together."""
    assert paced(Clock(), chance=0.0).failed("h", trouble()).retry_at == 1000.0 + FIRST_PAUSE / 2


def test_the_last_downloads_are_kept() -> None:
    """Below the floor a download is refused until the window is over; what costs nothing is not."""
    clock = Clock()
    pacing = paced(clock)
    pacing.answered("h", {"ratelimit-remaining": "9;w=60"})
    assert refused(pacing, "h") is None
    kept = refused(pacing, "h", downloads_left=10)
    assert kept is not None
    assert (kept.reason, kept.retry_at) == ("RegistryRateLimited", 1060.0)
    clock.now = 1060.0
    assert refused(pacing, "h", downloads_left=10) is None
    pacing.answered("h", {"ratelimit-remaining": "9"})
    pacing.answered("h", {"ratelimit-remaining": "many"})
    assert refused(pacing, "h", downloads_left=10) is not None
    pacing.answered("h", {"ratelimit-remaining": "10"})
    assert refused(pacing, "h", downloads_left=10) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30.0),
        (" 0 ", 0.0),
        ("999999999999", 86400.0),
        ("Thu, 01 Jan 1970 00:17:40 GMT", 60.0),
        ("Thu, 01 Jan 1970 00:00:40 GMT", 0.0),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 86400.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("²", None),
    ],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    """Seconds or a date, within bounds."""
    assert seconds_of(header, 1000.0) == seconds
