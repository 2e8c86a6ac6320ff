from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reconciler.spec.editor.json_schema import json_schema
from reconciler.spec.editor.texts import TEXTS
from reconciler.spec.editor.written import FORMS
from reconciler.spec.positions import plain
from reconciler.spec.schema.extension import ProjectRules
from reconciler.spec.schema.project import Spec
from reconciler.spec.schema.service import Service
from reconciler.spec.schema.tree import keys
from reconciler.spec.yaml_nodes import read_documents
from tests.support.json_schema import complaints

ROOT = Path(__file__).parents[3]
GALLERY = sorted((ROOT / "specs").glob("*/compose.yaml"))
ANSWERS = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "compose_answers.jsonl").read_text(encoding="utf-8").splitlines()
]
SCHEMA = json_schema()


def found(text: str) -> list[str]:
    """What the schema says about the documents of a file."""
    documents = [one.value for one in read_documents(text.encode(), "compose.yaml") if one.value is not None]
    return [line for document in documents for line in complaints(SCHEMA, plain(document))]


def in_service(line: str) -> list[str]:
    """What it says about one key of a service."""
    return found(f"services:\n  web:\n    image: x\n    {line}\n")


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.parent.name)
def test_the_gallery_is_valid(path: Path) -> None:
    """What the README points newcomers to has nothing for an editor to underline."""
    assert found(path.read_text(encoding="utf-8")) == []


def test_the_gallery_has_projects() -> None:
    """So that the test above cannot pass by finding none."""
    assert len(GALLERY) >= 4


def test_whatever_compose_takes_is_valid() -> None:
    """Short and long forms, as recorded from Compose itself: an editor must not underline what loads.

    Override files aside: there a null stands for nothing at all, and an editor may say so.
    """
    taken = [
        (case["case"], name, text)
        for case in ANSWERS
        if case["model"] is not None
        for name, text in case["files"].items()
        if name.endswith((".yaml", ".yml")) and name not in case["order"][1:]
    ]
    wrong = {(case, name): lines for case, name, text in taken if (lines := found(text))}
    assert len(taken) > 300
    assert wrong == {}


@pytest.mark.parametrize(
    "line",
    [
        'ports: ["80", 81, 8000-8010:80/udp, {target: 80, published: 8080}, "${PORT}:80"]',
        "environment: {A: 1, B: true, C: , D: text}",
        "environment: [A=1, B]",
        "depends_on: [db]",
        "depends_on: {db: {condition: service_healthy, restart: true}}",
        'init: "${INIT}"',
        "init: yes",
        'scale: "3"',
        'cpus: "0.5"',
        "mem_limit: 64m",
        "mem_limit: 67108864",
        "stop_grace_period: 1m30s",
        "stop_grace_period: ${GRACE}",
        'restart: "on-failure:3"',
        "restart: no",
        "build: .",
        "build: {context: ., args: [A=1]}",
        "ulimits: {nofile: 1024, nproc: {soft: 1, hard: 2}}",
        "cgroup: ${CGROUP}",
        "container_name: ${NAME}",
        "networks: {default: , front: {aliases: [a]}}",
        "extends: web",
        "extends: {service: web, file: other.yaml}",
        "env_file: [.env, {path: b.env, required: false}]",
        "gpus: all",
        'deploy: {replicas: "${N}", update_config: {order: start-first, max_failure_ratio: 0.5}}',
        "x-anything: {a: [1]}",
        "x-reconcile: {rollout: {drain: signal, settle: 2s, publish: healthy}}",
        "x-reconcile: {rollout: {drain: {method: exec, command: touch /leaving, delay: 5s}}}",
        "x-reconcile: {mutation: {config: replace, allow: /tmp}}",
        "x-reconcile: {image: {track: semver, range: ^1.2, filter: '^1', extract: '(.*)', cooldown: 1d}}",
        "x-reconcile: {image: {track: digest, window: '* 2-4 * * 1-5', verify: {keys: a.pub}}}",
        "x-reconcile: {image: {track: '${TRACK}', verify: {keys: [a.pub, b.pub]}}}",
    ],
)
def test_what_may_be_written_is_valid(line: str) -> None:
    """Text where a number or a boolean is meant, variables anywhere, short forms."""
    assert in_service(line) == []


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("imagee: y", "imagee: unknown key"),
        ("scale: three", ".scale: "),
        ("scale: -1", ".scale: "),
        ("init: maybe", ".init: "),
        ("mem_limit: 64 parsecs", ".mem_limit: "),
        ("stop_grace_period: 10", ".stop_grace_period: "),
        ("stop_grace_period: 10 s", ".stop_grace_period: "),
        ("restart: sometimes", ".restart: "),
        ("cgroup: shared", ".cgroup: "),
        ("ports: {a: 80}", ".ports: "),
        ("depends_on: {db: {condition: service_up}}", ".depends_on: "),
        ("healthcheck: {interval: 5}", ".healthcheck.interval: "),
        ("healthcheck: {intervall: 5s}", ".healthcheck.intervall: unknown key"),
        ("volumes: [{target: /a}]", ".volumes[0]: "),
        ("x-reconcile: {rollout: {publish: later}}", ".x-reconcile.rollout.publish: "),
        ("x-reconcile: {rollouts: {}}", ".x-reconcile.rollouts: unknown key"),
        ("x-reconcile: {image: {track: newest}}", ".x-reconcile.image.track: "),
        ("x-reconcile: {image: {range: 1.2}}", ".x-reconcile.image.range: "),
        ("x-reconcile: {image: {cooldown: 5}}", ".x-reconcile.image.cooldown: "),
        ("x-reconcile: {image: {verify: {}}}", ".x-reconcile.image.verify"),
        ("x-reconcile: {rollout: {drain: {port: 70000}}}", ".drain: "),
    ],
)
def test_what_is_wrong_is_found(line: str, where: str) -> None:
    """At the key that is wrong."""
    assert any(where in complaint for complaint in in_service(line)), in_service(line)


