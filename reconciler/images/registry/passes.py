"""A pass: many references asked for at once, each question once, hosts in parallel and none waiting for another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from reconciler.errors import RegistryError
from reconciler.images.registry.names import Location, locate
from reconciler.images.registry.settings import Settings

Found = TypeVar("Found")


@dataclass(frozen=True)
class Question(Generic[Found]):
    """What is asked of each place; places with the same `key` have the same answer."""

    ask: Callable[[Location], Found]
    key: Callable[[Location], str]


def answers(
    references: Iterable[str], question: Question[Found], settings: Settings
) -> dict[str, Found | RegistryError]:
    """The answer for each reference, or why there is none."""
    found: dict[str, Found | RegistryError] = {}
    places: dict[str, Location] = {}
    same: dict[str, list[str]] = {}
    for reference in dict.fromkeys(references):
        try:
            place = locate(reference)
        except RegistryError as error:
            found[reference] = error
        else:
            places.setdefault(question.key(place), place)
            same.setdefault(question.key(place), []).append(reference)
    for place, answer in _asked(list(places.values()), question.ask, settings):
        found.update(dict.fromkeys(same[question.key(place)], answer))
    return found


def _asked(
    places: list[Location], ask: Callable[[Location], Found], settings: Settings
) -> list[tuple[Location, Found | RegistryError]]:
    lanes = _lanes(places, settings.connections)
    workers = min(len(lanes), settings.hosts_at_once * settings.connections)
    if not lanes:
        return []
    with ThreadPoolExecutor(workers, thread_name_prefix="registry") as pool:
        found = pool.map(lambda lane: [(place, _answer(ask, place)) for place in lane], lanes)
        return [pair for lane in found for pair in lane]


def _answer(ask: Callable[[Location], Found], place: Location) -> Found | RegistryError:
    try:
        return ask(place)
    except RegistryError as error:
        return error


def _lanes(places: list[Location], width: int) -> list[list[Location]]:
    """The places by host, each host's in at most `width` lists of about the same length."""
    hosts: dict[str, list[Location]] = {}
    for place in places:
        hosts.setdefault(place.host, []).append(place)
    return [found[start::width] for found in hosts.values() for start in range(min(width, len(found)))]
