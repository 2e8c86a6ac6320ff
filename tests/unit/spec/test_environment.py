"""Where variables come from: the shell, `.env`, `--env-file`, `env_file`, `label_file`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.spec.load import Loaded
from tests.unit.spec.conftest import WEB, notices, web

Loader = Callable[..., Loaded]
Refusal = Callable[..., list[str]]


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


def test_an_env_file_believes_itself_before_the_files_before_it(loader: Loader) -> None:
    """And the environment before both."""
    files = {"compose.yaml": web("labels: {c: $C}"), "e": "A=1\n", "f": "A=3\nC=$A\n"}
    labels = [
        loader(files, shell, env_files=("e", "f")).document["services"]["web"]["labels"] for shell in ({}, {"A": "s"})
    ]
    assert labels == [{"c": "3"}, {"c": "s"}]
