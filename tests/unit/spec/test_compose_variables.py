from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.errors import SpecError, UsageError
from reconciler.source.directory import discover, duplicate_names, parts_of_others
from reconciler.spec.load import Loaded, load

SPEC = "services: {a: {image: 'x:${T:-none}-${V:-none}-${W:-none}'}}\n"
FILES = {
    "compose.yaml": SPEC,
    "sub/compose.yaml": SPEC,
    "over.yaml": "services: {a: {hostname: h}}\n",
    "e1": "T=e1\nV=e1\n",
    "e2": "V=e2\n",
    "e3": "COMPOSE_FILE=compose.yaml:over.yaml\n",
    "sub/.env": "T=sub\nW=sub\n",
    ".env": "T=dot\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "shop"
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(root)
    return root


def found(folder: Path, shell: Mapping[str, str], *paths: str, env_files: tuple[str, ...] = ()) -> Loaded:
    """The one project that is loaded in the folder, as the command line does it."""
    (request,) = discover(paths, str(folder), shell, env_files).requests
    return load(type(request)(**{**vars(request), "env_files": env_files}), shell)


def image(loaded: Loaded) -> str:
    return str(loaded.document["services"]["a"]["image"])


@pytest.mark.parametrize(
    ("dotenv", "shell", "paths", "expected"),
    [
        ("T=dot\nCOMPOSE_FILE=compose.yaml:over.yaml\n", {}, (), ("shop", "x:dot-none-none", "h")),
        ("T=dot\nCOMPOSE_FILE=sub/compose.yaml\n", {}, (), ("sub", "x:dot-none-sub", None)),
        ("COMPOSE_FILE=compose.yaml;over.yaml\nCOMPOSE_PATH_SEPARATOR=;\n", {}, (), ("shop", "x:none-none-none", "h")),
        ("T=dot\n", {"COMPOSE_FILE": "sub/compose.yaml:over.yaml"}, (), ("sub", "x:dot-none-sub", "h")),
        ("T=dot\n", {"COMPOSE_FILE": ""}, (), ("shop", "x:dot-none-none", None)),
        ("T=dot\n", {"COMPOSE_FILE": "gone.yaml"}, ("compose.yaml",), ("shop", "x:dot-none-none", None)),
        ("T=dot\n", {}, ("sub/compose.yaml",), ("sub", "x:sub-none-sub", None)),
        ("T=dot\n", {"COMPOSE_ENV_FILES": "e1,e2,"}, (), ("shop", "x:e1-e2-none", None)),
        ("T=dot\n", {"COMPOSE_ENV_FILES": "e1"}, ("sub/compose.yaml",), ("sub", "x:e1-e1-none", None)),
        ("T=dot\nCOMPOSE_ENV_FILES=e1\n", {}, (), ("shop", "x:dot-none-none", None)),
        ("T=dot\n", {"COMPOSE_DISABLE_ENV_FILE": "1"}, (), ("shop", "x:none-none-none", None)),
        ("T=dot\n", {"COMPOSE_DISABLE_ENV_FILE": "0"}, (), ("shop", "x:dot-none-none", None)),
        ("T=dot\nCOMPOSE_DISABLE_ENV_FILE=true\n", {}, (), ("shop", "x:none-none-none", None)),
    ],
)
def test_compose_variables_are_honoured(
    folder: Path, dotenv: str, shell: dict[str, str], paths: tuple[str, ...], expected: tuple[str, str, str | None]
) -> None:
    """Which files, which env files, or none: as `docker compose` answers each of these; options win over variables."""
    (folder / ".env").write_text(dotenv, encoding="utf-8")
    loaded = found(folder, shell, *paths)
    assert (loaded.name, image(loaded), loaded.document["services"]["a"].get("hostname")) == expected


def test_env_files_of_the_command_line_win(folder: Path) -> None:
    """Over COMPOSE_ENV_FILES, COMPOSE_DISABLE_ENV_FILE and `.env`; COMPOSE_FILE may stand in them too."""
    shell = {"COMPOSE_ENV_FILES": "e1", "COMPOSE_DISABLE_ENV_FILE": "1"}
    assert image(found(folder, shell, env_files=("e2",))) == "x:none-e2-none"
    assert found(folder, {}, env_files=("e3",)).document["services"]["a"]["hostname"] == "h"


def test_a_folder_of_specs_comes_before_a_variable_of_dotenv(folder: Path) -> None:
    """A variable of the shell is somebody's word for this call; one of `.env` gives way to `specs/`."""
    (folder / "specs").mkdir()
    (folder / "specs" / "own.yaml").write_text(SPEC, encoding="utf-8")
    (folder / ".env").write_text("COMPOSE_FILE=compose.yaml\n", encoding="utf-8")
    assert found(folder, {}).name == "own"
    assert found(folder, {"COMPOSE_FILE": "compose.yaml"}).name == "shop"


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        ({"COMPOSE_FILE": "compose.yaml:"}, "COMPOSE_FILE: 'compose.yaml:' has an empty path in it"),
        ({"COMPOSE_DISABLE_ENV_FILE": "yes"}, "COMPOSE_DISABLE_ENV_FILE: 'yes' is neither true nor false"),
        ({"COMPOSE_FILE": "gone.yaml"}, "gone.yaml: the file does not exist"),
        ({"COMPOSE_ENV_FILES": "gone"}, "gone: env file gone does not exist"),
    ],
)
def test_what_a_variable_cannot_mean_is_said(folder: Path, shell: dict[str, str], said: str) -> None:
    """With its name and value, or as the file that it names."""
    with pytest.raises((UsageError, SpecError)) as caught:
        found(folder, shell)
    assert str(caught.value).startswith(said)


def test_a_file_that_is_part_of_another_project_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lone file of a folder is a project of its own; if another one includes or extends it that may not be meant."""
    monkeypatch.chdir(tmp_path)
    files = {"a.yaml": "include: [b.yaml]\n", "b.yaml": SPEC, "c.yaml": SPEC.replace("x:", "c:")}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    requests = discover(["."], str(tmp_path)).requests
    loaded = [load(request, {}) for request in requests]
    (notice,) = parts_of_others(requests, loaded, str(tmp_path))
    assert (notice.code, notice.source) == ("PartOfAnother", "b.yaml")
    assert notice.message.startswith("project a includes or extends this file")
    assert not duplicate_names(loaded)
