"""Our own client first, then the engine: which of them answers, and what is said where neither does."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from reconciler import registries as asking_registries
from reconciler.engine.simulated import SimulatedEngine, VirtualClock
from reconciler.errors import RegistryError
from reconciler.forecast import VirtualExecutor
from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.digests import ImageContent, Platform
from reconciler.images.registry.pacing import LONGEST_PAUSE, Pacing, Patience
from reconciler.images.registry.settings import Settings
from reconciler.model.observed import RegistryAnswer
from reconciler.model.project import PublicKey
from reconciler.registries import Registries, own_registries
from tests.support.standin import Clock, Reply, StandIn, as_json, digest_of, index, manifest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = index("linux/amd64")
DIGEST = f"sha256:{'e' * 64}"


@pytest.fixture
def executor() -> VirtualExecutor:
    """One of a simulated engine, whose registries have nothing but what a test says."""
    engine = SimulatedEngine(VirtualClock(0.0))
    engine.world.registry = {}
    return VirtualExecutor(engine)


@pytest.fixture
def server() -> Iterator[StandIn]:
    started = StandIn(lambda _: manifest(CONTENT))
    yield started
    started.close()


@pytest.fixture
def registries() -> Iterator[Registries]:
    found = Registries(RegistryClient(lambda _host: None, Settings(()), Clock()))
    yield found
    found.close()


@pytest.fixture
def nowhere() -> Iterator[str]:
    """A reference at a port where nobody listens."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{nobody.getsockname()[1]}/a"


def known(executor: VirtualExecutor, reference: str) -> None:
    executor._engine.world.registry = {reference: RegistryAnswer(DIGEST)}


def test_the_engine_is_not_asked_for_what_a_registry_answers(
    registries: Registries, executor: VirtualExecutor, server: StandIn
) -> None:
    """Not for a digest, and not for a refusal either: that is final."""
    reference = f"{server.host}/a"
    known(executor, reference)
    assert registries.answers((reference,), executor) == {reference: RegistryAnswer(digest_of(CONTENT))}
    server.answering = lambda _: Reply(404)
    refused = registries.answers((reference,), executor)[reference]
    assert (refused.digest, refused.reason) == (None, "ImageNotFound")
    assert refused.error == f"{server.host} does not have it (push it, or correct the name or the tag)"


def test_the_engine_is_asked_for_what_is_out_of_reach(
    registries: Registries, executor: VirtualExecutor, server: StandIn, nowhere: str
) -> None:
    """It may know a way; where it does not, both are quoted."""
    good = f"{server.host}/a"
    silent = registries.answers((nowhere, good), executor)
    assert silent[good].digest == digest_of(CONTENT)
    assert silent[nowhere].reason == "RegistryUnreachable"
    assert "connection refused" in (silent[nowhere].error or "")
    assert "the engine has no answer either: manifest for" in (silent[nowhere].error or "")
    known(executor, nowhere)
    assert registries.answers((nowhere,), executor) == {nowhere: RegistryAnswer(DIGEST)}


