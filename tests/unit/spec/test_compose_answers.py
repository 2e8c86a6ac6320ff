from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ReconcilerError
from reconciler.spec.load import Request, load
from reconciler.spec.render import render

ANSWERS = Path(__file__).parent / "data" / "compose_answers.jsonl"
CASES = [json.loads(line) for line in ANSWERS.read_text(encoding="utf-8").strip().split("\n")]

# Refused where Compose goes wrong without a word, or answered better than it does.
REFUSED_ON_PURPOSE = {
    "dotenv_env_file/d061": "a bare name at the end of an env file becomes a variable without a name",
    "dotenv_env_file/d072": "what follows a quoted value becomes a variable without a name",
    "dotenv_env_file/d103": "as d061",
}
ANSWERED_BETTER = {
    "merge/ports-long-short": "the same port in short and long form is published twice, which no engine can"
}
OUT_OF_SCOPE = "not supported yet"


def meaning(model: dict[str, Any]) -> dict[str, Any]:
    """The document without what says nothing: null commands, empty ipam, placement and resources."""
    for service in (model.get("services") or {}).values():
        for key in ("command", "entrypoint"):
            if service.get(key, 0) is None:
                del service[key]
        for key in ("placement", "resources"):
            if not (service.get("deploy") or {}).get(key, True):
                del service["deploy"][key]
    for network in (model.get("networks") or {}).values():
        if not network.get("ipam"):
            network.pop("ipam", None)
    return {key: value for key, value in model.items() if value or key not in ("networks", "volumes")}


def request(case: dict[str, Any]) -> Request:
    options = dict(zip(case["options"][::2], case["options"][1::2], strict=True))
    profiles = (options["--profile"],) if "--profile" in options else ()
    return Request(tuple(case["order"]), project_name=options.get("-p"), profiles=profiles)


def arrange(case: dict[str, Any], folder: Path) -> None:
    for name, text in case["files"].items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_loads_what_compose_loads(case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every recorded compose text gives the document that `docker compose config` printed, or is refused as it was."""
    folder = tmp_path / "pd"
    arrange(case, folder)
    monkeypatch.chdir(folder)
    environment = {"HOME": "/nonexistent", **case["env"]}
    if case["model"] is None:
        with pytest.raises(ReconcilerError):
            load(request(case), environment)
        return
    try:
        document = json.loads(render(load(request(case), environment).document, "json"))
    except ReconcilerError as error:
        if case["case"] in REFUSED_ON_PURPOSE or OUT_OF_SCOPE in str(error):
            return
        raise
    text = json.dumps(case["model"]).replace("${PROJECT_DIR}", str(folder)).replace("${PROJECT_PARENT}", str(tmp_path))
    assert (meaning(document) == meaning(json.loads(text))) is (case["case"] not in ANSWERED_BETTER)


def test_a_printed_document_loads_again_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `config -o yaml` prints is itself a spec of the same meaning."""
    for number, case in enumerate(CASES):
        folder = tmp_path / str(number)
        folder.mkdir()
        arrange(case, folder)
        monkeypatch.chdir(folder)
        try:
            loaded = load(request(case), {"HOME": "/nonexistent", **case["env"]})
        except ReconcilerError:
            continue
        if loaded.disabled:
            continue
        printed = folder / "printed.yaml"
        printed.write_text(render(loaded.document, "yaml"), encoding="utf-8")
        again = load(Request((str(printed),), profiles=("*",)), {"HOME": "/nonexistent"})
        assert again.document == loaded.document, case["case"]
