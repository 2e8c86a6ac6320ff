"""Files of a repository that services mount: copies named by what they contain, and what cannot be one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import SpecError
from reconciler.files import trees
from reconciler.files.keeping import FilesError, collect, in_use, write
from reconciler.files.materialising import Places, materialised
from reconciler.files.trees import Tree, tree_digest
from reconciler.model.files import Content
from reconciler.model.project import Image, Project, Service, Volume
from tests.support.planning import container

PLACES = Places("/data", "/host/data", key="k")


def site(folder: Path, **files: str) -> Path:
    """A checkout with these files; `conf__a` is `conf/a`."""
    root = folder / "checkout"
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def project(root: Path, *binds: str, mounts: tuple[dict[str, Any], ...] = (), **fields: Any) -> Project:
    """A project of a repository with one service `web` that mounts that."""
    host = {name: value for name, value in {"Binds": list(binds), "Mounts": list(mounts)}.items() if value}
    places = {f"volumes.{bind.split(':')[1]}": f"compose.yaml:{line}" for line, bind in enumerate(binds, 5)}
    container = {"HostConfig": {"Memory": 1, **host}}
    service = Service("web", Image("a"), container, sources={"": "compose.yaml:2", **places}, **fields)
    return Project("shop", (service,), working_dir=str(root), from_git=True)


def refusal(root: Path, *binds: str, **fields: Any) -> str:
    """Why it is refused."""
    with pytest.raises(SpecError) as caught:
        materialised(project(root, *binds, **fields), str(root), PLACES)
    return str(caught.value)


def test_a_file_is_mounted_from_its_copy(tmp_path: Path) -> None:
    """By the name of its content, read-only; by an object, so that the engine makes no folder where it is missing."""
    root = site(tmp_path, conf__a="x")
    found, (tree,) = materialised(project(root, f"{root}/conf/a:/etc/a:ro", "/srv/b:/b:rw"), str(root), PLACES)
    copy = f"/host/data/shop/{tree.digest}"
    assert found.services[0].container["HostConfig"] == {
        "Memory": 1,
        "Binds": ["/srv/b:/b:rw"],
        "Mounts": [{"Type": "bind", "Source": copy, "Target": "/etc/a", "ReadOnly": True}],
    }
    here = f"/data/shop/{tree.digest}"
    assert found.services[0].contents == (
        Content("volumes./etc/a", f"hmac:{tree.digest}", "compose.yaml:5", "./conf/a", here, copy=copy),
    )
    assert found.services[0].bound_paths == {"/srv/b": "/b"}
    assert not Path("/data").exists()


def test_a_folder_is_one_tree(tmp_path: Path) -> None:
    """Two services that mount it share it; a config that is mounted keeps what its content is called."""
    root = site(tmp_path, conf__a="x", conf__b="y", c="z")
    folder = {"Type": "bind", "Source": f"{root}/conf", "Target": "/conf", "ReadOnly": True}
    config = {"Type": "bind", "Source": f"{root}/c", "Target": "/c", "ReadOnly": True}
    options = {"CreateMountpoint": True, "Propagation": "rslave"}
    asked = project(
        root,
        mounts=({**folder, "BindOptions": options}, config, {"Type": "volume", "Source": "v", "Target": "/v"}),
        contents=(Content("configs.c:/c", "d", "compose.yaml:9", "./c", f"{root}/c"),),
    )
    asked = replace(asked, services=(*asked.services, replace(asked.services[0], name="other")))
    found, copied = materialised(asked, str(root), PLACES)
    assert len(copied) == 2
    assert [content.field for content in found.services[0].contents] == ["configs.c:/c", "volumes./conf"]
    mounts = found.services[1].container["HostConfig"]["Mounts"]
    assert mounts[0]["Source"].startswith("/host/data/shop/")
    assert mounts[1]["BindOptions"] == {"Propagation": "rslave"}
    assert mounts[2] == {"Type": "volume", "Source": "v", "Target": "/v"}


def test_what_needs_no_copy_is_as_it_was(tmp_path: Path) -> None:
    """The same service, to the object."""
    root = site(tmp_path, a="x")
    asked = project(root, "/srv/b:/b:rw", "data:/data:rw")
    found, copied = materialised(asked, str(root), PLACES)
    assert (found.services[0] is asked.services[0], copied) == (True, ())


def test_labels_of_selinux_need_a_text(tmp_path: Path) -> None:
    """The API has them nowhere else."""
    root = site(tmp_path, a="x")
    found, (tree,) = materialised(project(root, f"{root}/a:/a:ro,z"), str(root), Places("/data"))
    assert found.services[0].container["HostConfig"]["Binds"] == [f"/data/shop/{tree.digest}:/a:ro,z"]


def test_what_cannot_be_mounted_is_refused_by_name_and_line(tmp_path: Path) -> None:
    """All of it at once."""
    root = site(tmp_path, a="x", conf__a="y", **{".git__config": "z"})
    (root / "out").symlink_to("/etc")
    (root / "dangling").symlink_to("nothing")
    (root / "conf/link").symlink_to("../../secret")
    (root / "sub/.git").mkdir(parents=True)
    os.mkfifo(root / "pipe")
    names = ("a", "none", "", ".git", ".git/config", "out", "dangling", "conf", "pipe", "sub")
    binds = [f"{root}/{name}".rstrip("/") + f":/m/{name}:ro" for name in names]
    binds[0] = binds[0].removesuffix(":ro") + ":rw"
    assert (
        refusal(root, *binds)
        == """
