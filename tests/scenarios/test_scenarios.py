"""Golden plans: a spec, what ran before, what happened since, and the plan as a user reads it.

Each case is a file in `cases/`: `rule` (what it locks), `before` (a spec converged first), `happens` (what somebody did
since), `spec`, and `plan` (the text of the dry-run). `composed` is a spec that `docker compose` has up, `adopt` tells
the run to take it over. `order` lists operations that come in that order, `hidden` texts that appear nowhere, `missing`
paths that the engine's machine lacks. Every plan that converges is carried out too, and must then leave nothing to do.

`UPDATE_PLANS=1 pytest tests/scenarios` writes the plans anew, to be read in the diff.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli import plan_json, plan_text
from reconciler.engine.simulated import outside
from reconciler.model.observed import RegistryAnswer
from reconciler.model.report import ProjectReport, Report
from tests.support import composed
from tests.support.world import World

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
IMAGES = ("web:1.0", "web:1.1", "api:1.0", "db:1.0", "old:1.0", "vpn:1.0", "app:1.0")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_plan(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan reads as recorded, and carrying it out leaves nothing to do."""
    case = yaml.safe_load(path.read_text())
    monkeypatch.chdir(tmp_path)
    world = World(tmp_path)
    _set_the_scene(world, case)
    project = world.project(case["spec"])
    adopt = bool(case.get("adopt"))
    report = world.plan(project, adopt=adopt)
    text = plan_text.render(Report("plan", (report,), warnings=report.notices))
    if os.environ.get("UPDATE_PLANS"):
        _record(path, text)
    else:
        assert text == case["plan"]
    _check_hidden(case, text, report)
    _check_order(case.get("order", []), report)
    before = world.states()
    assert world.converge(project, adopt=adopt).succeeded == report.succeeded
    if report.converges:
        assert world.plan(project).operations == ()
    else:
        assert world.states() == before


def _set_the_scene(world: World, case: dict[str, Any]) -> None:
    if "registry" in case:
        known = (*IMAGES, *case["registry"])
        digests = {f"example/{name}": sha256(name.encode()).hexdigest() for name in known}
        world.engine.world.registry = {name: RegistryAnswer(f"sha256:{digest}") for name, digest in digests.items()}
    world.engine.world.missing_paths = frozenset(case.get("missing", ()))
    if "before" in case:
        assert world.converge(world.project(case["before"])).succeeded
    if "composed" in case:
        composed.compose_up(world, case["composed"])
    for happening in case.get("happens", []):
        _happen(world, *happening.split())


def _happen(world: World, verb: str, name: str, port: str = "") -> None:
    if verb == "foreign":
        body: dict[str, Any] = {"Image": "example/web:1.0", "ExposedPorts": {"80/tcp": {}}}
        body["HostConfig"] = {"PortBindings": {"80/tcp": [{"HostPort": port}]}}
        world.foreign(name, body)
    elif verb == "disconnect":
        outside.disconnect(world.engine, port, world.container(name))
    elif verb == "rename":
        outside.rename(world.engine, world.container(name), port)
    elif verb == "attach":
        outside.connect(world.engine, port, world.foreign(name, {"Image": "example/web:1.0"}))
    elif verb == "one-off":
        composed.one_off(world, name)
    elif verb == "suspend":
        world.session().suspend("shop", None if name == "shop" else name, "being looked at", "alice")
    elif verb == "leftover":
        composed.leftover(world, name, int(port))
    elif verb == "compose":
        labels = {"com.docker.compose.project": name, "com.docker.compose.service": "web"}
        world.foreign(f"{name}-web-1", {"Image": "example/web:1.0", "Labels": labels})
    else:
        happening = {"kill": outside.die, "pause": outside.pause, "remove": outside.remove}[verb]
        happening(world.engine, world.container(name))


def _record(path: Path, text: str) -> None:
    kept = path.read_text().partition("plan: |\n")[0]
    indented = "".join(f"  {line}\n" if line else "\n" for line in text.splitlines())
    path.write_text(f"{kept}plan: |\n{indented}")


def _check_hidden(case: dict[str, Any], text: str, report: ProjectReport) -> None:
    shown = text + plan_json.render(Report("plan", (report,)))
    assert not [secret for secret in case.get("hidden", []) if secret in shown]


def _check_order(expected: list[str], report: ProjectReport) -> None:
    done = [f"{operation.kind} {operation.service}/{operation.slot}" for operation in report.operations]
    positions = [next(at for at, name in enumerate(done) if name.startswith(wanted)) for wanted in expected]
    assert positions == sorted(positions), done
