"""Which project's turn it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.service.agenda import Agenda, Due, Urgency


def taken(agenda: Agenda, now: float = 0.0) -> list[str]:
    return [due.project for due in agenda.take(now, 100)]


def test_a_project_is_due_once_whatever_happened_how_often() -> None:
    """Reasons are kept in order, each once, and the most urgent one counts."""
    agenda = Agenda()
    agenda.add("shop", Urgency.HAPPENED, "engine event")
    agenda.add("shop", Urgency.CHANGED, "spec changed")
    agenda.add("shop", Urgency.HAPPENED, "engine event")
    assert agenda.take(0.0, 10) == [Due("shop", Urgency.CHANGED, ("engine event", "spec changed"))]
    assert agenda.take(0.0, 10) == []


def test_what_comes_up_during_a_pass_makes_exactly_one_more() -> None:
    """client-go's work queue: dirty while processing is processed once more afterwards."""
    agenda = Agenda()
    agenda.add("shop", Urgency.HAPPENED, "one")
    taken(agenda)
    agenda.add("shop", Urgency.HAPPENED, "two")
    agenda.add("shop", Urgency.HAPPENED, "three")
    assert taken(agenda) == []
    agenda.done("shop")
    assert [due.reasons for due in agenda.take(0.0, 10)] == [("two", "three")]
    agenda.done("shop")
    assert taken(agenda) == []
    assert agenda.idle


def test_a_commit_overtakes_a_storm_of_routine() -> None:
    """The urgent go first, those that are as urgent in the order in which they came."""
    agenda = Agenda()
    for name in "abc":
        agenda.add(name, Urgency.ROUTINE, "full look")
    agenda.add("d", Urgency.CHANGED, "spec changed")
    agenda.add("e", Urgency.ASKED, "sync")
    assert [due.project for due in agenda.take(0.0, 3)] == ["e", "d", "a"]
    assert taken(agenda) == ["b", "c"]


def test_a_project_that_is_held_waits_unless_a_person_or_a_commit_wants_it() -> None:
    """Backoff holds against events, not against a change that may heal it."""
    agenda = Agenda()
    agenda.hold("shop", 10.0)
    agenda.add("shop", Urgency.HAPPENED, "engine event")
    assert taken(agenda, 9.9) == []
    assert agenda.next_at() == 10.0
    agenda.add("shop", Urgency.CHANGED, "spec changed")
    assert taken(agenda, 9.9) == ["shop"]
    agenda.done("shop")
    agenda.add("shop", Urgency.HAPPENED, "engine event")
    assert taken(agenda, 9.9) == ["shop"], "being taken ends the hold"


def test_a_release_ends_a_hold() -> None:
    """And one that holds nobody is no error."""
    agenda = Agenda()
    agenda.hold("shop", 10.0)
    agenda.add("shop", Urgency.HAPPENED, "engine event")
    agenda.release("shop")
    agenda.release("other")
    assert taken(agenda, 0.0) == ["shop"]


def test_a_timer_rings_once_and_can_be_moved() -> None:
    """One time for each reason; None takes it away."""
    agenda = Agenda()
    agenda.at("shop", "wake", 5.0)
    agenda.at("shop", "image", 7.0)
    agenda.at("shop", "wake", 6.0)
    assert agenda.next_at() == 6.0
    assert taken(agenda, 5.0) == []
    assert agenda.take(6.0, 1) == [Due("shop", Urgency.TIMER, ("wake",))]
    assert agenda.next_at() is None, "what rings during a pass is looked at after it"
    agenda.done("shop")
    assert agenda.next_at() == 7.0
    agenda.at("shop", "image", None)
    assert agenda.next_at() is None


def test_what_is_forgotten_does_not_come_back() -> None:
    """Neither what waits nor a timer or hold of it."""
    agenda = Agenda()
    agenda.add("shop", Urgency.HAPPENED, "engine event")
    agenda.at("shop", "wake", 5.0)
    agenda.hold("shop", 9.0)
    agenda.forget("shop")
    assert taken(agenda, 100.0) == []
    assert agenda.next_at() is None


@given(st.lists(st.tuples(st.sampled_from("ad"), st.sampled_from(["shop", "blog", "api"])), max_size=60))
def test_never_two_passes_of_one_project_and_nothing_is_lost(moves: list[tuple[str, str]]) -> None:
    """Against the plain rule: after an add a pass begins, now or when the one under way has ended."""
    agenda = Agenda()
    under_way: set[str] = set()
    owed: set[str] = set()
    for move, name in moves:
        if move == "a":
            agenda.add(name, Urgency.HAPPENED, "engine event")
            owed.add(name)
        else:
            agenda.done(name)
            under_way.discard(name)
        for found in taken(agenda):
            assert found not in under_way
            under_way.add(found)
            owed.discard(found)
    assert owed <= under_way
