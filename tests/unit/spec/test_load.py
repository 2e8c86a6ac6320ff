from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import UsageError
from reconciler.spec.load import Loaded

Loader = Callable[..., Loaded]
Refusal = Callable[..., list[str]]

WEB = "services:\n  web:\n    image: x\n"


def web(body: str, rest: str = "") -> str:
    return WEB + "".join(f"    {line}\n" for line in body.splitlines()) + rest


def notices(loaded: Loaded) -> list[tuple[str, str, str]]:
    return [(notice.code, notice.message, notice.source) for notice in loaded.notices]


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
    ("body", "error"),
    [
        ("prots: [80]", "compose.yaml:4: services.web.prots: unknown key (did you mean 'ports'?)"),
        (
            "extends: other",
            (
                "compose.yaml:4: services.web.extends: there is no service 'other' in compose.yaml (extends finds "
                "services of its own file, or of the one that file: names)"
            ),
        ),
        ("user: 1000", "compose.yaml:4: services.web.user: must be a string, not a number (quote it)"),
        (
            "restart: bogus",
            (
                "compose.yaml:4: services.web.restart: 'bogus' is not a known value (use one of no, "
                "always, unless-stopped, on-failure)"
            ),
        ),
        (
            "restart: allways",
            "compose.yaml:4: services.web.restart: 'allways' is not a known value (did you mean 'always'?)",
        ),
        (
            "pull_policy: hourly",
            (
                "compose.yaml:4: services.web.pull_policy: 'hourly' is not a known value (use one of "
                "always, missing, if_not_present, never, build, daily, weekly, every_DURATION)"
            ),
        ),
        ("pull_policy: {}", "compose.yaml:4: services.web.pull_policy: must be a string, not a mapping"),
        (
            "deploy:\n  replicas: many",
            "compose.yaml:5: services.web.deploy.replicas: must be a whole number, not 'many'",
        ),
        (
            "deploy: {mode: globl}",
            (
                "compose.yaml:4: services.web.deploy.mode: 'globl' is not one of replicated, global, "
                "replicated-job, global-job (did you mean 'global'?)"
            ),
        ),
        (
            "deploy:\n  rollback_config: {failure_action: rollback}",
            (
                "compose.yaml:5: services.web.deploy.rollback_config.failure_action: 'rollback' would be the "
                "rollback of a rollback (use pause or continue)"
            ),
        ),
        (
            "pid: privat",
            (
                "compose.yaml:4: services.web.pid: 'privat' is not a known value (use one of host, service:NAME, "
                "container:NAME)"
            ),
        ),
        (
            "ipc: sharable",
            "compose.yaml:4: services.web.ipc: 'sharable' is not a known value (did you mean 'shareable'?)",
        ),
        ("pid: [host]", "compose.yaml:4: services.web.pid: must be a string, not a list"),
        (
            "mac_address: 02:42:ac",
            (
                "compose.yaml:4: services.web.mac_address: '02:42:ac' is not a MAC address (write it as "
                "02:42:ac:11:65:43, in quotes)"
            ),
        ),
        (
            "networks:\n  default: {mac_address: any}",
            (
                "compose.yaml:5: services.web.networks.default.mac_address: 'any' is not a MAC address (write it "
                "as 02:42:ac:11:65:43, in quotes)"
            ),
        ),
        ("mac_address: 2", "compose.yaml:4: services.web.mac_address: must be a string, not a number (quote it)"),
        (
            "deploy: {update_config: {order: start-frist}}",
            (
                "compose.yaml:4: services.web.deploy.update_config.order: 'start-frist' is not one of "
                "start-first, stop-first (did you mean 'start-first'?)"
            ),
        ),
        (
            "deploy: {update_config: {order: 1}}",
            "compose.yaml:4: services.web.deploy.update_config.order: a number is not one of start-first, stop-first",
        ),
        (
            "deploy: {update_config: {max_failure_ratio: 2}}",
            "compose.yaml:4: services.web.deploy.update_config.max_failure_ratio: must be less than or equal to 1",
        ),
        (
            "healthcheck: {test: [curl, x]}",
            (
                "compose.yaml:4: services.web.healthcheck.test: must begin with CMD, CMD-SHELL or NONE "
                "(write [CMD, curl, ...])"
            ),
        ),
        (
            "healthcheck: {interval: 5}",
            (
                "compose.yaml:4: services.web.healthcheck.interval: must be a duration, not a number "
                "(write 5s for seconds)"
            ),
        ),
        (
            "healthcheck: {retries: 1.5}",
            "compose.yaml:4: services.web.healthcheck.retries: must be a whole number, not 1.5",
        ),
        ("stop_grace_period: -1s", "compose.yaml:4: services.web.stop_grace_period: duration '-1s' is negative"),
        (
            "shm_size: 10.5",
            (
                "compose.yaml:4: services.web.shm_size: must be a whole number of bytes, not 10.5 (write "
                "it with a unit, such as 512m)"
            ),
        ),
        ("shm_size: '-1'", "compose.yaml:4: services.web.shm_size: size '-1' is negative"),
        ("shm_size: -1", "compose.yaml:4: services.web.shm_size: size -1 is negative"),
        ("init: maybe", "compose.yaml:4: services.web.init: must be true or false, not 'maybe'"),
        ("init: 1", "compose.yaml:4: services.web.init: must be true or false, not a number"),
        (
            "environment: {A: [1]}",
            "compose.yaml:4: services.web.environment.A: must be a string, a number or a boolean, not a list",
        ),
        ("environment: {'': 1}", "compose.yaml:4: services.web.environment: a name may not be empty"),
        (
            "environment: {A: 2024-01-01}",
            "compose.yaml:4: services.web.environment.A: a bare timestamp is not a string (quote it)",
        ),
        (
            "environment:\n  - A=1\n  - B: 1",
            "compose.yaml:6: services.web.environment[1]: must be a string, not a mapping",
        ),
        (
            "logging: {options: {a: true}}",
            "compose.yaml:4: services.web.logging.options.a: must be a string or a number, not a boolean (quote it)",
        ),
        ("networks: [front, front]", "compose.yaml:4: services.web.networks[1]: 'front' is listed twice"),
        ("depends_on: [[a]]", "compose.yaml:4: services.web.depends_on[0]: must be a string, not a list"),
        (
            "ulimits: {nofile: {soft: 1, hard: 2, hrad: 3}}",
            "compose.yaml:4: services.web.ulimits.nofile.hrad: unknown key (did you mean 'hard'?)",
        ),
        ("security_opt: [a, a]", "compose.yaml:4: services.web.security_opt: 'a' is listed twice"),
        ("extra_hosts: [localhost]", "compose.yaml:4: services.web.extra_hosts[0]: 'localhost' is not HOST=ADDRESS"),
        (
            "extra_hosts: {a: 1}",
            "compose.yaml:4: services.web.extra_hosts.a: must be a string, not a number (quote it)",
        ),
        ("ports: [{published: 80}]", "compose.yaml:4: services.web.ports[0].target: is required"),
        (
            "ports: [{target: 80, host_ip: localhost}]",
            (
                "compose.yaml:4: services.web.ports[0].host_ip: 'localhost' is not an IP address (a "
                "published port takes an address, not a name)"
            ),
        ),
        (
            "container_name: x",
            (
                "compose.yaml:4: services.web.container_name: 'x' is not a valid name (two or more of "
                "a-z A-Z 0-9 _ . -, beginning with a letter or digit)"
            ),
        ),
        ("ulimits: {nofile: {soft: 1}}", "compose.yaml:4: services.web.ulimits.nofile.hard: is required"),
        ("ulimits: {nofile: 1.5}", "compose.yaml:4: services.web.ulimits.nofile: must be a whole number, not 1.5"),
        (
            "command: a; b",
            (
                "compose.yaml:4: services.web.command: ';' in 'a; b' needs a shell (there is no "
                'shell: write ["sh", "-c", "..."], or quote the character)'
            ),
        ),
        ("restart:", "compose.yaml:4: services.web.restart: must be a string, not nothing"),
        (
            "x-reconcile: {image: {track: semver}}",
            "compose.yaml:4: services.web.x-reconcile.image.track: 'semver' is not supported yet",
        ),
        (
            "x-reconcile: {mutation: {config: replce}}",
            (
                "compose.yaml:4: services.web.x-reconcile.mutation.config: 'replce' is not one of ignore, report, "
                "replace (did you mean 'replace'?)"
            ),
        ),
        (
            "x-reconcile:\n  mutation:\n    allow: [/tmp, cache]",
            (
                "compose.yaml:6: services.web.x-reconcile.mutation.allow[1]: 'cache' is not an absolute path (write "
                "/cache)"
            ),
        ),
        (
            "x-reconcile: {rollout: {min_runing: 5s}}",
            "compose.yaml:4: services.web.x-reconcile.rollout.min_runing: unknown key (did you mean 'min_running'?)",
        ),
        (
            "x-reconcile: {rollout: {min_running: 5}}",
            (
                "compose.yaml:4: services.web.x-reconcile.rollout.min_running: must be a duration, not a "
                "number (write 5s for seconds)"
            ),
        ),
        ("qqq: 1", None),
    ],
)
def test_a_mistake_is_named_with_its_place_and_remedy(refusal: Refusal, body: str, error: str | None) -> None:
    """One clear line each: file, line, path, what is wrong, what to do."""
    (line,) = refusal(web(body))
    assert (
        line == error
        if error
        else line.startswith("compose.yaml:4: services.web.qqq: unknown key (known keys: annotations,")
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "compose.yaml: the file is empty (a spec needs services:)"),
        ("# nothing\n", "compose.yaml: the file is empty (a spec needs services:)"),
        ("[a]", "compose.yaml:1: a spec is a mapping, not a list (a spec needs services:)"),
        ("services:\n", "compose.yaml:1: services: must be a mapping, not nothing"),
        ("services:\n  web:\n", "compose.yaml:2: services.web: must be a mapping, not nothing"),
        (
            "services:\n  a b: {image: x}",
            "compose.yaml:2: services.a b: 'a b' is not a valid name (use letters, digits, '.', '_' and '-')",
        ),
        (f"include: [a.yaml]\n{WEB}", "compose.yaml:1: the file a.yaml does not exist"),
        (f"{WEB}servces: {{}}\n", "compose.yaml:4: servces: unknown key (did you mean 'services'?)"),
        (f"name: 1\n{WEB}", "compose.yaml:1: name: must be a string, not a number (quote it)"),
        (
            f"x-reconcile: {{suspend: true}}\n{WEB}",
            "compose.yaml:1: x-reconcile.suspend: 'suspend' is not supported yet",
        ),
        (f"x-reconcile: {{prune: 3}}\n{WEB}", "compose.yaml:1: x-reconcile.prune: must be true or false, not a number"),
        (f"x-a: .inf\n{WEB}", "compose.yaml:1: x-a: an infinite number is no JSON (quote it)"),
        (
            f"{WEB}networks: {{n: {{ipam: {{config: [{{subnt: a}}]}}}}}}\n",
            "compose.yaml:4: networks.n.ipam.config[0].subnt: unknown key (did you mean 'subnet'?)",
        ),
        (
            f"{WEB}networks: {{n: {{driver_opts: {{a: [1]}}}}}}\n",
            "compose.yaml:4: networks.n.driver_opts.a: must be a string, a number or a boolean, not a list",
        ),
    ],
)
def test_a_mistake_at_the_top_is_named(refusal: Refusal, text: str, error: str) -> None:
    """Empty files, wrong shapes, sections that are not supported yet."""
    assert refusal(text) == [error]


