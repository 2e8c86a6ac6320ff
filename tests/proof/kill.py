"""A rollout whose program is killed with SIGKILL at every call that it makes, and what the next run makes of it."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.proof.lab import serving
from tests.proof.line import Line
from tests.proof.watch import HASH, Healthy, is_healthy
from tests.support.command import SLOT, finish

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.proof.lab import Lab
    from tests.support.command import Ran, Site
    from tests.support.proxy import Moment, Request

Fields = dict[str, Any]
DRAIN = {"drain": {"method": "exec", "command": ["touch", "/draining"], "delay": "300ms"}}
FAILS = {"command": ["sh", "-c", "exit 9"], "scale": 2}


@dataclass(frozen=True)
class Rollout:
    """One kind of rollout: the fields of its service, those of the new release alone, and what it has to keep healthy.

    `exit` is the code of a run that is left alone, `tries` how often a definition may be begun with in a slot.
    """

    fields: Fields = field(default_factory=dict)
    new: Fields = field(default_factory=dict)
    floor: int = 1
    exit: int = 0
    tries: int = 1


ROLLOUTS = {
    "start-first, two": Rollout({"scale": 2}, floor=2),
    "stop-first, two": Rollout({"scale": 2, "update": {"order": "stop-first"}}, floor=1),
    "anonymous volume": Rollout({"volumes": ["/data"], "update": {"order": "stop-first"}}, floor=0),
    "container_name": Rollout({"container_name": "front", "update": {"order": "stop-first"}}, floor=0),
    "drain by command": Rollout({"rollout": {**DRAIN, "publish": "immediate"}}),
    "bad, goes back": Rollout({"scale": 2}, FAILS, floor=2, exit=1, tries=2),
}


@dataclass
class Killer:
    """Kills the program before or after the call of that number reaches the engine; `at` is the call, once it came."""

    number: int
    moment: Moment
    at: str = ""
    seen: int = 0

    def __call__(self, request: Request, moment: Moment) -> None:
        """What the tap calls for every request."""
        if self.at or request.line.startswith(("GET ", "HEAD ")) or moment != self.moment:
            return
        self.seen += 1
        if self.seen == self.number:
            self.at = re.sub("[0-9a-f]{64}", "ID", re.sub("networks/[^/]+_default", "networks/ID", request.line))
            os.kill(request.pid, signal.SIGKILL)
            if moment == "before":
                raise ConnectionAbortedError  # the tap passes nothing on


def prove(lab: Lab) -> Iterator[Line]:
    """Every rollout, killed at every one of its calls."""
    for name, rollout in ROLLOUTS.items():
        with lab.site() as site:
            yield from _sweep(lab, site, name, rollout)


def _sweep(lab: Lab, site: Site, name: str, rollout: Rollout) -> Iterator[Line]:
    releases = itertools.count(1)
    _write(site, rollout, next(releases), {})
    site.converge()
    reference = _Run(lab, site, rollout, next(releases), None)
    yield reference.line(name, reference.end)
    for number in itertools.count(1):
        moments: list[Moment] = ["before", "after"]
        killer = Killer(number, moments[number % 2])
        run = _Run(lab, site, rollout, next(releases), killer)
        if not killer.at:
            return
        yield run.line(name, reference.end)


class _Run:
    """One change of release, killed on the way or not, and the runs after it until the end."""

    def __init__(self, lab: Lab, site: Site, rollout: Rollout, release: int, killer: Killer | None) -> None:
        self._lab, self._site, self._rollout, self._killer = lab, site, rollout, killer
        self._volumes = _volumes(site)
        self._release = release
        _write(site, rollout, release, rollout.new)
        with Healthy(site, "web") as self._watch:
            lab.on_request = killer
            first = finish(site.start())
            lab.on_request = None
            self._ran = first if killer is None or not killer.at else site.run()
        asked = len(lab.tap.asked)
        self._again = site.run()
        self._repeated = lab.writes_since(asked)
        self.end = _state(site, release)

    def line(self, name: str, reference: object) -> Line:
        """What came of it."""
        killed = f"{self._killer.moment} {self._killer.number}: {self._killer.at}" if self._killer else "not at all"
        healthy = f"{self._watch.lowest} of {self._rollout.floor}"
        columns = (name, killed, healthy, self._watch.created.total(), self._ran.code)
        return Line("kill", columns, tuple(self._trouble(reference)))

    def _trouble(self, reference: object) -> Iterator[str]:
        yield from self._lab.guard.verdicts()
        yield from _ended(self._ran, self._rollout.exit)
        yield from _ended(self._again, self._rollout.exit)
        if self._watch.lowest < self._rollout.floor:
            yield f"only {self._watch.lowest} were healthy"
        if self.end != reference:
            yield f"another end: {self.end} instead of {reference}"
        if lost := self._volumes - _all_volumes(self._site):
            yield f"{len(lost)} volumes are gone"
        if self._repeated:
            yield f"one more run did something: {self._repeated}"
        if any(times > self._rollout.tries for times in self._watch.created.values()):
            yield f"created twice: {self._watch.created.most_common(1)}"
        at_drain = self._killer is not None and "/exec" in self._killer.at
        if any(times > 1 + at_drain for times in self._watch.executed("draining").values()):
            yield "drained twice"


def _ended(ran: Ran, code: int) -> Iterator[str]:
    with contextlib.suppress(AssertionError):
        ran.expect(code)
        return
    yield f"exit {ran.code}: {ran.text.strip().splitlines()[-1:]}"


def _write(site: Site, rollout: Rollout, release: int, new: Mapping[str, Any]) -> None:
    fields = {**rollout.fields, **new}
    if "container_name" in fields:
        fields["container_name"] = f"{site.name}-{fields['container_name']}"
    site.write(web=serving(site, release, **fields))


def _state(site: Site, release: int) -> list[tuple[Any, ...]]:
    """What is there, without what differs from release to release: ids, hashes, addresses."""
    rows = site.containers().values()
    own = f"RELEASE={release}"
    return sorted(
        (
            re.sub(r"-[0-9a-f]{8}$", "", row["Name"].replace(site.name, "NAME")),
            row["Config"]["Labels"][SLOT],
            is_healthy(row),
            own in row["Config"]["Env"],
            bool(row["Config"]["Labels"][HASH]),
            row["RestartCount"],
            sorted(mount["Destination"] for mount in row["Mounts"]),
            sorted(set(_aliases(row)) - {row["Id"][:12]}),
        )
        for row in rows
    )


def _aliases(row: Mapping[str, Any]) -> list[str]:
    networks = row["NetworkSettings"]["Networks"].values()
    project = row["Config"]["Labels"]["io.reconciler.project"]
    return [alias.replace(project, "NAME") for network in networks for alias in network["Aliases"] or []]


def _volumes(site: Site) -> set[str]:
    rows = site.containers().values()
    return {mount["Name"] for row in rows for mount in row["Mounts"] if mount["Type"] == "volume"}


def _all_volumes(site: Site) -> set[str]:
    return {row["Name"] for row in site.api.volumes()["Volumes"] or []}
