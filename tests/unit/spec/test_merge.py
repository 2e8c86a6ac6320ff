from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.spec.load import Loaded

Loader = Callable[..., Loaded]


def service(body: str) -> str:
    return "services:\n  web:\n" + "".join(f"    {line}\n" for line in body.splitlines())


@pytest.mark.parametrize(
    ("base", "over", "key", "expected"),
    [
        ("restart: always", "restart: 'no'", "restart", "no"),
        ("restart: always", "restart:", "restart", "always"),
        ("environment: {A: 1, B: 1}", "environment: [B=2, C]", "environment", {"A": "1", "B": "2", "C": None}),
        ("labels: {A: 1}", "labels: {A: }", "labels", {"A": ""}),
        ("command: [a, b]", "command: [c]", "command", ["c"]),
        ("command: [a, b]", "command:", "command", None),
        ("entrypoint: [a, b]", "entrypoint: []", "entrypoint", []),
        (
            "healthcheck: {test: [CMD, a], interval: 1s}",
            "healthcheck: {test: b}",
            "healthcheck",
            {"test": ["CMD-SHELL", "b"], "interval": "1s"},
        ),
        ("ulimits: {a: {soft: 1, hard: 2}, b: 1}", "ulimits: {a: 5}", "ulimits", {"a": 5, "b": 1}),
        (
            "logging: {driver: d, options: {a: 1}}",
            "logging: {driver: e, options: {b: 2}}",
            "logging",
            {"driver": "e", "options": {"b": "2"}},
        ),
        (
            "logging: {options: {a: 1}}",
            "logging: {driver: e, options: {b: 2}}",
            "logging",
            {"driver": "e", "options": {"a": "1", "b": "2"}},
        ),
        (
            "x-reconcile: {rollout: {drain: {method: exec, command: [a, b], delay: 1s}}}",
            "x-reconcile: {rollout: {drain: {command: [c]}}}",
            "x-reconcile",
            {"rollout": {"drain": {"method": "exec", "command": ["c"], "delay": "1s"}}},
        ),
        (
            "x-reconcile: {rollout: {drain: {method: exec, command: [a, b], delay: 1s}, settle: 1s}}",
            "x-reconcile: {rollout: {drain: none}}",
            "x-reconcile",
            {"rollout": {"drain": {"method": "none"}, "settle": "1s"}},
        ),
        (
            "x-reconcile: {mutation: {allow: [/a, /b]}}",
            "x-reconcile: {mutation: {allow: [/b, /c]}}",
            "x-reconcile",
            {"mutation": {"allow": ["/a", "/b", "/c"]}},
        ),
        ("expose: [80]", "expose: ['80', 81]", "expose", ["80", "81"]),
        ("cap_add: [A, A]", "cap_add: [B]", "cap_add", ["A", "B"]),
        ("security_opt: [a]", "security_opt: [b]", "security_opt", ["a", "b"]),
        ("build: .", "build: {target: t, args: [A=2]}", "build.target", "t"),
        ("build: {args: {A: 1}}", "build: {args: [A=2, B=3]}", "build.args", {"A": "2", "B": "3"}),
        ("networks: [n]", "networks: {n: {aliases: [a]}}", "networks", {"n": {"aliases": ["a"]}}),
        ("networks: {n: {aliases: [a]}}", "networks: [n]", "networks", {"n": {"aliases": ["a"]}}),
        (
            "networks: {n: {aliases: [a]}}",
            "networks: {n: {aliases: [b, a]}}",
            "networks",
            {"n": {"aliases": ["a", "b"]}},
        ),
        ("ports: ['80:80', '80:80/udp']", "ports: ['80:80', '81:80']", "ports[].published", ["80", "80", "81"]),
        ("volumes: ['/a:/t', '/b:/u']", "volumes: ['/c:/t/']", "volumes[].source", ["/c", "/b"]),
        (
            "deploy: {resources: {limits: {pids: 1}}}",
            "deploy: {resources: {limits: {cpus: 1}}}",
            "deploy.resources",
            {"limits": {"pids": 1, "cpus": 1}},
        ),
        ("deploy: {replicas: 2}", "deploy:", "deploy.replicas", 2),
        (
            "depends_on: {db: {condition: service_healthy, restart: true}}",
            "depends_on: [db]",
            "depends_on.db",
            {"condition": "service_started", "required": True, "restart": True},
        ),
        ("ports: ['80:80']", "ports: !reset []", "ports", None),
        ("ports: ['80:80']", "ports: !override ['81:81']", "ports[].published", ["81"]),
        (
            "deploy: {replicas: 2, labels: {a: b}}",
            "deploy:\n  labels: !reset {}",
            "deploy",
            {"replicas": 2, "resources": {}},
        ),
        ("image: x", "image: !reset null\nbuild: .", "image", None),
        ("image: x", "hostname: h\ndeploy:\n  labels: !reset {}", "hostname", "h"),
    ],
)
def test_each_key_merges_as_in_compose(loader: Loader, base: str, over: str, key: str, expected: Any) -> None:
    """Mappings merge, lists append and keep one item per identity, the rest replaces; null says nothing."""
    rest = "  db: {image: y}\nnetworks: {n: }\n"
    image = "" if "image" in base else "image: x\n"
    loaded = loader({"a.yaml": service(image + base) + rest, "b.yaml": service(over)})
    assert pick(loaded.document["services"]["web"], key) == expected