def test_all_mistakes_are_named_at_once_in_order(refusal: Refusal) -> None:
    """Grammar and schema, file by file and line by line, each mistake once."""
    lines = refusal(web("user: 1\nports: [a, b]\nprots: []\nstop_grace_period: x"))
    assert [line.split(" ")[0] for line in lines] == [
        "compose.yaml:4:",
        "compose.yaml:5:",
        "compose.yaml:5:",
        "compose.yaml:6:",
        "compose.yaml:7:",
    ]


def test_mistakes_have_an_end(refusal: Refusal) -> None:
    """Of thousands of mistakes the first hundred are named."""
    assert len(refusal(web("ports: [" + "a, " * 5000 + "]"))) == 100
    assert len(refusal(web("\n".join(f"k{n}: 1" for n in range(5000))))) == 100
    assert len(refusal(web("labels: [" + "'${', " * 5000 + "]"))) == 100


def test_files_that_cannot_be_read_are_named(refusal: Refusal) -> None:
    """Missing files, folders, pipes, loops of links, impossible paths: all of a project are named, with the reason."""
    Path("dir.yaml").mkdir()
    os.mkfifo("pipe.yaml")
    Path("loop.yaml").symlink_to("loop.yaml")
    assert refusal({}, files=("gone.yaml", "dir.yaml", "pipe.yaml", "loop.yaml")) == [
        "gone.yaml: the file does not exist",
        "dir.yaml: the file is a folder",
        "pipe.yaml: the file is not a regular file",
        "loop.yaml: the file cannot be read: Too many levels of symbolic links",
    ]


