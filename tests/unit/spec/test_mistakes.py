"""What is wrong with a spec is named: one clear line each, with file, line, path, and what to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.spec.load import Loaded
from tests.unit.spec.conftest import WEB, web

Loader = Callable[..., Loaded]
Refusal = Callable[..., list[str]]


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
        ("cpus: [1]", "compose.yaml:4: services.web.cpus: must be a number, not a list"),
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
            "pull_policy: every_99999999w",
            "compose.yaml:4: services.web.pull_policy: duration '99999999w' is too long",
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
            f"x-reconcile: {{engines: [a]}}\n{WEB}",
            "compose.yaml:1: x-reconcile.engines: 'engines' is not supported yet",
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


def test_a_malformed_value_is_told_once(refusal: Callable[..., list[str]]) -> None:
    """What is left out because it is malformed is not missed as well."""
    assert refusal(web("ports: [{target: 80-81}]")) == [
        "compose.yaml:4: services.web.ports[0].target: must be a whole number, not '80-81'"
    ]


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