def test_clients_with_one_patience_learn_from_each_other(
    executor: VirtualExecutor, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that says one of them to wait is not asked by the others, and each is told so of its own image."""
    monkeypatch.setenv("DOCKER_CONFIG", "/none")
    server.answering = lambda _: Reply(429, {"Retry-After": "60"})
    patience = Patience()
    one, other = (own_registries("unix:///none", None, engine_is_here=True, patience=patience) for _ in range(2))
    said = one.answers((f"{server.host}/a",), executor)[f"{server.host}/a"]
    assert other.answers((f"{server.host}/b",), executor) == {f"{server.host}/b": said}
    assert said.reason == "RegistryRateLimited"
    assert len(server.asked) == 1
    for registries in (one, other):
        registries.close()


@pytest.mark.parametrize(("hangs", "down", "asked"), [(0.0, True, 1), (0.0, False, 3), (600.0, True, 3)])
def test_a_registry_for_which_the_engine_hangs_is_left_alone(
    executor: VirtualExecutor, nowhere: str, monkeypatch: pytest.MonkeyPatch, hangs: float, down: bool, asked: int
) -> None:
    """By all who share its memory; each says why by itself. What came soon, or from the registry, is of one image."""
    monkeypatch.setattr(asking_registries, "HANGS", hangs)
    clock, references = Clock(), [f"{nowhere}:{number}" for number in range(3)]
    engines = Pacing(clock)

    def ask(reference: str) -> RegistryAnswer:
        registries = Registries(RegistryClient(lambda _host: None, Settings(()), Clock()), engines=engines)
        answer = registries.answers((reference,), executor)[reference]
        registries.close()
        return answer

    if down:
        executor._engine.world.registry = {name: RegistryAnswer(error=f"no word of {name}") for name in references}
    answers = [ask(reference) for reference in references]
    assert {answer.reason for answer in answers} == {"RegistryUnreachable"}
    told = [(answer.error or "").partition("the engine has no answer either: ")[2] for answer in answers]
    assert all(told)
    assert len(set(told)) == asked
    clock.now += LONGEST_PAUSE
    known(executor, references[0])
    assert ask(references[0]) == RegistryAnswer(DIGEST)


def test_a_rate_limit_says_until_when(registries: Registries, executor: VirtualExecutor, server: StandIn) -> None:
    """The time is the registry's word, in UTC."""
    server.answering = lambda _: Reply(429, {"Retry-After": "60"})
    reference = f"{server.host}/a"
    answer = registries.answers((reference,), executor)[reference]
    assert answer.reason == "RegistryRateLimited"
    assert "(not to be asked before 1970-01-01 00:17:40 UTC; log in with docker login" in (answer.error or "")


def test_without_a_client_the_engine_answers_all(executor: VirtualExecutor) -> None:
    """The simulated engine's registries are its own, and closing nothing is nothing."""
    known(executor, "app:1")
    registries = Registries(None)
    answers = registries.answers(("app:1", "none:1"), executor)
    registries.close()
    assert answers["app:1"] == RegistryAnswer(DIGEST)
    assert (answers["none:1"].reason, answers["none:1"].digest) == ("", None)


def test_localhost_of_another_machine_is_asked_by_its_engine(executor: VirtualExecutor, server: StandIn) -> None:
    """A registry on our own loopback that answers to the same name is another one."""
    here = f"{server.host}/a"
    known(executor, here)
    registries = Registries(RegistryClient(lambda _host: None, Settings(()), Clock()), engine_is_here=False)
    assert registries.answers((here,), executor) == {here: RegistryAnswer(DIGEST)}
    registries.close()
    assert server.asked == []


def test_own_registries_are_asked_as_the_environment_says(
    executor: VirtualExecutor, server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry on this machine needs no settings."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    reference = f"{server.host}/a"
    registries = own_registries("unix:///none", None, engine_is_here=True)
    assert registries.answers((reference,), executor)[reference].digest == digest_of(CONTENT)
    registries.close()


CONTENT_HERE = ImageContent(Platform("linux", "amd64"))
KEYS = (PublicKey("a.pub", "-----BEGIN PUBLIC KEY-----"),)


def test_without_an_engine_only_registries_answer(registries: Registries, server: StandIn, nowhere: str) -> None:
    """Pinning needs no engine; what is out of reach then has no other way."""
    good = f"{server.host}/a"
    found = registries.answers((good, nowhere), None)
    assert found[good].digest == digest_of(CONTENT)
    assert (found[nowhere].error or "").endswith("the engine has no answer either: there is none")


def test_tags_are_asked_for_once_for_a_repository(registries: Registries, server: StandIn) -> None:
    """Of a repository without any there are none, which is no failure."""
    server.answering = lambda asked: Reply(404) if "/none/" in asked.path else as_json({"tags": None})
    one, two, none = (f"{server.host}/{name}" for name in ("a:1", "a:2", "none:1"))
    found = registries.tags((one, two, none))
    assert (found[one], found[two]) == ((), ())
    assert isinstance(found[none], RegistryError)
    assert len(server.asked) == 2


def test_only_our_own_client_lists_compares_and_verifies(server: StandIn) -> None:
    """The engine cannot: nothing is known then, and nothing passes for signed."""
    here = f"{server.host}/a:1"
    beyond = Registries(RegistryClient(lambda _host: None, Settings(()), Clock()), engine_is_here=False)
    for registries in (beyond, Registries(None)):
        refused = registries.tags((here,))[here]
        assert isinstance(refused, RegistryError)
        assert (refused.reason, refused.source) == ("RegistryUnreachable", here)
        assert registries.is_same(here, DIGEST, CONTENT_HERE) is None
        assert registries.tags(()) == {}
    with pytest.raises(RegistryError) as caught:
        beyond.check_signature(here, DIGEST, KEYS)
    assert caught.value.message == "only a registry that this machine reaches can be asked for signatures"
    beyond.close()
    assert server.asked == []


def test_a_simulated_engine_has_no_signatures() -> None:
    """Nothing runs on it: a forecast assumes that they are there."""
    Registries(None).check_signature("app:1", DIGEST, KEYS)


def test_what_a_registry_does_not_say_is_neither_the_same_nor_another(registries: Registries, server: StandIn) -> None:
    """A failure is not remembered as a difference."""
    server.answering = lambda _: manifest(index("windows/amd64"))
    digest = digest_of(index("windows/amd64"))
    assert registries.is_same(f"{server.host}/a:1", digest, CONTENT_HERE) is False
    server.answering = lambda _: Reply(500)
    assert registries.is_same(f"{server.host}/a:1", digest, CONTENT_HERE) is None
