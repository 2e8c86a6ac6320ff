"""Judges every request of the program by the first rule of its architecture: it never mutates a container.

The verbs are create, start, stop and remove; until the first start also connect and copy-in. A drain signal, a drain
command and `publish: healthy` of the container's own spec allow kill, exec, and connect and disconnect besides.
Images are removed one by one, never by force, never with what they were built on; volumes only by the two commands by
which a person asks for it.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.support.proxy import Moment, Request

_PROJECT = "io.reconciler.project"
_SERVICE = "io.reconciler.service"
_FILES = "com.docker.compose.project.config_files"
_FREE = re.compile(
    r"(GET|HEAD) /.*"
    r"|POST /(build|session|grpc|images/create|networks/create|volumes/create|containers/create)"
    r"|POST /images/.+/(tag|push)|POST /containers/[^/]+/(start|stop)|POST /exec/[^/]+/start|DELETE /networks/[^/]+"
)
_ON_CONTAINER = re.compile(r"(POST|PUT|DELETE) /containers/([^/]+)(?:/([a-z]+))?")
_ON_NETWORK = re.compile(r"POST /networks/[^/]+/(connect|disconnect)")
_ON_IMAGE = re.compile(r"DELETE /images/.+")
_ON_VOLUME = re.compile(r"DELETE /volumes/[^/]+")
_REMOVAL = {"force": "0", "noprune": "1"}
_FALSE = {"", "0", "false"}


@dataclass
class _Container:
    """What was seen of one container: whether it was ever started, and the rollout settings of its specs."""

    rollouts: tuple[Mapping[str, Any], ...] = ()
    from_spec: bool = False
    started: bool = False

    def drains_by(self, method: str, signal: str = "") -> bool:
        """Whether its spec asks for this drain. A container of no spec is an adapter's test."""
        drains = [rollout.get("drain") or {} for rollout in self.rollouts]
        return not self.from_spec or any(
            drain.get("method") == method and _number(drain.get("signal")) == _number(signal) for drain in drains
        )

    @property
    def publishes(self) -> bool:
        """Whether its spec asks for its names to come and go."""
        return not self.from_spec or any(rollout.get("publish") == "healthy" for rollout in self.rollouts)


@dataclass
class Guard:
    """Collects the program's requests (as a Tap's `on_request`) and judges them in the order in which they came."""

    _requests: list[Request] = field(default_factory=list)
    _containers: dict[str, _Container] = field(default_factory=dict)
    _removers: set[int] = field(default_factory=set)
    _specs: dict[int, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)

    def on_request(self, request: Request, moment: Moment) -> None:
        """Note a request of the program; what tests do by hand with the docker CLI is theirs."""
        if moment == "before" and not _by_hand(request.pid):
            if request.line == "POST /containers/create":
                self._specs[id(request)] = _rollouts(_labels(request))
            if _ON_VOLUME.fullmatch(request.line) and any(_removes_volumes(argv) for argv in _ancestry(request.pid)):
                self._removers.add(request.pid)
            self._requests.append(request)

    def verdicts(self) -> list[str]:
        """The requests since the last call that are not allowed, each with the reason."""
        seen, self._requests = self._requests, []
        found = [(request, self._judge(request)) for request in seen]
        return [f"{request.line} {request.query or ''}: {reason}" for request, reason in found if reason]

    def _judge(self, request: Request) -> str:
        """Why it is not allowed; empty where it is."""
        self._learn(request)
        if _FREE.fullmatch(request.line):
            return ""
        if found := _ON_NETWORK.fullmatch(request.line):
            return self._judge_network(found[1], self._container(json.loads(request.body).get("Container", "")))
        if _ON_IMAGE.fullmatch(request.line):
            return "" if request.query == _REMOVAL else "an image is removed by name, unforced, without its parents"
        if _ON_VOLUME.fullmatch(request.line):
            allowed = not request.query and request.pid in self._removers
            return "" if allowed else "a volume is removed unforced, and by `down --volumes` and `volumes rm` alone"
        if found := _ON_CONTAINER.fullmatch(request.line):
            return self._judge_container(request, found[1], self._container(found[2]), found[3])
        return "no such verb is the program's"

    def _judge_container(self, request: Request, method: str, container: _Container, verb: str | None) -> str:
        if method == "DELETE" and not verb:
            forced = [name for name in ("force", "v", "link") if request.query.get(name, "").lower() not in _FALSE]
            return f"remove with {forced[0]}" if forced else ""
        signal = request.query.get("signal", "")
        rules: dict[str | None, Callable[[], str]] = {
            "archive": lambda: "copy into a container that was started" if container.started else "",
            "kill": lambda: (
                "" if container.drains_by("signal", signal) else f"its spec asks for no drain by {signal or 'a signal'}"
            ),
            "exec": lambda: "" if container.drains_by("exec") else "its spec asks for no drain command",
        }
        return rules[verb]() if verb in rules else "a container is never changed"

    def _judge_network(self, verb: str, container: _Container) -> str:
        if container.publishes or (verb == "connect" and not container.started):
            return ""
        return f"{verb} of a container that was started, without publish: healthy"

    def _learn(self, request: Request) -> None:
        if request.line == "POST /containers/create":
            from_spec = _PROJECT in _labels(request)
            made = _Container(self._specs.pop(id(request), ()), from_spec)
            self._containers |= {key: made for key in (request.made, request.query.get("name", "")) if key}
        elif found := re.fullmatch(r"POST /containers/([^/]+)/start", request.line):
            self._container(found[1]).started = True

    def _container(self, reference: str) -> _Container:
        """What is known of it; of one that was made unseen: that it came of a spec which asks for nothing."""
        return self._containers.setdefault(reference, _Container(from_spec=True, started=True))


def _labels(request: Request) -> Mapping[str, str]:
    return json.loads(request.body).get("Labels") or {}


def _rollouts(labels: Mapping[str, str]) -> tuple[Mapping[str, Any], ...]:
    """The rollout settings that the service's spec files hold at this moment."""
    paths = [Path(path) for path in labels.get(_FILES, "").split(",") if path]
    documents = [yaml.safe_load(path.read_text()) or {} for path in paths if path.is_file()]
    services = [(document.get("services") or {}).get(labels.get(_SERVICE, "")) for document in documents]
    found = [((service or {}).get("x-reconcile") or {}).get("rollout") for service in services]
    return tuple(rollout for rollout in found if rollout)


def _number(name: str | None) -> str:
    return (name or "").upper().removeprefix("SIG")


def _by_hand(pid: int) -> bool:
    """Whether that process is neither this one, whose clients are the program's, nor the program or a child of it."""
    return pid != os.getpid() and not any(_is_program(argv) for argv in _ancestry(pid))


def _is_program(argv: list[str]) -> bool:
    return "reconciler" in argv[1:4] or any(Path(part).name == "reconcile" for part in argv[:2])


def _removes_volumes(argv: list[str]) -> bool:
    """Whether a person has asked for it by one of the two commands that do."""
    return _is_program(argv) and ({"down", "--volumes"} <= set(argv) or {"volumes", "rm"} <= set(argv))


def _ancestry(pid: int) -> Iterator[list[str]]:
    """The argument vectors of a process and those it descends from, up to this one; one that is gone counts as ours."""
    while pid not in {0, 1, os.getpid()}:
        try:
            yield Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            status = Path(f"/proc/{pid}/stat").read_text()
        except FileNotFoundError:
            yield ["reconcile"]
            return
        pid = int(status.rpartition(")")[2].split()[1])
