"""Programs that containers of the test image run: the command for a real engine, what it does for a simulated one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.engine.simulated import Behaviour

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Program:
    """One program: its argument vector, and the simulated engine's idea of it."""

    command: tuple[str, ...]
    behaviour: Behaviour = field(default_factory=Behaviour)

    def body(self, **host_config: Any) -> dict[str, Any]:
        """The part of a create body that runs it, on no network unless told."""
        return {
            "Entrypoint": [self.command[0]],
            "Cmd": list(self.command[1:]),
            "HostConfig": {"NetworkMode": "none"} | host_config,
        }


def _shell(script: str, **behaviour: Any) -> Program:
    return Program(("sh", "-c", script), Behaviour(**behaviour))


STAY = Program(("sleep", "600"))
EXIT_0 = _shell("exit 0", exit_after=0.0)
EXIT_3 = _shell("exit 3", exit_after=0.0, exit_code=3)
BRIEF = _shell("sleep 0.5; exit 7", exit_after=0.5, exit_code=7)
TALK = _shell("echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three; sleep 600", logs="one\ntwo\nthree\n")
OBEY = _shell("trap 'exit 5' TERM; while :; do sleep 0.05; done", stop_code=5)
STUBBORN = _shell("trap '' TERM; while :; do sleep 0.05; done", stop_after=None)
ABSENT = Program(
    ("/nonexistent",),
    Behaviour(start_error='exec: "/nonexistent": stat /nonexistent: no such file or directory'),
)

PASSING = {"Test": ["CMD", "true"], "Interval": 200_000_000, "Timeout": 2_000_000_000}
FAILING = {"Test": ["CMD-SHELL", "echo broken; exit 1"], "Interval": 200_000_000, "Timeout": 2_000_000_000}
NO_PROBE = {"Test": ["NONE"]}

_ALL = (STAY, EXIT_0, EXIT_3, BRIEF, TALK, OBEY, STUBBORN, ABSENT)


def behaviour_of(_image: str, config: Mapping[str, Any]) -> Behaviour:
    """What a container of this Config does on a simulated engine."""
    command = (*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ()))
    known = next((program.behaviour for program in _ALL if program.command == command), Behaviour())
    check = config.get("Healthcheck") or {}
    if check.get("Test") == FAILING["Test"]:
        return Behaviour(healthy_after=None, probe_output="broken\n")
    return known
