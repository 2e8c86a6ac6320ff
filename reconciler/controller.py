"""The loop: observe, plan, submit, wait, until there is nothing left to do. The same for real engines and forecasts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from reconciler.errors import EngineError, PolicyError
from reconciler.executor import Executor, Finished, Guard, Happened
from reconciler.model.desired import Desired
from reconciler.model.memory import Failure, Memory
from reconciler.model.operation import Operation
from reconciler.model.step import Step
from reconciler.model.suspension import Suspension
from reconciler.observer import Observer
from reconciler.planner.plan import plan
from reconciler.secrecy import hiding

RESYNC_SECONDS = 2.0
ATTEMPTS = 3
BACKOFF_SECONDS = 0.5
REPEATS = 5
MAX_PASSES = 20_000


class Listener(Protocol):
    """Who wants to know what the loop does while it does it."""

    def planned(self, step: Step) -> None:
        """A pass was planned."""
        ...

    def started(self, operation: Operation) -> None:
        """An operation was submitted."""
        ...

    def finished(self, result: Finished) -> None:
        """An operation ended."""
        ...

    def failed(self, failure: Failure) -> None:
        """A rollout failed; its container still exists."""
        ...

    def remember(self, memory: Memory) -> None:
        """What is known has changed, and has to outlive the program from here on."""
        ...


@dataclass
class Outcome:
    """How a run of the loop ended. `stopped` says that it was told to stop, `timed_out` that its deadline passed."""

    step: Step
    memory: Memory
    operations: list[Operation] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    failed_operations: list[tuple[str, str]] = field(default_factory=list)
    stopped: bool = False
    timed_out: bool = False
    endless: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether everything asked for is there, and no step of the way failed."""
        through = not (self.stopped or self.timed_out or self.endless)
        return through and self.step.empty and not self.step.stalled and not self.failures


