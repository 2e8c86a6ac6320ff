"""Engines that do not see our files: configs and secrets are put into containers, other files of ours are refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import SpecError
from reconciler.files import serving
from reconciler.files.fitting import fitted, places_of
from reconciler.files.materialising import Places
from reconciler.files.serving import for_engine
from reconciler.model.files import Content, CopiedFile, FileReference
from reconciler.model.observed import EngineInfo
from reconciler.model.project import Image, Project, Service
from reconciler.model.settings import Settings

HERE = EngineInfo("here", "id", "28", "1.41", shares_files=True)
ELSEWHERE = replace(HERE, shares_files=False)
BESIDE = replace(ELSEWHERE, nearby=True)


def mount(source: str, target: str) -> dict[str, Any]:
    """What lowering makes of a config or secret of `file:`."""
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": True}


def project(folder: Path, *references: FileReference, **host: Any) -> Project:
    """A project with one service `web` that has these configs and secrets."""
    mounts = [*host.pop("Mounts", ()), *(mount(reference.path, reference.target) for reference in references)]
    body = {"Env": ["A=1"], "HostConfig": {**host, **({"Mounts": mounts} if mounts else {})}}
    contents = tuple(Content(f"{item.name}:{item.target}", "plain", path=item.path) for item in references)
    places = {item.name: f"compose.yaml:{line}" for line, item in enumerate(references, 5)}
    service = Service(
        "web",
        Image("a"),
        body,
        contents=contents,
        file_references=references,
        copied_files=(CopiedFile("/z", "z"),),
        sources={"": "compose.yaml:2", "volumes./b": "compose.yaml:9", **places},
    )
    return Project("shop", (service,), working_dir=str(folder))


def secret(folder: Path, data: bytes = b"hidden", **fields: Any) -> FileReference:
    """A secret of that content."""
    (folder / "s").write_bytes(data)
    return FileReference("secrets.s", str(folder / "s"), "/run/secrets/s", **fields)


def refusal(asked: Project) -> str:
    """Why it is refused for an engine elsewhere."""
    with pytest.raises(SpecError) as caught:
        for_engine(asked, ELSEWHERE)
    return str(caught.value)


def test_an_engine_that_sees_our_files_mounts_them(tmp_path: Path) -> None:
    """The same project."""
    asked = project(tmp_path, secret(tmp_path))
    assert for_engine(asked, HERE) is asked


@pytest.mark.parametrize("engine", [ELSEWHERE, BESIDE])
def test_configs_and_secrets_are_copied_in(tmp_path: Path, engine: EngineInfo) -> None:
    """With mode and owner, which a mount would not have; the content is the replica's own then."""
    reference = secret(tmp_path, mode=0o400, uid="5", gid="6")
    found = for_engine(project(tmp_path, reference, Memory=1), engine).services[0]
    file = CopiedFile("/run/secrets/s", "hidden", 0o400, 5, 6)
    assert found.copied_files == (file, CopiedFile("/z", "z"))
    assert found.container == {"Env": ["A=1"], "HostConfig": {"Memory": 1}}
    assert found.contents == (Content("secrets.s:/run/secrets/s", file.digest),)
    assert hashlib.sha256(b"hidden").hexdigest() != file.digest


def test_a_file_of_any_bytes_arrives_as_it_is(tmp_path: Path) -> None:
    """Also what is no text; other mounts stay, and a service without such files is left alone."""
    data = bytes(range(256))
    asked = project(tmp_path, secret(tmp_path, data), Mounts=[mount("/srv/x", "/x")])
    asked = replace(asked, services=(*asked.services, Service("other", Image("a"), {})))
    found = for_engine(asked, ELSEWHERE)
    assert found.services[0].copied_files[0].data == data
    assert found.services[0].container["HostConfig"]["Mounts"] == [mount("/srv/x", "/x")]
    assert found.services[1] is asked.services[1]


def test_binds_of_our_files_are_refused_by_name_and_line(tmp_path: Path) -> None:
    """Other paths are the engine's machine's own; beside our container ours may be the same."""
    asked = project(tmp_path, Binds=[f"{tmp_path}/b:/b:rw", "/srv/c:/c:rw", "data:/d:rw"])
    assert refusal(asked) == (
        f"compose.yaml:9: services.web: {tmp_path}/b cannot be mounted by an engine that does not see the files of this"
        " machine (make it a config, build it into the image, or keep it in a volume)"
    )
    assert for_engine(asked, BESIDE) == asked
    assert for_engine(replace(asked, working_dir=""), ELSEWHERE) == replace(asked, working_dir="")


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ({"ReadonlyRootfs": True}, "a container that is read_only"),
        ({"Tmpfs": {"/run": ""}}, "what is mounted at /run"),
        ({"Mounts": [{"Type": "tmpfs", "Target": "/run/secrets"}]}, "what is mounted at /run/secrets"),
        ({"Binds": ["data:/run:ro"]}, "what is mounted at /run"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, host: dict[str, Any], what: str) -> None:
    """As for configs whose content stands in the spec."""
    said = refusal(project(tmp_path, secret(tmp_path), **host))
    assert said.startswith(
        f"compose.yaml:5: services.web: /run/secrets/s cannot be put into {what} (for an engine that"
    )


def test_what_cannot_be_copied_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, too large, of nobody."""
    missing = FileReference("secrets.s", str(tmp_path / "none"), "/run/secrets/s")
    assert "the file of secrets.s, cannot be read: No such file" in refusal(project(tmp_path, missing))
    assert "the uid of secrets.s is no number" in refusal(project(tmp_path, secret(tmp_path, uid="www-data")))
    monkeypatch.setattr(serving, "LARGEST_COPIED", 3)
    assert "the file of secrets.s, is larger than 0 kB" in refusal(project(tmp_path, secret(tmp_path)))


def test_which_way_a_project_goes(tmp_path: Path) -> None:
    """A repository's files are copies where the engine can find them, else what it cannot find is copied in."""
    reference = secret(tmp_path)
    asked = project(tmp_path, reference)
    in_git = replace(asked, from_git=True, checkout=str(tmp_path))
    (tree,) = fitted(in_git, HERE, Places("/data")).trees
    assert fitted(in_git, ELSEWHERE, Places("/data", "/host")).trees == (tree,)
    assert fitted(asked, HERE, Places("/data")).project is asked
    found = fitted(in_git, ELSEWHERE, Places("/data"))
    assert (found.trees, len(found.project.services[0].copied_files)) == ((), 2)


def test_what_the_engine_calls_our_folder_has_to_be_said() -> None:
    """A default is no answer: a remote engine has a folder of that name too, with other things in it."""
    settings = Settings(data_dir="/data", host_data_dir="/data")
    assert places_of(settings) == Places("/data")
    assert places_of(replace(settings, places={"host_data_dir": "settings.yaml:3"})) == Places("/data", "/data")
