from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from reconciler.spec import environment
from reconciler.spec.load import Loaded

Loader = Callable[..., Loaded]
Refusal = Callable[..., list[str]]
MAIN = "include: [sub/i.yaml]\nservices: {a: {image: x}}\n"


def included(text: str, main: str = MAIN, **others: str) -> dict[str, str]:
    """A spec that includes sub/i.yaml."""
    return {"compose.yaml": main, "sub/i.yaml": text, **others}


def only(files: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {"files": (next(iter(files)),)}


def test_an_included_project_is_read_in_its_own_folder(loader: Loader, tmp_path: Path) -> None:
    """Paths, build contexts, `.env` and bare variables are those of the included project; the whole project's win."""
    files = included(
        "services:\n  b:\n    image: 'y:${T}-${U}'\n    volumes: ['./d:/d', 'v:/v']\n    environment: [T, Z]\n"
        "    build: {dockerfile: D}\n    networks: [n]\nvolumes: {v: }\nnetworks: {n: }\n",
        **{"sub/.env": "T=sub\nU=sub\n", ".env": "U=main\n"},
    )
    loaded = loader(files, **only(files))
    service = loaded.document["services"]["b"]
    assert service["image"] == "y:sub-main"
    assert service["environment"] == {"T": "sub", "Z": None}
    assert service["volumes"][0]["source"] == f"{tmp_path}/shop/sub/d"
    assert service["build"]["context"] == f"{tmp_path}/shop/sub"
    assert loaded.document["volumes"]["v"]["name"] == "shop_v"
    assert loaded.document["networks"]["n"]["name"] == "shop_n"
    assert loaded.sources["services.b.image"] == "sub/i.yaml:3"


def test_the_long_form_has_overrides_a_folder_and_env_files(loader: Loader, tmp_path: Path) -> None:
    """The files of `path` are merged; `project_directory` and `env_file` stand in for the folder and its `.env`."""
    files = included(
        "services: {b: {image: 'y:${T}', volumes: ['./d:/d']}}\n",
        "include:\n  - path: [sub/i.yaml, sub/o.yaml]\n    project_directory: ..\n    env_file: [/dev/null, inc.env]\n",
        **{"inc.env": "T=inc\n", "sub/.env": "T=sub\n", "sub/o.yaml": "services: {b: {labels: [o=1]}}\n"},
    )
    service = loader(files, **only(files)).document["services"]["b"]
    assert service["image"] == "y:inc"
    assert service["labels"] == {"o": "1"}
    assert service["volumes"][0]["source"] == f"{tmp_path}/d"


def test_dev_null_is_no_env_file(loader: Loader) -> None:
    """`env_file: /dev/null` keeps the included folder's `.env` from being read."""
    files = included(
        "services: {b: {image: 'y:${T:-none}'}}\n",
        "include: [{path: sub/i.yaml, env_file: /dev/null}]\n",
        **{"sub/.env": "T=sub\n"},
    )
    assert loader(files, **only(files)).document["services"]["b"]["image"] == "y:none"


def test_included_services_can_be_extended_and_overridden(loader: Loader) -> None:
    """Includes come before `extends` in a file, and before the files that follow it."""
    files = included(
        "services: {b: {image: y}}\n",
        "include: [sub/i.yaml]\nservices: {a: {extends: b, hostname: h}}\n",
        **{"over.yaml": "services: {b: {image: z}}\n"},
    )
    services = loader(files, files=("compose.yaml", "over.yaml")).document["services"]
    assert (services["a"]["image"], services["b"]["image"]) == ("y", "z")


def test_the_same_resource_may_be_included_twice(loader: Loader) -> None:
    """Two includes of one file, directly and through another, are no conflict: what they declare is the same."""
    files = included(
        "services: {b: {image: y, networks: [n]}}\nnetworks: {n: }\n",
        "include: [sub/i.yaml, sub/j.yaml]\nservices: {a: {image: x}}\nnetworks: {n: }\n",
        **{"sub/j.yaml": "include: [i.yaml]\nservices: {c: {image: c}}\n"},
    )
    assert list(loader(files, **only(files)).document["services"]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("main", "said"),
    [
        ("include: sub/i.yaml\n", "compose.yaml:1: include: must be a list, not a string"),
        ("include: [1]\n", "compose.yaml:1: include[0]: must be a path or a mapping, not a number"),
        ("include: [{paths: x}]\n", "compose.yaml:1: include[0]: 'paths' is not a key of include"),
        ("include: [{env_file: x}]\n", "compose.yaml:1: include[0]: names no file"),
        ("include: [{path: [1]}]\n", "compose.yaml:1: include[0]: must be a string, not a number"),
        ("include: [zz.yaml]\n", "compose.yaml:1: the file zz.yaml does not exist"),
        ("include: ['https://x/y.git']\n", "compose.yaml:1: include[0]: 'https://x/y.git' is not on this disk"),
        ("include: [{path: sub/i.yaml, env_file: zz}]\n", "compose.yaml:1: env file zz does not exist"),
        (
            "include: [sub/i.yaml]\nservices:\n  b: {image: x}\n",
            "compose.yaml:3: services.b: is also declared, differently, at sub/i.yaml:1, which is included",
        ),
        (
            "include: [sub/j.yaml]\n",
            "sub/j.yaml:1: include cycle: compose.yaml -> sub/j.yaml -> compose.yaml",
        ),
        ("include: [sub/k.yaml]\n", "sub/k.yaml:1: services.b.qqq: "),
    ],
)
def test_what_cannot_be_included_is_named(refusal: Refusal, main: str, said: str) -> None:
    """A conflict, a cycle, a missing file, a malformed entry and mistakes inside are told where they were made."""
    files = included(
        "services: {b: {image: y}}\n",
        main,
        **{"sub/j.yaml": "include: [../compose.yaml]\n", "sub/k.yaml": "services: {b: {qqq: 1}}\n"},
    )
    errors = refusal(files, **only(files))
    assert errors[0].startswith(said), errors


def test_includes_are_bounded(refusal: Refusal) -> None:
    """A chain of includes ends, and so does one that doubles at each level."""
    chain = {f"f{number}.yaml": f"include: [f{number + 1}.yaml]\n" for number in range(60)}
    assert "files include each other more than 50 levels deep" in refusal(chain, files=("f0.yaml",))[0]
    doubling = {f"f{number}.yaml": f"include: [f{number + 1}.yaml, f{number + 1}.yaml]\n" for number in range(20)}
    assert "reads more than 500 files" in refusal({**doubling, "f20.yaml": "name: x\n"}, files=("f0.yaml",))[0]


def test_what_env_files_hold_is_bounded_over_the_whole_load(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The env files of includes and the label files of services count like any other: one error ends the load."""
    monkeypatch.setattr(environment, "MAX_TOTAL", 2)
    files = included("services: {b: {image: y}}\n", **{"sub/.env": "T=1\n"})
    said = "the env files of the project hold more than 0 MB"
    assert refusal(files, **only(files)) == [f"compose.yaml:1: {said}"]
    labelled = {"compose.yaml": "services: {a: {image: x, label_file: l}}\n", "l": "T=1\n"}
    assert refusal(labelled, **only(labelled)) == [f"compose.yaml:1: {said}"]
