from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.errors import ReconcilerError, SpecError, UsageError
from reconciler.source.directory import discover, duplicate_names
from reconciler.spec.load import Request, load

WEB = "services: {web: {image: x}}\n"


def write(folder: Path, *names: str, text: str = WEB) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def found(folder: Path, *paths: str) -> list[tuple[str, ...]]:
    """The files of each project, relative to the folder."""
    requests = discover(paths, str(folder)).requests
    return [tuple(str(Path(file).relative_to(folder)) for file in request.files) for request in requests]


def test_files_are_one_project(tmp_path: Path) -> None:
    """`-f a -f b` merges, in the order given."""
    write(tmp_path, "b.yaml", "a.yaml")
    assert found(tmp_path, "b.yaml", str(tmp_path / "a.yaml")) == [("b.yaml", "a.yaml")]


@pytest.mark.parametrize("name", ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"])
def test_a_folder_with_a_compose_file_is_one_project(tmp_path: Path, name: str) -> None:
    """With its override file; other YAML beside it is not a project, and other compose names come after."""
    override = name.replace(".", ".override.", 1)
    write(tmp_path, f"shop/{name}", f"shop/{override}", "shop/other.yaml", "shop/docker-compose.yml")
    assert found(tmp_path, "shop") == [(f"shop/{name}", f"shop/{override}")]


def test_a_folder_is_read_one_level_deep(tmp_path: Path) -> None:
    """Folders with a compose file and lone YAML files are projects, sorted; the rest is left aside with a word."""
    write(tmp_path, "specs/shop/compose.yaml", "specs/blog.yml", "specs/api.yaml", "specs/deep/er/compose.yaml")
    write(tmp_path, "specs/nested/values.yaml", "specs/values.yaml", text="a: 1\n")
    write(tmp_path, "specs/flow.yaml", text='{"services": {}}')
    write(tmp_path, "specs/broken.yaml", text="a: [")
    write(tmp_path, "specs/notes.txt", "specs/.hidden.yaml")
    (tmp_path / "specs" / "loop").symlink_to(tmp_path / "specs")
    discovery = discover(["specs"], str(tmp_path))
    files = [request.files for request in discovery.requests]
    expected = ["api.yaml", "blog.yml", "broken.yaml", "flow.yaml", "shop/compose.yaml"]
    assert files == [(str(tmp_path / "specs" / name),) for name in expected]
    assert [(notice.code, notice.source) for notice in discovery.notices] == [
        ("FolderSkipped", "specs/loop"),
        ("FolderSkipped", "specs/nested"),
        ("NotASpec", "specs/values.yaml"),
    ]


def test_the_default_is_specs_then_this_folder(tmp_path: Path) -> None:
    """Without -f: `specs/` where there is one, else the compose file of the current folder, else a usage error."""
    with pytest.raises(UsageError, match="there is no spec"):
        discover([], str(tmp_path))
    write(tmp_path, "compose.yaml", "compose.override.yml")
    assert found(tmp_path) == [("compose.yaml", "compose.override.yml")]
    write(tmp_path, "specs/a.yaml")
    assert found(tmp_path) == [("specs/a.yaml",)]


def test_several_folders_are_scanned_each(tmp_path: Path) -> None:
    """`-f DIR` may be given again."""
    write(tmp_path, "a/x.yaml", "b/compose.yaml")
    assert found(tmp_path, "b", "a/") == [("b/compose.yaml",), ("a/x.yaml",)]


@pytest.mark.parametrize(
    ("paths", "kind", "message"),
    [
        (["gone"], SpecError, "gone: no such file or folder (check -f)"),
        (["empty"], SpecError, "empty: the folder holds no spec (put a compose.yaml there, or name a file with -f)"),
        (["full", "a.yaml"], UsageError, "-f takes files of one project or folders, not both at once"),
    ],
)
def test_what_leads_to_nothing_is_refused(
    tmp_path: Path, paths: list[str], kind: type[ReconcilerError], message: str
) -> None:
    """Missing paths, folders without a spec, and a mixture say what to do."""
    (tmp_path / "empty").mkdir()
    write(tmp_path, "full/compose.yaml", "a.yaml")
    with pytest.raises(kind) as caught:
        discover(paths, str(tmp_path))
    assert str(caught.value) == message


def test_a_path_that_cannot_be_looked_at_is_left_to_the_loader(tmp_path: Path) -> None:
    """A loop of links exists, so it is not missing: loading it says what is wrong."""
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    assert found(tmp_path, "loop.yaml") == [("loop.yaml",)]


def test_folders_that_cannot_be_read_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unreadable folder is no empty one: by name it is an error, met on the way it is left aside with a word."""
    write(tmp_path, "specs/a.yaml", "specs/closed/values.yaml")
    listdir = os.listdir

    def refuse(path: str) -> list[str]:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    (notice,) = discover(["specs"], str(tmp_path)).notices
    assert (notice.source, notice.message) == ("specs/closed", "skipped: the folder cannot be read: Permission denied")
    with pytest.raises(SpecError, match="specs/closed: the folder cannot be read: Permission denied"):
        discover(["specs/closed"], str(tmp_path))


def test_two_projects_of_one_name_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error stands at the later one's name and names both files."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "shop/compose.yaml", "blog/compose.yaml")
    write(tmp_path, "other/compose.yaml", text=f"\nname: shop\n{WEB}")
    loaded = [load(Request((f"{name}/compose.yaml",)), {}) for name in ("shop", "blog", "other")]
    (error,) = duplicate_names(loaded)
    assert str(error) == (
        "other/compose.yaml:2: other/compose.yaml and shop/compose.yaml are both project 'shop' "
        "(give each its own name:)"
    )
    assert duplicate_names(loaded[:2]) == []
