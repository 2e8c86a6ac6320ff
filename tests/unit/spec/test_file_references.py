"""`configs` and `secrets`: short and long form, file modes, where contents come from, merging."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.spec.conftest import Loader

Refusal = Callable[..., list[str]]
WEB = "services:\n  web:\n    image: x\n"
CONFIG = "configs: {c: {content: a}}\n"
FILE = "secrets: {s: {file: ./s}}\n"


def references(loader: Loader, text: str, kind: str = "secrets", over: str = "") -> list[dict[str, Any]]:
    """The service's configs or secrets as `config` prints them."""
    files = {"compose.yaml": text, **({"over.yaml": over} if over else {})}
    found: list[dict[str, Any]] = loader(files).document["services"]["web"].get(kind) or []
    return found


def test_a_secret_without_target_is_below_run_secrets(loader: Loader) -> None:
    """A config without one says nothing; empty texts are left out."""
    text = f"{WEB}    secrets: [s, {{source: s, target: t, uid: ''}}]\n    configs: [c]\n{FILE}{CONFIG}"
    assert references(loader, text) == [{"source": "s", "target": "/run/secrets/s"}, {"source": "s", "target": "t"}]
    assert references(loader, text, "configs") == [{"source": "c"}]


@pytest.mark.parametrize(("mode", "printed"), [("0440", "0440"), ("288", "0440"), ('"440"', "0440"), ("0", "00")])
def test_a_mode_is_printed_in_octal_digits(loader: Loader, mode: str, printed: str) -> None:
    """A YAML number is what it is, text is octal."""
    text = f"{WEB}    secrets: [{{source: s, mode: {mode}}}]\n{FILE}"
    assert references(loader, text) == [{"source": "s", "target": "/run/secrets/s", "mode": printed}]


def test_definitions_get_names_and_the_unused_go(loader: Loader) -> None:
    """An external one keeps its key; nested extensions mean nothing."""
    text = (
        f"{WEB}    secrets: [a, b, c]\nsecrets:\n  a: {{file: ~/a, labels: [x=y], x-note: 1}}\n"
        "  b: {external: true}\n"
        "  c: {environment: C, driver: d, driver_opts: {n: 1}, template_driver: t}\n  unused: {file: u}\n"
    )
    assert loader(text).document["secrets"] == {
        "a": {"name": "shop_a", "file": "/home/me/a", "labels": {"x": "y"}},
        "b": {"name": "b", "external": True},
        "c": {
            "name": "shop_c",
            "environment": "C",
            "driver": "d",
            "driver_opts": {"n": "1"},
            "template_driver": "t",
        },
    }


def test_references_are_merged_by_where_they_go(loader: Loader) -> None:
    """The short form goes where it would go by default; the definition of a later file adds to the earlier one."""
    over = "services: {web: {secrets: [{source: t, target: /run/secrets/s}, t]}}\nsecrets: {t: {file: ./t}}\n"
    found = references(loader, f"{WEB}    secrets: [s]\n{FILE}", over=over)
    assert found == [{"source": "t", "target": "/run/secrets/s"}, {"source": "t", "target": "/run/secrets/t"}]


def test_without_any_there_is_nothing_to_print(loader: Loader) -> None:
    """Neither of the service nor at the top."""
    document = loader(f"{WEB}    configs: []\nconfigs: {{}}\n").document
    assert "configs" not in document
    assert "configs" not in document["services"]["web"]


def test_variables_are_those_of_where_the_secret_is_declared(loader: Loader) -> None:
    """An included project knows its own `.env`."""
    files = {
        "compose.yaml": f"include: [inner/other.yaml]\n{WEB}    configs: [c]\nconfigs: {{c: {{environment: V}}}}\n",
        "inner/other.yaml": "services: {b: {image: x, secrets: [s]}}\nsecrets: {s: {environment: INNER}}\n",
        "inner/.env": "INNER=1\n",
    }
    assert loader(files, files=("compose.yaml",)).variables == {"configs.c": None, "secrets.s": "1"}


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        (
            f"{WEB}    secrets: [s]\nsecrets: {{s: {{file: a, environment: B}}}}\n",
            ["compose.yaml:5: secrets.s: takes its content from file and environment (leave one of them)"],
        ),
        (
            f"{WEB}configs: {{s: {{}}}}\n",
            [
                (
                    "compose.yaml:4: configs.s: says not where its content comes from "
                    "(give it file:, environment: or content:, or external: true)"
                )
            ],
        ),
        (
            f"{WEB}    secrets: [s, t]\n{FILE}",
            [
                (
                    "compose.yaml:4: services.web.secrets[1]: there is no secret 't' "
                    "(declare it under the top-level secrets:)"
                )
            ],
        ),
        (f"{WEB}secrets: {{s: }}\n", ["compose.yaml:4: secrets.s: must be a mapping, not nothing"]),
        (
            f"{WEB}    secrets: [5]\n{FILE}",
            ["compose.yaml:4: services.web.secrets[0]: must be a name or a mapping, not a number"],
        ),
        (
            f"{WEB}    secrets: [{{source: s, mode: '288'}}]\n{FILE}",
            [
                (
                    "compose.yaml:4: services.web.secrets[0].mode: '288' is not an octal number "
                    '(write file permissions such as "0440")'
                )
            ],
        ),
        (
            f"{WEB}    secrets: [{{source: s, mode: true}}]\n{FILE}",
            ["compose.yaml:4: services.web.secrets[0].mode: must be file permissions such as 0440, not a boolean"],
        ),
        (
            f"{WEB}    secrets: [{{source: s, mode: 99999}}]\n{FILE}",
            [
                (
                    "compose.yaml:4: services.web.secrets[0].mode: 0303237 is more than file permissions "
                    "(write at most 07777)"
                )
            ],
        ),
        (
            f"{WEB}configs: {{s: {{content: 5}}}}\n",
            ["compose.yaml:4: configs.s.content: must be a string, not a number (quote it)"],
        ),
    ],
)
def test_what_is_wrong_is_named(refusal: Refusal, text: str, errors: list[str]) -> None:
    """With the line and what to do."""
    assert refusal(text) == errors