class Loop:
    """One converge of one project on one engine.

    `guard` sees every operation right before the engine does; `suspended` says before every pass what is left alone.
    """

    def __init__(
        self,
        desired: Desired,
        observer: Observer,
        executor: Executor,
        listener: Listener,
        guard: Guard,
        *,
        should_stop: Callable[[], bool] = lambda: False,
        deadline: float | None = None,
        suspended: Callable[[], Mapping[str, Suspension]] | None = None,
    ) -> None:
        self._desired = desired
        self._observer = observer
        self._executor = executor
        self._listener = listener
        self._guard = guard
        self._should_stop = should_stop
        self._deadline = deadline
        self._suspended = suspended
        self._hide = hiding(())
        self._inflight: dict[str, Operation] = {}
        self._tries: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._not_before: dict[str, float] = {}
        self._synced_at = 0.0
        self._entered = 0

    def run(self, memory: Memory, first: Step | None = None) -> Outcome:
        """Converge until nothing is left to do, the deadline passes, or the loop is told to stop.

        `first` is the first step, where the same state was planned for with the same memory right before.
        Raises EngineUnreachableError where the engine stops answering: nothing is decided on a failed read.
        """
        outcome = Outcome(Step(), memory)
        self._hide = hiding(self._desired.project.services, (item.service for item in memory.stable.values()))
        self._resync()
        for _ in range(MAX_PASSES):
            outcome.step = self._plan(outcome, first)
            first = None
            if not self._inflight and outcome.step.empty:
                return replace(outcome, stopped=False, timed_out=False)
            outcome.stopped = outcome.stopped or self._should_stop()
            outcome.timed_out = self._deadline is not None and self._executor.now() >= self._deadline
            closing = outcome.stopped or outcome.timed_out
            if closing and not self._inflight:
                return outcome
            if not closing:
                self._submit(outcome)
            until = self._wake_at(outcome.step)
            while not self._take_in(outcome, self._executor.wait(until)) and self._executor.now() < until:
                pass
            if outcome.step.wake_at is not None and self._executor.now() >= outcome.step.wake_at:
                self._observer.refresh(outcome.step.look_at)
        outcome.endless = True
        return outcome

    def _plan(self, outcome: Outcome, known: Step | None) -> Step:
        """The step that knows of every failure there is: one that a step finds out changes what is to be done."""
        observed = self._observer.with_inflight(self._inflight)
        done, self._entered = outcome.operations[self._entered :], len(outcome.operations)
        outcome.memory = outcome.memory.with_images(observed, done, self._executor.now())
        if self._suspended:
            outcome.memory = replace(outcome.memory, suspended=self._suspended())
        while True:
            step, known = known or plan(self._desired, observed, outcome.memory, self._executor.now()), None
            failures = outcome.memory.failures
            outcome.memory = outcome.memory.with_failures(step.failures).with_up(step.up)
            for stable in step.stable:
                outcome.memory = outcome.memory.with_stable(self._desired.project.name, stable)
            new = [failure for key, failure in outcome.memory.failures.items() if key not in failures]
            for failure in new:
                outcome.failures.append(failure)
                self._listener.failed(failure)
            if not new:
                self._listener.remember(outcome.memory)
                self._listener.planned(step)
                return step

    def _submit(self, outcome: Outcome) -> None:
        now = self._executor.now()
        ready = tuple(
            operation
            for operation in outcome.step.operations
            if operation.id not in self._inflight and self._not_before.get(operation.id, 0.0) <= now
        )
        outcome.memory = outcome.memory.with_attempts(ready)
        self._listener.remember(outcome.memory)
        for operation in ready:
            self._inflight[operation.id] = operation
            self._listener.started(operation)
        self._executor.submit(ready, self._guard)

    def _wake_at(self, step: Step) -> float:
        now = self._executor.now()
        times = [now + RESYNC_SECONDS, *(time for time in self._not_before.values() if time > now)]
        times += [step.wake_at] if step.wake_at is not None else []
        times += [self._deadline] if self._deadline is not None and self._deadline > now else []
        return min(times)

    def _take_in(self, outcome: Outcome, signals: list[Finished | Happened]) -> bool:
        """Learn from the signals; whether any of them is a reason to plan again."""
        named = set()
        for signal in signals:
            if isinstance(signal, Finished):
                self._finish(outcome, signal)
            else:
                named.add(signal.container)
        if "" in named or self._executor.now() >= self._synced_at + RESYNC_SECONDS:
            self._resync()
            return True
        ours = named & self._observer.known - {operation.target for operation in self._inflight.values()}
        self._observer.refresh(ours)
        return bool(ours) or any(isinstance(signal, Finished) for signal in signals)

    def _finish(self, outcome: Outcome, result: Finished) -> None:
        operation = result.operation
        if self._inflight.get(operation.id) is not operation:
            return  # of a run before this one, which ended early
        del self._inflight[operation.id]
        self._observer.forget(operation.kind)
        if operation.kind == "container.remove" and result.error is None:
            self._observer.learn(operation.target, None, result.seen_at)
        elif result.container:
            inspected = dict(result.inspected) if result.inspected is not None else None
            self._observer.learn(result.container, inspected, result.seen_at)
        elif operation.kind.startswith("container"):
            self._synced_at = 0.0
        if result.error is None:
            self._succeed(outcome, result)
        else:
            result.error.message = self._hide(result.error.message)
            self._fail(outcome, operation, result.error)
        self._listener.finished(result)

    def _succeed(self, outcome: Outcome, result: Finished) -> None:
        """Note it as done. What is done again and again has no effect: asking for it once more would never end."""
        operation = result.operation
        outcome.memory = outcome.memory.with_done(operation, result.container, result.ended_at)
        outcome.operations.append(operation)
        self._done[operation.id] += 1
        if self._done[operation.id] >= REPEATS:
            message = f"{operation.kind} {operation.resource} was carried out {REPEATS} times without lasting effect"
            outcome.memory = outcome.memory.with_failed_operation(operation.id, message)

    def _fail(self, outcome: Outcome, operation: Operation, error: EngineError | PolicyError) -> None:
        self._tries[operation.id] += 1
        if error.retryable and self._tries[operation.id] < ATTEMPTS:
            self._not_before[operation.id] = self._executor.now() + BACKOFF_SECONDS * 2 ** self._tries[operation.id]
            self._synced_at = 0.0
            return
        outcome.failed_operations.append((operation.id, str(error)))
        memory = outcome.memory
        note = memory.with_refused_operation if isinstance(error, PolicyError) else memory.with_failed_operation
        outcome.memory = note(operation.id, str(error), self._executor.now())

    def _resync(self) -> None:
        self._observer.resync()
        self._synced_at = self._executor.now()
