"""Every operation passes one guard right before the engine, in forecasts and in the run; nothing gets around it."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

import reconciler
from reconciler.admission import Gate
from reconciler.engine.simulated import Behaviour, SimulatedEngine, VirtualClock
from reconciler.errors import PolicyError, PolicyErrors
from reconciler.executor import Finished, ThreadedExecutor, execute
from reconciler.forecast import VirtualExecutor
from reconciler.lock import unlocked
from reconciler.model.operation import Kind, Operation
from reconciler.model.settings import PolicySettings
from reconciler.policy.resolve import Policy, resolve
from reconciler.session import Session
from reconciler.store import Store
from tests.support.planning import NOW, project
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.executor import Happened
    from reconciler.model.project import Project
    from reconciler.model.report import ProjectReport

PACKAGE = Path(reconciler.__file__).parent
CHANGING = {
    "create_container",
    "copy_files",
    "start_container",
    "stop_container",
    "remove_container",
    "remove_volume",
    "kill_container",
    "exec_in_container",
    "http_post",
    "create_network",
    "remove_network",
    "connect_network",
    "disconnect_network",
    "create_volume",
    "pull_image",
    "tag_image",
    "build_image",
}
ELSEWHERE = {"push_image": "pushing.py", "remove_image": "collecting.py"}  # no operations: only on a person's command
READING = {
    "clone",
    "close",
    "container_changes",
    "container_logs",
    "events",
    "info",
    "inspect_container",
    "inspect_image",
    "introduced_anew",
    "list_containers",
    "list_images",
    "list_networks",
    "list_volumes",
    "missing_paths",
    "registry_digest",
    "volume_usage",
}
LEVELS: dict[bool, PolicySettings] = {True: PolicySettings("standard"), False: PolicySettings("open")}
SAID = "a privileged container is not allowed here (policy rule privileged)"
PLAIN = "services: {web: {image: 'example/web:1.0', environment: {V: '1'}}}"
PRIVILEGED = "services: {web: {image: 'example/web:1.0', environment: {V: '1'}, privileged: true}}"


def named(path: Path) -> Iterator[str]:
    """The names of attributes and texts in a module: calls, references, and what getattr could be given."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_only_the_executor_calls_what_changes_an_engine() -> None:
    """All verbs of the protocol are known here, so a new one cannot be called past the guard."""
    protocol = ast.parse((PACKAGE / "engine" / "protocol.py").read_text())
    verbs = {node.name for node in ast.walk(protocol) if isinstance(node, ast.FunctionDef)}
    assert verbs == CHANGING | READING | ELSEWHERE.keys()
    found = {
        (name, str(path.relative_to(PACKAGE)))
        for path in PACKAGE.rglob("*.py")
        if "engine" not in path.relative_to(PACKAGE).parts
        for name in named(path)
        if name in CHANGING or name in ELSEWHERE
    }
    assert found == {(name, "executor.py") for name in CHANGING} | {*ELSEWHERE.items()}


def test_only_one_function_of_the_executor_does_and_it_asks_the_guard_first() -> None:
    """Besides the drain command, which is part of it."""
    module = ast.parse((PACKAGE / "executor.py").read_text())
    functions = {node.name: node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}
    calling = {
        name
        for name, node in functions.items()
        if any(isinstance(inner, ast.Attribute) and inner.attr in CHANGING for inner in ast.walk(node))
    }
    assert calling == {"perform", "_run_inside"}
    first = functions["perform"].body[1]  # behind its docstring
    assert ast.unparse(first) == "guard(operation)"


def deny(_operation: Operation) -> None:
    """A guard that lets nothing through."""
    raise PolicyError("not allowed here")