compose.yaml:5: services.web: ./a is mounted writable, and files of a repository are not {0}
compose.yaml:6: services.web: ./none is not in the repository {1}
compose.yaml:7: services.web: ./. is the whole repository, which every commit changes (mount the folder that is needed)
compose.yaml:8: services.web: ./.git belongs to Git, not to a container
compose.yaml:9: services.web: ./.git/config belongs to Git, not to a container
compose.yaml:10: services.web: ./out is a link that leaves the repository
compose.yaml:11: services.web: ./dangling is a link to nothing
compose.yaml:12: services.web: ./conf: link is a link that leaves the repository
compose.yaml:13: services.web: ./pipe: it is neither a file nor a folder nor a link
compose.yaml:14: services.web: ./sub: .git belongs to Git, not to a container
""".strip().format(
            "(end it in :ro, or keep what the container writes in a volume)",
            "(commit it, or correct the path; folders that are empty are not in Git)",
        )
    )


def test_a_volume_cannot_be_a_folder_of_the_repository(tmp_path: Path) -> None:
    """It would go with its commit."""
    root = site(tmp_path, data__a="x")
    volume = Volume("d", "shop_d", definition={"DriverOpts": {"device": f"{root}/data"}}, source="compose.yaml:9")
    asked = replace(project(root), volumes=(Volume("e", "shop_e"), volume))
    with pytest.raises(SpecError, match=r"compose\.yaml:9: volumes\.d: is a folder of the repository"):
        materialised(asked, str(root), PLACES)


def test_a_tree_has_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of size and of number, both said."""
    root = site(tmp_path, conf__a="xxxx", conf__b="y")
    monkeypatch.setattr(trees, "MAX_BYTES", 4)
    said = "compose.yaml:5: services.web: ./conf is larger than 0 MB or 10000 files"
    assert refusal(root, f"{root}/conf:/c:ro").startswith(said)
    monkeypatch.setattr(trees, "MAX_BYTES", 5)
    monkeypatch.setattr(trees, "MAX_ENTRIES", 2)
    assert "or 2 files" in refusal(root, f"{root}/conf:/c:ro")


def test_what_cannot_be_read_is_told() -> None:
    """In the system's words."""
    root = Path("/proc/self")
    assert refusal(root, "/proc/self/mem:/c:ro").startswith("compose.yaml:5: services.web: ./mem cannot be read: ")


def test_the_digest_is_of_what_containers_can_tell_apart(tmp_path: Path) -> None:
    """Names, kinds, the executable bit, links and contents; not times, owners or other bits of the mode."""
    root = site(tmp_path, t__a="x", t__b="y")
    tree, seen = root / "t", [tree_digest(str(root / "t"), "k")]
    (tree / "a").chmod(0o600)
    os.utime(tree / "a", (1, 1))
    assert tree_digest(str(tree), "k") == seen[0]

    def changed() -> None:
        seen.append(tree_digest(str(tree), "k"))

    (tree / "a").chmod(0o700)
    changed()
    (tree / "a").write_text("z")
    changed()
    (tree / "a").rename(tree / "c")
    changed()
    (tree / "d").symlink_to("c")
    changed()
    (tree / "d").unlink()
    (tree / "d").symlink_to("b")
    changed()
    (tree / "d").unlink()
    (tree / "d").mkdir()
    changed()
    (tree / "d").rmdir()
    (tree / "d").write_text("")
    changed()
    assert len(set(seen)) == 8
    assert tree_digest(str(tree), "another key") not in seen
    assert tree_digest(str(tree / "b"), "k") != tree_digest(str(tree / "c"), "k")


def kept(folder: Path, root: Path, name: str, key: str = "k") -> tuple[Tree, Places]:
    """The tree of that name and where its copy goes."""
    places = Places(str(folder / "data"), key=key)
    return Tree("shop", tree_digest(str(root / name), key), str(root / name), "compose.yaml:5"), places


def test_a_copy_is_whole_and_read_only(tmp_path: Path) -> None:
    """Of a folder with everything in it, or of one file; a copy that is there is left as it is."""
    root = site(tmp_path, conf__a="x", conf__d__b="y")
    (root / "conf/d/b").chmod(0o755)
    (root / "conf/l").symlink_to("a")
    tree, places = kept(tmp_path, root, "conf")
    alone, _ = kept(tmp_path, root, "conf/a")
    write((tree, alone), places)
    copy = tmp_path / "data/shop" / tree.digest
    assert (copy / "a").read_text() + (copy / "d/b").read_text() + str((copy / "l").readlink()) == "xya"
    modes = [oct(path.stat().st_mode & 0o777) for path in (copy, copy / "a", copy / "d", copy / "d/b", copy.parent)]
    assert modes == ["0o555", "0o444", "0o555", "0o555", "0o711"]
    assert (tmp_path / "data/shop" / alone.digest).read_text() == "x"
    before = copy.stat().st_ino
    (root / "conf/a").write_text("another")
    write((tree,), places)
    assert copy.stat().st_ino == before
    assert len(list(copy.parent.iterdir())) == 2


def test_what_changes_meanwhile_is_no_copy(tmp_path: Path) -> None:
    """Nothing is left of it."""
    root = site(tmp_path, a="x")
    tree, places = kept(tmp_path, root, "a")
    (root / "a").write_text("y")
    with pytest.raises(FilesError, match="changed while it was copied"):
        write((tree,), places)
    assert list((tmp_path / "data/shop").iterdir()) == []


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    """With what to do."""
    root = site(tmp_path, a="x")
    tree, places = kept(tmp_path, root, "a")
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(FilesError, match=r"compose.yaml:5: .*/a cannot be copied to .*/data: .* \(make data_dir"):
        write((tree,), places)


def test_what_nobody_needs_is_removed(tmp_path: Path) -> None:
    """And what a crash left; never what has another name."""
    root = site(tmp_path, conf__a="x", conf__d__b="y", other="z")
    first, places = kept(tmp_path, root, "conf")
    second, _ = kept(tmp_path, root, "other")
    write((first, second), places)
    folder = tmp_path / "data/shop"
    (folder / f".{first.digest}.{'0' * 16}").mkdir()
    for name in ("notes", f"{first.digest}.old"):
        (folder / name).write_text("mine")
    assert collect(places.data_dir, "shop", {second.digest}) == (first.digest,)
    assert {path.name for path in folder.iterdir()} == {"notes", f"{first.digest}.old", second.digest}
    assert collect(places.data_dir, "none", ()) == ()
    (tmp_path / "data/link").symlink_to("shop")
    assert collect(places.data_dir, "link", ()) == ()


def test_in_use_is_what_containers_and_definitions_mount(tmp_path: Path) -> None:
    """Also of containers that do not run."""
    one, two, three = ("1" * 64, "2" * 64, "3" * 64)
    mounts = ({"Type": "bind", "Source": f"/host/data/shop/{one}", "Target": "/a"},)
    asked = project(tmp_path, f"/other/{two}:/b:ro", "/srv/data:/d", mounts=mounts)
    seen = container(host_config={"Binds": [f"/x/{three}:/c"], "Mounts": None})
    assert in_use((seen,), asked.services) == {one, two, three}


def test_nothing_is_mounted_where_nothing_is_bound(tmp_path: Path) -> None:
    """A program is a file of another kind; a volume's name is no path."""
    root = site(tmp_path, a="x")
    (root / "a").chmod(0o755)
    found, _ = materialised(project(root, f"{root}/a:/a:ro", "data:/data"), str(root), Places("/data"))
    assert found.services[0].container["HostConfig"]["Binds"] == ["data:/data"]
