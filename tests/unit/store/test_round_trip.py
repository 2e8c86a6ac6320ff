"""What is kept comes back exactly as it was."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.age import Keyring
from reconciler.encoding import decode, encode
from reconciler.model.history import RolloutRecord
from reconciler.model.memory import Failure, Memory, Stable
from reconciler.model.observed import Container
from reconciler.store import Store
from reconciler.store.rows import tables
from tests.support import age
from tests.unit.store.afresh import afresh
from tests.unit.store.invented import invented

THOROUGH = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


with TemporaryDirectory() as folder:
    KEYRING = Keyring(str(age.identity(Path(folder))))
    KEYRING.seal("")  # it is read now, while its file is there

OF_ONE_RUN = {"failed_operations", "refused", "quarantined", "earlier"}
WRITTEN_BY_OTHERS = {"suspended"}


def kept_of(memory: Memory) -> Memory:
    """What of it a run saves."""
    return replace(memory, **{name: getattr(Memory(), name) for name in OF_ONE_RUN | WRITTEN_BY_OTHERS})


def exact(memory: Memory) -> list[str]:
    """Its fields as text, which tells 1 from 1.0 and a list from a tuple; sets in order."""
    values = [getattr(memory, field.name) for field in fields(memory)]
    return [repr(sorted(value) if isinstance(value, frozenset) else value) for value in values]


@THOROUGH
@given(st.lists(invented(Memory), min_size=1, max_size=3))
def test_the_memory_saved_last_is_loaded(memories: list[Memory]) -> None:
    """Whatever was saved before it, and all of it but what is a run's own."""
    with Store.in_memory(keyring=KEYRING) as store:
        project = store.project("engine", "instance", "shop")
        for memory in memories:
            project.save(memory)
        loaded = afresh(store, instance="instance").load()
        assert loaded == kept_of(memories[-1])
        assert store.notices == ()


@THOROUGH
@given(invented(Memory))
def test_a_memory_keeps_its_types(memory: Memory) -> None:
    """Keys of two parts stay tuples, lists in JSON stay lists, whole floats stay floats, None stays None."""
    with Store.in_memory(keyring=KEYRING) as store:
        store.project("engine", "instance", "shop").save(memory)
        loaded = afresh(store, instance="instance").load()
        assert exact(loaded) == exact(kept_of(memory))


@THOROUGH
@given(invented(RolloutRecord))
def test_a_record_keeps_its_types(record: RolloutRecord) -> None:
    """A rollout comes back from the history as it went in, numbered."""
    with Store.in_memory(keyring=KEYRING) as store:
        project = store.project("engine", "instance", "shop")
        project.begin(record)
        assert repr(project.history()) == repr((replace(record, number=1),))


@THOROUGH
@given(invented(Stable))
def test_a_revision_keeps_its_types(stable: Stable) -> None:
    """A stable definition comes back as it went in, numbered."""
    with Store.in_memory(keyring=KEYRING) as store:
        project = store.project("engine", "instance", "shop")
        project.add_revision(stable)
        assert repr(project.revisions(stable.service.name)) == repr((replace(stable, revision=1),))


def test_every_field_of_memory_outlives_the_run_but_these() -> None:
    """Which operations failed in a run, and what was known before it began, are its own; suspensions are persons'."""
    kept = {table.field for table in tables()}
    assert {field.name for field in fields(Memory)} - kept == OF_ONE_RUN | WRITTEN_BY_OTHERS


def test_what_a_policy_denied_is_not_kept() -> None:
    """The next process may have another policy; a definition that failed by itself stays known."""
    failures = [Failure("web", "aa", "PolicyDenied", "no"), Failure("web", "bb", "Exited", "exited (1)")]
    with Store.in_memory() as store:
        project = store.project("engine", "instance", "shop")
        project.save(Memory().with_failures(tuple(failures)))
        assert {key for _, key in project.load().failures} == {"bb"}
        assert {key for _, key in afresh(store, instance="instance").load().failures} == {"bb"}


def test_what_a_container_has_worked_out_is_not_kept() -> None:
    """A property that is remembered on the object is no field."""
    container = Container("id", "name", "exited", {}, "app:1", "sha256:1", 1.0)
    assert container.published == ()
    assert decode(Container, encode(Container, container)) == container


def test_text_that_is_no_unicode_does_not_stop_a_save() -> None:
    """Half a surrogate pair, which no file can hold, becomes a question mark."""
    with Store.in_memory(keyring=KEYRING) as store:
        store.project("engine", "instance", "shop").save(Memory(baselines={"c1": ("/tmp/\ud800",)}))
        assert afresh(store, instance="instance").load().baselines == {"c1": ("/tmp/?",)}