def test_every_file_is_parsed_before_any_is_judged(refusal: Refusal) -> None:
    """Two broken files give both errors, in the order of the files."""
    lines = refusal({"b.yaml": "a: 1\na: 2", "a.yaml": "["})
    assert [line.partition(" ")[0] for line in lines] == ["b.yaml:2:", "a.yaml:2:"]


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


def test_variables_come_from_shell_then_files(loader: Loader) -> None:
    """The shell wins over `.env`; `--env-file` replaces `.env`, later files win."""
    files = {".env": "A=dot\nB=dot\n", "compose.yaml": web("labels: {a: $A, b: $B}")}
    assert loader(files, {"A": "shell"}).document["services"]["web"]["labels"] == {"a": "shell", "b": "dot"}
    more = {**files, "1.env": "A=1\nB=1\n", "2.env": "B=2\n"}
    assert loader(more, env_files=("1.env", "2.env")).document["services"]["web"]["labels"] == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("files", "options", "error"),
    [
        ({".env": "A=1\nB C=1\n"}, {}, ".env:2: 'B C=1' is not a variable (write it as NAME=value)"),
        ({}, {"env_files": ("x.env",)}, "x.env: env file x.env does not exist (create it, or correct the path)"),
    ],
)
def test_env_files_of_the_project_must_be_readable(
    refusal: Refusal, files: dict[str, str], options: dict[str, Any], error: str
) -> None:
    """A malformed `.env` and a missing `--env-file` refuse the project."""
    assert refusal({**files, "compose.yaml": WEB}, **options) == [error]