class Recorder:
    """Notes which calls reach a simulated engine."""

    def __init__(self) -> None:
        self.engine = SimulatedEngine(VirtualClock(NOW))
        self.calls: list[str] = []
        self.engine.fault = self._see

    def _see(self, call: Any, _moment: str) -> None:
        self.calls.append(call.name)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_an_operation_that_is_denied_reaches_no_engine(kind: Kind) -> None:
    """Whatever it is: it has failed, for good."""
    recorder = Recorder()
    operation = Operation("id", kind, "web", "shop", target="web", payload={})
    finished = execute(recorder.engine, operation, lambda _text: None, lambda: NOW, deny)
    assert isinstance(finished.error, PolicyError)
    assert finished.error.retryable is False
    assert not CHANGING & set(recorder.calls)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_both_executors_ask_the_guard(kind: Kind) -> None:
    """The one of forecasts, and the one of real engines."""
    for make in (VirtualExecutor, lambda engine: ThreadedExecutor(engine, lambda: NOW)):
        recorder = Recorder()
        recorder.engine.clone = lambda found=recorder.engine: found  # type: ignore[method-assign, misc]
        executor: Any = make(recorder.engine)
        executor.submit([Operation("id", kind, "web", "shop", target="web", payload={})], deny)
        (finished,) = ended(executor.wait(None))
        executor.close(wait=True)
        assert isinstance(finished.error, PolicyError)
        assert not CHANGING & set(recorder.calls)


def ended(signals: list[Finished | Happened]) -> list[Finished]:
    return [signal for signal in signals if isinstance(signal, Finished)]


def test_a_gate_knows_one_project() -> None:
    """An operation of another project is none of its policy's, at any level."""
    gate = Gate(resolve(PolicySettings("open"), project()))
    gate(Operation("id", "container.create", "web", "shop", payload={"body": {"HostConfig": {"Privileged": True}}}))
    with pytest.raises(PolicyErrors, match="is an operation of bank"):
        gate(Operation("id", "container.stop", "web", "bank"))


class Site:
    """A program on a simulated engine, with a policy that can change."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.world.engine.world.behaviours = bad_two
        self.policy: Callable[[Project], Policy] = self.held_to(strict=True)
        self.calls: list[str] = []

    def held_to(self, *, strict: bool) -> Callable[[Project], Policy]:
        """A policy at `standard`, else at `open`."""
        return lambda wanted: resolve(LEVELS[strict], wanted)

    def session(self) -> Session:
        """What a command opens."""
        world, engine = self.world, self.world.engine
        return Session(engine, VirtualExecutor(engine), unlocked, "default", world.store, policy=self.policy)

    def converge(self, text: str) -> ProjectReport:
        """What `reconcile` does."""
        return self.session().converge(
            self.world.project(text), lambda _report: None, lambda _activity: None, lambda: False, None
        )

    def watch(self) -> None:
        """From now on note the calls that reach the engine."""

        def see(call: Any, _moment: str) -> None:
            self.calls.append(call.name)

        self.world.engine.fault = see


def bad_two(_image: str, config: Mapping[str, Any]) -> Behaviour:
    return Behaviour(exit_after=0.1, exit_code=9) if "V=2" in (config.get("Env") or []) else Behaviour()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A world in which version 2 does not come up."""
    return Site(tmp_path)


def test_a_project_that_its_policy_denies_is_refused_with_nothing_touched(site: Site) -> None:
    """In a dry-run and in a converge; all violations at once; status still tells what runs."""
    site.watch()
    text = PRIVILEGED.replace("privileged: true", "privileged: true, pid: host")
    with pytest.raises(PolicyErrors) as caught:
        site.converge(text)
    assert [error.message.split(": ")[1].split(" is not")[0] for error in caught.value.errors] == [
        "a privileged container",
        "the pid namespace 'host'",
    ]
    with pytest.raises(PolicyErrors, match="policy rule privileged"):
        site.session().plan(site.world.project(text))
    assert site.session().status(site.world.project(text)).name == "shop"
    assert not CHANGING & set(site.calls)
    assert site.world.rows() == []


def test_what_is_from_git_is_held_to_standard_by_default(site: Site) -> None:
    """A session that nobody told anything is no way around."""
    world = site.world
    session = Session(world.engine, VirtualExecutor(world.engine), unlocked, "default", world.store)
    with pytest.raises(PolicyErrors):
        session.plan(replace(world.project(PRIVILEGED), from_git=True))
    assert session.plan(world.project(PRIVILEGED)).converges


