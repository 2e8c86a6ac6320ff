"""`configs`, `secrets` and bind-mounted files: mounts, files copied in, and what of them belongs to the definition."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import SpecError
from reconciler.model.files import CopiedFile
from reconciler.model.project import Project, Service
from reconciler.spec import lower_files
from reconciler.spec.lowering import lower
from tests.unit.lowering.recorded import load

OTHER = " (give it another target)"
HINT = " (only a file: that is not encrypted works here, or another target)"


def project(
    folder: Path, variables: dict[str, str | None] | None = None, sources: dict[str, str] | None = None, **spec: Any
) -> Project:
    """A project of one service `web` in that folder; `configs` and `secrets` of it are declared as `declared` says."""
    declared: dict[str, Any] = spec.pop("declared", {})
    service = {"image": "example/base:1", "networks": {"default": None}, **spec}
    document = {"services": {"web": service}, "networks": {"default": {"name": "shop_default", "ipam": {}}}, **declared}
    return lower(load(document, sources, working_dir=str(folder), variables=variables or {}))


def web(folder: Path, **spec: Any) -> Service:
    """Its service."""
    return project(folder, **spec).services[0]


def secret(path: Path, **reference: Any) -> dict[str, Any]:
    """Keys that mount that file as secret `s`."""
    return {
        "secrets": [{"source": "s", "target": "/run/secrets/s", **reference}],
        "declared": {"secrets": {"s": {"name": "shop_s", "file": str(path)}}},
    }


def config(**reference: Any) -> dict[str, Any]:
    """Keys that put `hello` in as config `c`."""
    return {
        "configs": [{"source": "c", **reference}],
        "declared": {"configs": {"c": {"name": "shop_c", "content": "hello"}}},
    }


def bind(source: Path, target: str = "/etc/app.conf", **entry: Any) -> dict[str, Any]:
    """Keys that bind-mount it."""
    return {"volumes": [{"type": "bind", "source": str(source), "target": target, "bind": {}, **entry}]}


def test_a_file_is_mounted_read_only(tmp_path: Path) -> None:
    """A target without a slash is below /run/secrets, or at the root for a config."""
    spec = secret(tmp_path / "s", target="t") | {"configs": [{"source": "c"}]}
    spec["declared"]["configs"] = {"c": {"name": "shop_c", "file": "/f"}}
    assert web(tmp_path, **spec).container["HostConfig"]["Mounts"] == [
        {"Type": "bind", "Source": "/f", "Target": "/c", "ReadOnly": True},
        {"Type": "bind", "Source": str(tmp_path / "s"), "Target": "/run/secrets/t", "ReadOnly": True},
    ]


def test_a_content_is_copied_in(tmp_path: Path) -> None:
    """With mode and owner; by default everybody may read it. Sorted by path."""
    spec = config(target="/etc/c", mode="0440", uid="5", gid="6")
    spec["configs"].append({"source": "c"})
    assert web(tmp_path, **spec).copied_files == (
        CopiedFile("/c", "hello", 0o444, 0, 0),
        CopiedFile("/etc/c", "hello", 0o440, 5, 6),
    )


def test_a_variable_is_a_content(tmp_path: Path) -> None:
    """Also an empty one; it is nowhere in the container's settings."""
    spec = {
        "secrets": [{"source": "s", "target": "/run/secrets/s"}],
        "declared": {"secrets": {"s": {"name": "shop_s", "environment": "S"}}},
    }
    found = web(tmp_path, variables={"secrets.s": "hidden"}, **spec)
    assert found.copied_files == (CopiedFile("/run/secrets/s", "hidden"),)
    assert "hidden" not in str(found.container) + str(found.contents)


def test_another_content_or_setting_is_another_digest(tmp_path: Path) -> None:
    """The same one is not."""
    digests = {
        web(tmp_path, **config(**reference)).contents[0].digest
        for reference in ({}, {}, {"mode": "0400"}, {"uid": "1"}, {"gid": "1"}, {"target": "/d"})
    }
    assert len(digests) == 5


def test_the_content_of_files_counts(tmp_path: Path) -> None:
    """Of secrets and configs anywhere, of bind mounts inside the project's folder."""
    path = tmp_path / "nginx.conf"
    path.write_text("one")
    specs = (secret(path), bind(path), bind(path, read_only=True))
    before = [web(tmp_path, **spec).contents for spec in specs]
    path.write_text("two")
    after = [web(tmp_path, **spec).contents for spec in specs]
    assert all(old[0].digest != new[0].digest for old, new in zip(before, after, strict=True))
    assert [content[0].origin for content in after] == ["./nginx.conf"] * 3


def test_what_is_data_does_not_count(tmp_path: Path) -> None:
    """Files elsewhere, folders, missing ones, large ones that the container may write, and paths that are allowed."""
    inside, outside, large = tmp_path / "p/conf", tmp_path / "other", tmp_path / "p/large"
    inside.parent.mkdir()
    for path in (inside, outside):
        path.write_text("x")
    with large.open("wb") as file:
        file.truncate(lower_files.LARGEST_WRITABLE + 1)
    allowed = {"x-reconcile": {"mutation": {"allow": ["/etc"]}}}
    for spec in (bind(outside), bind(inside.parent), bind(inside.parent / "none"), bind(large), bind(inside) | allowed):
        assert web(tmp_path / "p", **spec).contents == ()
    assert web(tmp_path / "p", **bind(large, read_only=True)).contents[0].digest
    assert web(tmp_path / "p", **(bind(inside, read_only=True) | allowed)).contents[0].digest
    named = {"volumes": [{"type": "volume", "source": "v", "target": "/v", "volume": {}}]}
    assert web(tmp_path / "p", declared={"volumes": {"v": {"name": "shop_v"}}}, **named).contents == ()