def pick(value: Any, key: str) -> Any:
    """The value at a dotted path; `[]` after a step means that the next one is taken of each item."""
    for step in key.split("."):
        name = step.removesuffix("[]")
        value = [item.get(name) for item in value] if isinstance(value, list) else value.get(name)
    return value


def test_documents_of_one_file_merge_too(loader: Loader) -> None:
    """`---` begins an override; the last `name:` counts; address pools merge by subnet."""
    loaded = loader(
        "name: one\nservices: {web: {image: a, networks: [n]}}\n"
        "networks: {n: {ipam: {config: [{subnet: 10.0.0.0/8}]}}}\n"
        "---\nname: two\nservices: {web: {image: b}}\n"
        "networks: {n: {ipam: {config: [{subnet: 10.0.0.0/8, gateway: 10.0.0.1}, {subnet: 11.0.0.0/8}]}}}\n"
    )
    assert (loaded.name, loaded.document["services"]["web"]["image"]) == ("two", "b")
    assert loaded.document["networks"]["n"]["ipam"] == {
        "config": [{"subnet": "10.0.0.0/8", "gateway": "10.0.0.1"}, {"subnet": "11.0.0.0/8"}]
    }


def test_a_key_keeps_the_place_that_decides(loader: Loader) -> None:
    """A replaced value is found in the later file, what it leaves alone in the earlier one."""
    loaded = loader({"a.yaml": service("image: x\nhostname: a\nuser: me"), "b.yaml": service("\nhostname: b\nuser:")})
    places = [loaded.sources[f"services.web{key}"] for key in ("", ".image", ".hostname", ".user")]
    assert places == ["a.yaml:2", "a.yaml:3", "b.yaml:4", "a.yaml:5"]


def test_anything_overrides_a_scalar(loader: Loader, refusal: Callable[..., list[str]]) -> None:
    """What the result may be is the schema's to say, with the line of the file that overrides."""
    files = {"a.yaml": service("image: x\nx-a: 1\nrestart: always"), "b.yaml": service("x-a: {b: [2]}")}
    assert loader(files).document["services"]["web"]["x-a"] == {"b": [2]}
    (line,) = refusal(files | {"b.yaml": service("restart: {a: b}")})
    assert line == "b.yaml:3: services.web.restart: must be a string, not a mapping"


@pytest.mark.parametrize(
    ("base", "over", "error"),
    [
        ("x-a: {b: 1}", "x-a: [c]", "b.yaml:3: services.web.x-a: a list cannot override a mapping"),
        ("x-a: [b]", "x-a: c", "b.yaml:3: services.web.x-a: a string cannot override a list"),
    ],
)
def test_shapes_must_fit(refusal: Callable[..., list[str]], base: str, over: str, error: str) -> None:
    """A mapping, a list and a scalar do not replace one another."""
    (line,) = refusal({"a.yaml": service("image: x\n" + base), "b.yaml": service(over)})
    assert line == f"{error} (use the same form in both files, or !override)"


def test_each_step_must_be_valid(refusal: Callable[..., list[str]]) -> None:
    """An error in the first file is an error even where the second would replace it."""
    assert refusal({"a.yaml": service("image: x\nuser: 1"), "b.yaml": service("user: '1'")}) == [
        "a.yaml:4: services.web.user: must be a string, not a number (quote it)"
    ]


def test_a_whole_file_can_take_the_place_of_the_earlier_ones(loader: Loader) -> None:
    """`!override` before everything else."""
    over = "!override\nservices: {b: {image: y}}\n"
    assert list(loader({"a.yaml": "services: {a: {image: x}}\n", "b.yaml": over}).document["services"]) == ["b"]