def test_a_missing_variable_is_said_once(loader: Loader) -> None:
    """An unset variable becomes "" with a warning at its first place."""
    loaded = loader(web("hostname: a$NONE\nlabels: {b: $NONE}"))
    assert notices(loaded) == [
        (
            "VariableUnset",
            'variable NONE is not set: it becomes "" (give it a default: ${NONE:-value})',
            "compose.yaml:4",
        )
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


def test_env_files_of_a_service_become_its_environment(loader: Loader) -> None:
    """Later files win, `environment` wins over them, null takes the shell's value or removes; all keep their place."""
    files = {
        "compose.yaml": web(
            "env_file:\n  - a.env\n  - path: b.env\n  - {path: raw.env, format: raw}\n"
            "  - {path: no.env, required: false}\nenvironment: {C: own, D: , E: }"
        ),
        "a.env": "A=1\nB=1\nC=1\nD=1\n",
        "b.env": "B=$A$NONE\nB2=$NONE\n",
        "raw.env": "R=$A\n",
    }
    loaded = loader(files, {"E": "shell"})
    assert loaded.document["services"]["web"]["environment"] == {
        "A": "1",
        "B": "1",
        "B2": "",
        "C": "own",
        "D": None,
        "E": "shell",
        "R": "$A",
    }
    assert "env_file" not in loaded.document["services"]["web"]
    assert loaded.sources["services.web.environment.B"] == "compose.yaml:6"
    assert notices(loaded) == [("VariableUnset", 'variable NONE is not set: it becomes ""', "b.env")]


def test_label_files_of_a_service_become_its_labels(loader: Loader) -> None:
    """Later files win, `labels` over all; files know the labels before theirs and no variables of the environment."""
    body = "label_file: [a.label, sub/b.label]\nlabels: {A: inline}"
    files = {"compose.yaml": web(body), "a.label": "A=1\nB=2\nC=3\n", "sub/b.label": "C=$B\ncom.example=${E:-none}\n"}
    loaded = loader(files, {"E": "shell"})
    service = loaded.document["services"]["web"]
    assert service["labels"] == {"A": "inline", "B": "2", "C": "2", "com.example": "none"}
    assert "label_file" not in service
    assert loaded.sources["services.web.labels.B"] == "compose.yaml:4"
    assert loader({"compose.yaml": web("label_file: a.label")}).document["services"]["web"]["labels"]["A"] == "1"


def test_label_files_of_a_service_must_be_readable(refusal: Refusal) -> None:
    """A missing label file is told where it is named, a malformed one at its own line."""
    files = {"compose.yaml": web("label_file: [gone.label, bad.label]"), "bad.label": "\nA B=1\n"}
    gone, bad = refusal(files)
    assert gone.startswith("compose.yaml:4: services.web.label_file: env file gone.label does not exist")
    assert bad.startswith("bad.label:2: services.web.label_file: ")


def test_schedules_of_pulls_and_placement_are_kept(loader: Loader) -> None:
    """What lowering warns about stays in the document as Compose prints it."""
    deploy = (
        "deploy:\n  endpoint_mode: dnsrr\n  placement:\n    max_replicas_per_node: '2'\n    constraints: []\n"
        "    preferences: [{spread: a}]"
    )
    service = loader(web(f"pull_policy: every_1w2d\n{deploy}")).document["services"]["web"]
    assert service["pull_policy"] == "every_1w2d"
    assert service["deploy"]["endpoint_mode"] == "dnsrr"
    assert service["deploy"]["placement"] == {"max_replicas_per_node": 2, "preferences": [{"spread": "a"}]}


def test_env_files_of_a_service_must_be_readable(refusal: Refusal) -> None:
    """A missing file is an error where it is named, a malformed one at its own line."""
    files = {"compose.yaml": web("env_file: [gone.env, bad.env]"), "bad.env": "\nA B=1\n"}
    assert refusal(files) == [
        "compose.yaml:4: services.web.env_file: env file gone.env does not exist (create it, or correct the path)",
        "bad.env:2: services.web.env_file: 'A B=1' is not a variable (write it as NAME=value)",
    ]
    Path("latin.env").write_bytes(b"A=\xff")
    assert refusal(web("env_file: latin.env")) == [
        "latin.env:1: services.web.env_file: invalid UTF-8 (byte 0xff) (an env file is text in UTF-8)"
    ]
    assert refusal({"compose.yaml": web("env_file: big.env"), "big.env": "A=" + "x" * 1024 * 1024}) == [
        "compose.yaml:4: services.web.env_file: env file big.env is larger than 1 MB"
    ]


def test_env_files_are_bounded_over_the_project(refusal: Refusal) -> None:
    """Many services that name a large env file are refused before they fill memory."""
    services = "services:\n" + "".join(f"  s{n}: {{image: x, env_file: [a.env, b.env]}}\n" for n in range(100))
    many = "".join(f"V{n}=1\n" for n in range(40_000))
    (line,) = refusal({"compose.yaml": services, "a.env": "A=1\n", "b.env": many})
    assert line == "compose.yaml:6: the env files of the project hold more than 200000 lines"
    one = services.replace("a.env, b.env", "b.env")
    (line,) = refusal({"compose.yaml": one, "b.env": many})
    assert line == "compose.yaml:9: the env files of the project hold more than 300000 variables"
    (line,) = refusal({"compose.yaml": one, "b.env": "B=" + "x" * 1_000_000})
    assert line == "compose.yaml:35: services take more than 32 MB from env files"
    (line,) = refusal({"compose.yaml": services, "a.env": "A=1\n", "b.env": "B=" + "x" * 1_000_000})
    assert line == "compose.yaml:10: the env files of the project hold more than 8 MB"
    assert len(refusal({"compose.yaml": services.replace("b.env", "c.env"), "a.env": "A=1\n"})) == 100


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
    assert loaded.reconcile == {"prune": True, "allow_empty": True}
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


def test_a_malformed_value_is_told_once(refusal: Callable[..., list[str]]) -> None:
    """What is left out because it is malformed is not missed as well."""
    assert refusal(web("ports: [{target: 80-81}]")) == [
        "compose.yaml:4: services.web.ports[0].target: must be a whole number, not '80-81'"
    ]


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


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("cpus: 1e39", "cpus: the number "),
        ("networks: {default: {priority: '5'}}", "networks.default.priority: must be a whole number, not '5'"),
        ("volumes: [{type: tmpfs, target: /t, tmpfs: {mode: -1}}]", "volumes[0].tmpfs.mode: mode -1 is negative"),
        ("environment: ['A =1']", "environment: variable 'A ' ends in a blank (write A=)"),
        ("extra_hosts: {'': 1.1.1.1}", "extra_hosts.: a host may not be without a name"),
    ],
)
def test_what_compose_refuses_too(refusal: Callable[..., list[str]], line: str, error: str) -> None:
    """Numbers that no float of 32 bits holds, numbers as text, negative modes, blanks in names."""
    assert refusal(web(line))[0].startswith(f"compose.yaml:4: services.web.{error}")


def test_an_image_may_be_built_from_another_service(loader: Loader) -> None:
    contexts = "{base: 'service:base', busybox: 'docker-image://busybox'}"
    text = web(f"build: {{context: ., additional_contexts: {contexts}}}") + "  base: {build: .}\n"
    build = loader(text).document["services"]["web"]["build"]
    assert build["additional_contexts"] == {"base": "service:base", "busybox": "docker-image://busybox"}


def test_an_env_file_believes_itself_before_the_files_before_it(loader: Loader) -> None:
    """And the environment before both."""
    files = {"compose.yaml": web("labels: {c: $C}"), "e": "A=1\n", "f": "A=3\nC=$A\n"}
    labels = [
        loader(files, shell, env_files=("e", "f")).document["services"]["web"]["labels"] for shell in ({}, {"A": "s"})
    ]
    assert labels == [{"c": "3"}, {"c": "s"}]
