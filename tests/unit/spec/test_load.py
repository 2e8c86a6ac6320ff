from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import UsageError
from reconciler.spec.load import Loaded
from tests.unit.spec.conftest import WEB, notices, web

Loader = Callable[..., Loaded]
Refusal = Callable[..., list[str]]


def test_a_document_is_complete(loader: Loader) -> None:
    """Defaults, the default network, names and absolute paths are in the document; what means nothing is not."""
    loaded = loader(
        web(
            'ports: ["8080:80"]\nbuild: {args: [HOME, NONE]}\nread_only: false\nvolumes: ["./d:/d", "db:/e"]',
            "volumes: {db: , idle: }\n",
        )
    )
    folder = loaded.working_dir
    assert loaded.document == {
        "name": "shop",
        "networks": {"default": {"ipam": {}, "name": "shop_default"}},
        "volumes": {"db": {"name": "shop_db"}},
        "services": {
            "web": {
                "build": {"args": {"HOME": "/home/me"}, "context": folder, "dockerfile": "Dockerfile"},
                "command": None,
                "entrypoint": None,
                "image": "x",
                "networks": {"default": None},
                "ports": [{"mode": "ingress", "protocol": "tcp", "published": "8080", "target": 80}],
                "volumes": [
                    {"bind": {"create_host_path": True}, "source": f"{folder}/d", "target": "/d", "type": "bind"},
                    {"source": "db", "target": "/e", "type": "volume", "volume": {}},
                ],
            }
        },
    }


def test_sources_lead_to_the_line(loader: Loader) -> None:
    """Every written value is found by its path, whatever form and file it was written in; defaults have no place."""
    files = {
        "compose.yaml": (
            "x-e: &e\n  A: 1\nservices:\n  web:\n    image: x\n    environment: *e\n    ports:\n      - 80-81:80-81\n"
        ),
        "over.yaml": "services:\n  web:\n    environment:\n      - B=1\n    networks: [front]\nnetworks:\n  front:\n",
    }
    sources = loader(files).sources
    expected = {
        "": "compose.yaml:1",
        "services.web": "compose.yaml:4",
        "services.web.image": "compose.yaml:5",
        "services.web.environment": "compose.yaml:6",
        "services.web.environment.A": "compose.yaml:2",
        "services.web.environment.B": "over.yaml:4",
        "services.web.ports[1]": "compose.yaml:8",
        "services.web.ports[1].target": "compose.yaml:8",
        "services.web.networks.front": "over.yaml:5",
        "networks.front": "over.yaml:7",
    }
    assert expected.items() <= sources.items()
    assert "services.web.command" not in sources


def test_files_are_named_as_typed(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file below the current folder is named relative to it, any other by its whole path."""
    said = "services: must be a mapping, not a number"
    assert refusal({"sub/compose.yaml": "services: 1"}) == [f"sub/compose.yaml:1: {said}"]
    path = Path.cwd() / "sub" / "compose.yaml"
    monkeypatch.chdir("/usr")
    assert refusal({str(path): "services: 1"}) == [f"{path}:1: {said}"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("name: Web_Shop\n", "web_shop"),
        ("name: ${N:-abc}\n", "abc"),
        ("{}\n---\n", "shop"),
        ("", "shop"),
    ],
)
def test_a_project_is_called(loader: Loader, name: str, expected: str) -> None:
    """As it says itself, normalised; else as its folder."""
    loaded = loader(name + web("labels: {p: $COMPOSE_PROJECT_NAME}"))
    assert loaded.name == loaded.document["name"] == loaded.document["services"]["web"]["labels"]["p"] == expected


def test_command_line_and_environment_name_a_project(loader: Loader) -> None:
    """`-p` wins over COMPOSE_PROJECT_NAME, which wins over `name:`; neither is normalised."""
    assert loader(f"name: own\n{WEB}", {"COMPOSE_PROJECT_NAME": "env"}).name == "env"
    assert loader(WEB, {"COMPOSE_PROJECT_NAME": "env"}, project_name="flag").name == "flag"
    with pytest.raises(UsageError, match="-p: 'My Shop' is not a project name"):
        loader(WEB, project_name="My Shop")


def test_a_lone_file_names_its_project(loader: Loader, refusal: Refusal) -> None:
    """A file that is not called after Compose gives its own name; two files are a project of their folder."""
    assert loader({"Blog.yaml": WEB}).name == "blog"
    assert loader({"docker-compose.prod.yaml": WEB}).name == "shop"
    assert loader({"a.yaml": WEB, "b.yaml": WEB}).name == "shop"
    assert refusal({"___.yaml": WEB}) == [
        "___.yaml: no project name can be made of the folder's name (set name: at the top level)"
    ]


def test_interpolation_is_bounded_over_the_file(refusal: Refusal) -> None:
    """Many values of moderate size are refused before they fill memory."""
    lines = refusal(
        web("environment: [" + ", ".join(f'"A{n}=$BIG"' for n in range(100)) + "]"), {"BIG": "x" * 1024 * 1024}
    )
    assert lines[0] == "compose.yaml:4: services.web.environment[31]: interpolation produces more than 32 MB"


def test_a_required_variable_names_file_and_line(refusal: Refusal) -> None:
    """`${VAR:?message}` refuses the project at its line."""
    assert refusal(web("hostname: ${HOST:?say who}")) == [
        (
            "compose.yaml:4: services.web.hostname: required variable HOST is missing a value: say "
            "who (set HOST in the environment or in .env)"
        )
    ]


def test_schedules_of_pulls_and_placement_are_kept(loader: Loader) -> None:
    """They stay in the document as Compose prints them."""
    deploy = (
        "deploy:\n  endpoint_mode: dnsrr\n  placement:\n    max_replicas_per_node: '2'\n    constraints: []\n"
        "    preferences: [{spread: a}]"
    )
    service = loader(web(f"pull_policy: every_1w2d\n{deploy}")).document["services"]["web"]
    assert service["pull_policy"] == "every_1w2d"
    assert service["deploy"]["endpoint_mode"] == "dnsrr"
    assert service["deploy"]["placement"] == {"max_replicas_per_node": 2, "preferences": [{"spread": "a"}]}


def test_profiles_take_services_out(loader: Loader) -> None:
    """Only enabled services are in the document; the others are named; a flag wins over COMPOSE_PROFILES."""
    text = (
        "services:\n  a: {image: x}\n  b: {image: x, profiles: [p]}\n  c: {image: x, profiles: "
        "[q], env_file: gone.env}\n"
    )
    none, both = (
        loader(text),
        loader(text.replace(", env_file: gone.env", ""), {"COMPOSE_PROFILES": "q, ,p"}),
    )
    assert (sorted(none.document["services"]), sorted(none.disabled)) == (["a"], ["b", "c"])
    assert (sorted(both.document["services"]), sorted(both.disabled)) == (["a", "b", "c"], [])
    assert loader(text, {"COMPOSE_PROFILES": "q"}, profiles=("p",)).disabled == {"c"}


def test_what_is_accepted_without_effect_is_said(loader: Loader) -> None:
    """`version` and YAML 1.1 booleans each give a notice with its place; what is honoured gives none."""
    text = 'version: "3"\n' + web(
        "init: yes\ndepends_on: {b: {condition: service_healthy, restart: true}}\ndeploy:\n"
        "  update_config: {delay: 1s, order: stop-first}\n"
        "  rollback_config: {}\n  restart_policy: {window: 1s}",
        "  b: {image: y}\n",
    )
    assert notices(loader(text)) == [
        ("VersionIgnored", "version is obsolete and ignored: remove it", "compose.yaml:1"),
        (
            "YamlBoolean",
            "services.web.init: 'yes' is read as true; YAML 1.2 knows only true and false",
            "compose.yaml:5",
        ),
    ]


def test_our_own_extension_is_checked_and_kept(loader: Loader) -> None:
    """`x-reconcile` is validated with durations in Go's form; its project part is complete; other `x-*` stay."""
    loaded = loader(
        "x-reconcile: {allow_empty: true}\nx-other: {a: 2024-01-01}\n"
        + web(
            "x-reconcile: {rollout: {min_running: 90s, x-c: 1}, image: {track: none}}\nx-b: 1\n"
            "healthcheck: {test: x, x-d: 1}"
        )
    )
    service = loaded.document["services"]["web"]
    assert loaded.reconcile == {"prune": True, "allow_empty": True, "suspend": False}
    assert service["x-reconcile"] == {"rollout": {"min_running": "1m30s"}, "image": {"track": "none"}}
    assert (service["x-b"], loaded.document["x-other"]) == (1, {"a": "2024-01-01T00:00:00Z"})
    assert service["healthcheck"] == {"test": ["CMD-SHELL", "x"]}


@pytest.mark.parametrize(
    ("body", "key", "expected"),
    [
        (
            "build: {context: ./b, dockerfile_inline: FROM x}",
            "build",
            {"context": "{folder}/b", "dockerfile_inline": "FROM x"},
        ),
        ("build: ~/b", "build", {"context": "/home/me/b", "dockerfile": "Dockerfile"}),
        ("tmpfs: /run", "tmpfs", ["/run"]),
        ("expose: [80, '81-82']", "expose", ["80", "81-82"]),
        ("labels: [a, b=c]", "labels", {"a": "", "b": "c"}),
        ("logging: {driver: d, options: {a: 1, b: }}", "logging", {"driver": "d", "options": {"a": "1", "b": ""}}),
        ("extra_hosts: {b: ['::1', 2.2.2.2], a: '[::1]'}", "extra_hosts", ["a=::1", "b=::1", "b=2.2.2.2"]),
        ("ulimits: {core: 0, nofile: {soft: '1', hard: 2}}", "ulimits", {"core": 0, "nofile": {"soft": 1, "hard": 2}}),
        ("shm_size: 64m", "shm_size", "67108864"),
        ("shm_size: 0x10", "shm_size", "16"),
        ("network_mode: host", "network_mode", "host"),
        (
            "ports: [{target: '80', published: 8080, protocol: UDP}]",
            "ports",
            [{"mode": "ingress", "protocol": "udp", "published": "8080", "target": 80}],
        ),
        (
            "ports: [{target: 80, published: ''}, 81]",
            "ports",
            [
                {"mode": "ingress", "protocol": "tcp", "target": 80},
                {"mode": "ingress", "protocol": "tcp", "target": 81},
            ],
        ),
        (
            "volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1k, mode: 0o700}}]",
            "volumes",
            [{"type": "tmpfs", "target": "/t", "tmpfs": {"size": "1024", "mode": 448}}],
        ),
        (
            "volumes: [{type: tmpfs, target: /t, tmpfs: {size: 0}}]",
            "volumes",
            [{"type": "tmpfs", "target": "/t", "tmpfs": {}}],
        ),
        (
            "volumes: [{type: bind, source: '', target: /t}]",
            "volumes",
            [{"type": "bind", "source": "{folder}", "target": "/t"}],
        ),
        ("healthcheck: {test: [], disable: false, retries: 0}", "healthcheck", {"retries": 0}),
        (
            "deploy: {resources: {limits: {memory: '0', cpus: '1.50'}}}",
            "deploy",
            {"resources": {"limits": {"cpus": 1.5}}},
        ),
        (
            "deploy: {update_config: {delay: 0s, parallelism: 0}, replicas: 0}",
            "deploy",
            {"resources": {}, "replicas": 0, "update_config": {"parallelism": 0}},
        ),
        (
            "deploy: {mode: replicated-job, rollback_config: {monitor: 0s, delay: 0s, max_failure_ratio: '0.5'}}",
            "deploy",
            {"mode": "replicated-job", "resources": {}, "rollback_config": {"monitor": "0s", "max_failure_ratio": 0.5}},
        ),
        ("mac_address: 02-42-AC-11-65-43", "mac_address", "02-42-AC-11-65-43"),
        ("mac_address: 0242.ac11.6543", "mac_address", "0242.ac11.6543"),
        ("pid: container:other", "pid", "container:other"),
        ("ipc: shareable", "ipc", "shareable"),
        (
            "x-reconcile: {rollout: {drain: none, settle: 2000ms, publish: immediate}}",
            "x-reconcile",
            {"rollout": {"drain": {"method": "none"}, "settle": "2s", "publish": "immediate"}},
        ),
        (
            "x-reconcile: {rollout: {drain: {method: signal, signal: usr1, delay: 1m}}}",
            "x-reconcile",
            {"rollout": {"drain": {"method": "signal", "signal": "SIGUSR1", "delay": "1m0s"}}},
        ),
        (
            "x-reconcile: {rollout: {drain: {method: signal, signal: SIGRTMIN+3}}}",
            "x-reconcile",
            {"rollout": {"drain": {"method": "signal", "signal": "SIGRTMIN+3"}}},
        ),
        (
            "x-reconcile: {rollout: {drain: {method: exec, command: touch '/tmp/a b'}}}",
            "x-reconcile",
            {"rollout": {"drain": {"method": "exec", "command": ["touch", "/tmp/a b"]}}},
        ),
        (
            "x-reconcile: {rollout: {drain: {method: http, port: '8080', path: /drain}}}",
            "x-reconcile",
            {"rollout": {"drain": {"method": "http", "port": 8080, "path": "/drain"}}},
        ),
        (
            "x-reconcile: {mutation: {config: report, filesystem: ignore, allow: /tmp/}}",
            "x-reconcile",
            {"mutation": {"config": "report", "filesystem": "ignore", "allow": ["/tmp"]}},
        ),
        ("stop_grace_period: 0s", "stop_grace_period", "0s"),
        ("platform: linux/amd64", "platform", "linux/amd64"),
    ],
)
def test_every_form_has_one_long_form(loader: Loader, body: str, key: str, expected: Any) -> None:
    """Short forms, casts from text and zero values as `docker compose config` prints them."""
    loaded = loader(web(body))
    assert loaded.document["services"]["web"][key] == _placed(expected, loaded.working_dir)


def _placed(value: Any, folder: str) -> Any:
    if isinstance(value, str):
        return value.replace("{folder}", folder)
    if isinstance(value, list):
        return [_placed(item, folder) for item in value]
    return {key: _placed(item, folder) for key, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize(
    "body", ["deploy:", "shm_size: 0", "read_only: false", "cap_add: []", "restart: ''", "pid: ''", "mac_address: ''"]
)
def test_what_says_nothing_is_left_out(loader: Loader, body: str) -> None:
    """Null sections, zero sizes, false and empty values are not in the document."""
    assert body.partition(":")[0] not in loader(web(body)).document["services"]["web"]


def test_top_level_definitions(loader: Loader) -> None:
    """External ones keep their key or name, old and new way; driver options are text; labels a mapping."""
    text = web(
        "networks: {a: {aliases: [x], priority: 5}, b: {}, c: , d: }\nvolumes: ['v:/v']",
        "networks:\n  a: {driver: bridge, driver_opts: {mtu: 1450}, labels: [l=1], ipam: {options: {o: '1'}}}\n"
        "  b: {external: true}\n"
        "  c: {external: {name: real}}\n  d: {external: {}}\nvolumes: {v: {name: data, labels: {k: }}}\n",
    )
    document = loader(text).document
    assert document["networks"] == {
        "a": {
            "name": "shop_a",
            "driver": "bridge",
            "driver_opts": {"mtu": "1450"},
            "labels": {"l": "1"},
            "ipam": {"options": {"o": "1"}},
        },
        "b": {"name": "b", "external": True, "ipam": {}},
        "c": {"name": "real", "external": True, "ipam": {}},
        "d": {"name": "d", "external": True, "ipam": {}},
    }
    assert document["volumes"] == {"v": {"name": "data", "labels": {"k": ""}}}
    assert document["services"]["web"]["networks"] == {
        "a": {"aliases": ["x"], "priority": 5},
        "b": {},
        "c": None,
        "d": None,
    }


def test_port_ranges_are_bounded(refusal: Refusal) -> None:
    """Ranges that expand to more ports than engines have are refused."""
    (line,) = refusal(web("ports: ['1-65535:1-65535', '1-65534:1-65534/udp']"))
    assert line == "compose.yaml:4: services.web.ports[1]: port ranges of the file expand to more than 100000 ports"


def test_a_name_of_which_nothing_is_left_is_refused(refusal: Callable[..., list[str]]) -> None:
    """As Compose does: the folder's name would not be what its author meant."""
    assert refusal("name: '!'\n" + web("init: true")) == [
        (
            "compose.yaml:1: name: '!' has no character that a project name may begin with "
            "(a project name consists of a-z, 0-9, - and _, and begins with a letter or digit)"
        )
    ]


def test_the_working_directory_is_always_a_variable(loader: Loader, tmp_path: Path) -> None:
    """PWD is the folder that the command runs in, unless the environment says otherwise; `.env` cannot."""
    files = {"compose.yaml": web("labels: {p: $PWD}"), ".env": "PWD=/else\n"}
    assert loader(files).document["services"]["web"]["labels"]["p"] == str(tmp_path / "shop")
    assert loader(files, {"PWD": "/mine"}).document["services"]["web"]["labels"]["p"] == "/mine"


def test_an_image_may_be_built_from_another_service(loader: Loader) -> None:
    contexts = "{base: 'service:base', busybox: 'docker-image://busybox'}"
    text = web(f"build: {{context: ., additional_contexts: {contexts}}}") + "  base: {build: .}\n"
    build = loader(text).document["services"]["web"]["build"]
    assert build["additional_contexts"] == {"base": "service:base", "busybox": "docker-image://busybox"}