def test_what_runs_stays_when_a_new_rule_denies_it(site: Site) -> None:
    """It is refused until it is changed, and then replaced."""
    site.policy = site.held_to(strict=False)
    assert site.converge(PRIVILEGED).succeeded
    before = site.world.container("web/1")
    site.policy = site.held_to(strict=True)
    with pytest.raises(PolicyErrors):
        site.converge(PRIVILEGED.replace("'1'", "'3'"))
    assert site.world.container("web/1") == before
    assert site.world.states() == {"web/1": "running"}
    assert site.converge(PLAIN).succeeded
    assert site.world.container("web/1") != before


def test_the_guard_of_the_run_holds_where_the_forecast_was_let_through(site: Site) -> None:
    """The operation fails once, for good, and what runs stays. The definition is not to blame: no quarantine."""
    site.policy = site.held_to(strict=False)
    assert site.converge(PLAIN).succeeded
    before = site.world.container("web/1")
    answers = iter([LEVELS[False], LEVELS[True]])  # of the forecast, of the run
    site.policy = lambda wanted: resolve(next(answers), wanted)
    site.watch()
    report = site.converge(PRIVILEGED)
    assert not report.succeeded
    (failure,) = report.failures
    assert failure.reason == "PolicyDenied"
    assert SAID in failure.message
    assert not {"create_container", "stop_container", "remove_container"} & set(site.calls)
    assert site.world.container("web/1") == before
    assert site.world.states() == {"web/1": "running"}
    assert site.world.memory().failures == {}
    site.policy = site.held_to(strict=False)
    assert site.converge(PRIVILEGED).succeeded
    assert site.world.container("web/1") != before


def test_a_rollback_to_what_is_denied_by_now_is_refused(site: Site) -> None:
    """The version that fails stays, and the reason is said; nothing privileged is made or started."""
    site.policy = site.held_to(strict=False)
    assert site.converge(PRIVILEGED).succeeded
    site.policy = site.held_to(strict=True)
    text = PLAIN.replace("'1'", "'2'").replace("}}}", "}, deploy: {update_config: {order: stop-first}}}}")
    report = site.converge(text)
    assert not report.succeeded
    assert [failure.rolled_back for failure in report.failures] == [True]
    assert SAID in " ".join(condition.message for condition in report.conditions)
    running = [row for row in site.world.rows() if row["State"] == "running"]
    inspected = [site.world.engine.inspect_container(row["Id"]) for row in running]
    assert not any(item["HostConfig"].get("Privileged") for item in inspected)
    with pytest.raises(PolicyErrors, match="privileged"):
        site.converge(text)


def test_going_back_by_hand_to_what_is_denied_by_now_changes_nothing(site: Site) -> None:
    """It is refused before anything is put in quarantine."""
    site.policy = site.held_to(strict=False)
    assert site.converge(PRIVILEGED).succeeded
    site.policy = site.held_to(strict=True)
    text = PLAIN.replace("'1'", "'3'")
    assert site.converge(text).succeeded
    before = site.world.memory()
    with pytest.raises(PolicyErrors, match="privileged"):
        site.session().go_back(site.world.project(text), "web", 1)
    assert site.world.memory() == before
    assert site.converge(text).succeeded


@pytest.mark.parametrize(("before", "runs"), [(PRIVILEGED, False), (PLAIN, True)])
def test_a_container_whose_definition_nobody_knows_is_judged_as_it_is(site: Site, before: str, *, runs: bool) -> None:
    """The state file is lost, the new version fails: the old one is started again where the policy allows it."""
    site.policy = site.held_to(strict=False)
    assert site.converge(before).succeeded
    site.world.store = Store.in_memory()
    site.policy = site.held_to(strict=True)
    report = site.converge(PLAIN.replace("'1'}", "'2'}, deploy: {update_config: {order: stop-first}}"))
    assert [failure.rolled_back for failure in report.failures] == [True]
    assert ("running" in site.world.states()["web/1"]) is runs
    assert (SAID in " ".join(condition.message for condition in report.conditions)) is not runs