def test_the_top_level_is_described_too() -> None:
    """Project rules, includes, networks and volumes; a key that nobody knows."""
    good = (
        "include: [a.yaml, {path: [b.yaml]}]\nnetworks: {a: , b: {external: {name: c}}}\nx-reconcile: {prune: false}\n"
    )
    assert found(good) == []
    assert found("service: {}\nx-reconcile: {prun: true}\nservices: {'a b': {}}\n") == [
        "$.service: unknown key",
        "$.x-reconcile.prun: unknown key",
        "$.services.a b: unknown key",
    ]


def test_keys_that_are_refused_are_there_and_say_why() -> None:
    """An editor knows them, marks them, and shows the reason."""
    entry = SCHEMA["definitions"]["Service"]["properties"]["credential_spec"]
    assert entry["deprecated"] is True
    assert entry["deprecationMessage"] == "credential_spec is refused: it is for Windows containers"
    assert entry["description"].endswith("Refused: it is for Windows containers.")
    ignored = SCHEMA["definitions"]["Deploy"]["properties"]["endpoint_mode"]["description"]
    assert ignored.startswith("How Swarm routes to replicas. Ignored: only Swarm has endpoint modes")
    assert SCHEMA["definitions"]["Service"]["properties"]["annotations"]["description"].endswith("Engine API 1.43.")


def test_every_row_names_a_key_of_a_model() -> None:
    """A key that was renamed, or a typing error, would be a row that nobody reads."""
    known = {f"{key.model.__name__}.{key.name}" for key in keys()}
    assert set(FORMS) - known == set()
    assert {row for row in TEXTS if "." in row} - known == set()


def test_every_key_of_a_service_and_of_ours_is_described() -> None:
    """They are what an editor shows beside each key."""
    ours = {key for key in keys() if key.model in (Spec, Service) or "x-reconcile" in key.path}
    assert {f"{key.model.__name__}.{key.name}" for key in ours} - set(TEXTS) == set()
    assert ProjectRules in {key.model for key in ours}


def test_the_command_prints_the_same_schema_each_time() -> None:
    """As JSON that a file or an editor takes, whatever order sets have."""
    printed = {_printed(seed) for seed in ("1", "2")}
    assert [json.loads(text) for text in printed] == [SCHEMA]


def _printed(seed: str) -> str:
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
    command = [sys.executable, "-m", "reconciler", "schema"]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout
