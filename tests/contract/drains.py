"""Programs that can be drained: the command for a real engine, what it does for a simulated one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.engine.simulated import Behaviour
from tests.support import programs
from tests.support.programs import Program

if TYPE_CHECKING:
    from collections.abc import Mapping

PORT = 8080
FAILS = ("sh", "-c", "echo one; echo gone >&2; exit 7")
TAKES_LONG = ("sleep", "5")


def _shell(script: str, **behaviour: Any) -> Program:
    return Program(("sh", "-c", script), Behaviour(**behaviour))


def _answers(status: int) -> Program:
    reply = f"HTTP/1.1 {status} X\\r\\nContent-Length: 0\\r\\n\\r\\n"
    return _shell(f"while :; do printf '{reply}' | nc -l -p {PORT}; done", http_status=status)


LEAVES = _shell("trap 'exit 0' USR1; while :; do sleep 0.05; done", drained_after=0.05, stop_code=0)
ACCEPTS, REFUSES = _answers(202), _answers(503)
DEAF = _shell("sleep 601", http_status=0)
UNABLE = _shell("sleep 602", drain_code=7, drain_output="one\ngone\n")
SLOW = _shell("sleep 603", drain_seconds=5.0)
WRITES = _shell("mkdir /srv/sub; echo x > /srv/sub/new; sleep 604", writes=("/srv/sub", "/srv/sub/new"))

QUITS = _shell("trap 'exit 0' TERM; while :; do sleep 0.05; done", drained_after=0.0)

_ALL = (QUITS, LEAVES, ACCEPTS, REFUSES, DEAF, UNABLE, SLOW, WRITES)


def behaviour_of(image: str, config: Mapping[str, Any]) -> Behaviour:
    """What a container of this Config does on a simulated engine."""
    command = (*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ()))
    known = next((program.behaviour for program in _ALL if program.command == command), None)
    return known or programs.behaviour_of(image, config)
