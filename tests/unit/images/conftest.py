"""Clients and stand-in servers that are closed behind a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.credentials import Credential
from reconciler.images.registry.settings import Settings
from tests.support.standin import Clock, StandIn

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from tests.support.standin import Asked, Reply


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known() -> dict[str, Credential]:
    """The credentials by host that clients find."""
    return {}


@pytest.fixture
def serve() -> Iterator[Callable[..., StandIn]]:
    started: list[StandIn] = []

    def start(answering: Callable[[Asked], Reply], tls: ssl.SSLContext | None = None) -> StandIn:
        started.append(StandIn(answering, tls))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def make_client(clock: Clock, known: dict[str, Credential]) -> Iterator[Callable[..., RegistryClient]]:
    made: list[RegistryClient] = []

    def make(**settings: Any) -> RegistryClient:
        made.append(RegistryClient(known.get, Settings(**{"certificates": (), **settings}), clock))
        return made[-1]

    yield make
    for client in made:
        client.close()