def test_when_a_mounted_file_changed_is_known(tmp_path: Path) -> None:
    """It tells a replica that writes its own configuration from a person; it is no part of what it is compared by."""
    path = tmp_path / "conf"
    path.write_text("x")
    os.utime(path, (5.0, 5.0))
    (before,) = web(tmp_path, **bind(path)).contents
    os.utime(path, (7.0, 7.0))
    (after,) = web(tmp_path, **bind(path)).contents
    assert (before.changed_at, after.changed_at, before.writable) == (5.0, 7.0, True)
    assert before == after


def test_what_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in place of a file, what is too large, what fails to be read: none of it replaces anything."""
    monkeypatch.setattr(lower_files, "LARGEST", 3)
    path = tmp_path / "large"
    path.write_text("four")
    for spec in (secret(path), secret(tmp_path), secret(Path("/proc/self/mem"))):
        found = project(tmp_path, sources={"secrets.s.file": "compose.yaml:9"}, **spec)
        assert found.services[0].contents[0].digest == ""
        assert [(notice.code, notice.source) for notice in found.notices] == [("ContentUnknown", "compose.yaml:9")]
    assert project(tmp_path, **secret(tmp_path / "missing")).notices == ()


def test_what_cannot_be_had_is_told(tmp_path: Path) -> None:
    """Owner and mode of a mounted file, and what only Swarm reads."""
    path = tmp_path / "s"
    path.write_text("x")
    spec = secret(path, uid="1", mode="0400")
    spec["declared"]["secrets"]["s"]["driver"] = "vault"
    assert [notice.message for notice in project(tmp_path, **spec).notices] == [
        "secrets.s.driver: is ignored: only Swarm keeps secrets",
        "services.web.secrets: mode, uid of s mean nothing: a mounted file keeps its own",
    ]


def test_mounts_have_the_lines_they_were_written_at(tmp_path: Path) -> None:
    """Configs and secrets that of their content."""
    sources = {
        "services.web": "c:1",
        "services.web.volumes": "c:3",
        "services.web.volumes[0]": "c:4",
        "services.web.secrets": "c:5",
        "secrets.s": "c:8",
        "secrets.s.file": "c:9",
    }
    found = web(tmp_path, sources=sources, **(bind(tmp_path / "x", "/etc/a.conf") | secret(tmp_path / "s")))
    assert found.source("volumes./etc/a.conf") == "c:4"
    assert found.source("volumes./run/secrets/s") == "c:9"


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (
            {"secrets": [{"source": "s"}], "declared": {"secrets": {"s": {"name": "s", "external": True}}}},
            "services.web: secret s is external, and only Swarm keeps secrets (declare it with file: or environment:)",
        ),
        (
            {"configs": [{"source": "c"}], "declared": {"configs": {"c": {"name": "c", "environment": "NONE"}}}},
            "services.web: config c is the content of NONE, which is not set (set NONE, in the environment or in .env)",
        ),
        (
            config(target="/"),
            f"services.web: configs: c cannot go to /, which is no file{OTHER}",
        ),
        (
            config(target="/x") | {"configs": [{"source": "c", "target": "/x"}, {"source": "c", "target": "x/"}]},
            f"services.web: configs: c cannot go to /x, which has another mount or file already{OTHER}",
        ),
        (
            config(target="/data") | bind(Path("/d"), "/data"),
            f"services.web: configs: c cannot go to /data, which has another mount or file already{OTHER}",
        ),
        (
            config(uid="root"),
            (
                "services.web: configs: the uid of c is 'root', which is no number "
                "(names of users mean nothing outside of the container)"
            ),
        ),
        (
            config() | {"read_only": True},
            f"services.web: /c cannot be put into a container that is read_only{HINT}",
        ),
        (
            config(target="/run/c") | {"tmpfs": ["/run:size=1m"]},
            f"services.web: /run/c cannot be put into what is mounted at /run{HINT}",
        ),
        (
            config(target="/proc/c"),
            f"services.web: /proc/c cannot be put into what is mounted at /proc{HINT}",
        ),
        (
            config(target="/data/c") | bind(Path("/d"), "/data", read_only=True),
            f"services.web: /data/c cannot be put into what is mounted at /data{HINT}",
        ),
    ],
)
def test_what_no_engine_can_do_is_refused(tmp_path: Path, spec: dict[str, Any], error: str) -> None:
    """With the reason."""
    with pytest.raises(SpecError) as caught:
        web(tmp_path, **spec)
    assert str(caught.value) == error


def test_a_copy_may_go_into_a_writable_mount(tmp_path: Path) -> None:
    """The engine writes it there, as with Compose."""
    spec = config(target="/data/c") | bind(tmp_path, "/data")
    assert web(tmp_path, **spec).copied_files[0].path == "/data/c"
