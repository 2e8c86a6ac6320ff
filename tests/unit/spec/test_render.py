from __future__ import annotations

import json
from collections.abc import Callable

import yaml

from reconciler.spec.load import Loaded
from reconciler.spec.render import render

SPEC = """
services:
  web:
    image: x
    x-own: 1
    x-reconcile: {rollout: {min_running: 1s}}
    environment: {A: "a$$b", "1e3": "1e3", C: "yes", D: "<<", E: "2024-01-01", F: "a: b\\n #c\\n"}
    ulimits: {core: 0, nofile: {soft: 0, hard: 5}}
    deploy: {replicas: 1, update_config: {monitor: 0s, parallelism: 0}, rollback_config: {monitor: 5s}}
    configs: [nothing]
    models: [small]
    network_mode: ""
configs: {nothing: {content: ""}}
models: {small: {model: ai/x}}
x-top: {a: $$}
"""


def test_json_is_what_compose_prints(loader: Callable[..., Loaded]) -> None:
    """`$` doubled, keys sorted, no nested `x-*` but ours, no zeros in ulimits and monitors, one newline at the end."""
    text = render(loader(SPEC).document, "json")
    document = json.loads(text)
    web = document["services"]["web"]
    assert text == json.dumps(document, indent=2, sort_keys=True) + "\n"
    assert web["environment"]["A"] == "a$$b"
    assert web["ulimits"] == {"core": {}, "nofile": {"hard": 5}}
    assert web["deploy"]["update_config"] == {"parallelism": 0}
    assert (web["deploy"]["rollback_config"], web["deploy"]["replicas"]) == ({"monitor": "5s"}, 1)
    assert document["x-top"] == {"a": "$$"}
    assert document["configs"] == {"nothing": {"name": "shop_nothing"}}
    assert "models" not in document
    assert "network_mode" not in web
    assert sorted(key for key in web if key.startswith("x-")) == ["x-reconcile"]


def test_yaml_loads_again_to_the_same_document(loader: Callable[..., Loaded]) -> None:
    """Whatever Compose's YAML would read as a number, a time or a merge key is quoted; `x-*` stay; no anchors."""
    document = loader(SPEC).document
    text = render(document, "yaml")
    assert loader({"again/compose.yaml": text}, project_name="shop").document == document
    assert text.endswith("\n")
    assert not [token for token in yaml.scan(text) if isinstance(token, yaml.AnchorToken | yaml.AliasToken)]
