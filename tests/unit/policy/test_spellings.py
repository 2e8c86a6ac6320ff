"""However a host path or the engine's socket is spelled, it is the same path."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.model.settings import PolicySettings
from reconciler.policy.judge import denied
from reconciler.policy.resolve import resolve
from tests.support.planning import project
from tests.unit.policy.asking import ROOTS, broken, host, only, operation, policy_of

if TYPE_CHECKING:
    from collections.abc import Callable

SOCKETS = st.sampled_from(
    ["/var/run/docker.sock", "/run/podman/podman.sock", "/srv/reconciler/shop/docker.sock", "/run"]
)
OUTSIDE = st.sampled_from(["/etc", "/", "/root/.ssh", "/proc/1/root", "/srv/reconciler", "/srv/reconciler/shop2"])
DETOURS = st.lists(st.sampled_from(["/", "./", "x/../", "../shop/x/../../", "//"]), max_size=4)


def spelled(path: str, detours: list[str], ending: str) -> str:
    """The same path by another spelling: detours that lead nowhere, behind each of its parts."""
    parts = path.split("/")
    turned = [
        f"{part}/{detours[index % len(detours)] if detours and index else ''}" for index, part in enumerate(parts[:-1])
    ]
    found = f"{''.join(turned)}{parts[-1]}{ending}"
    return found if posixpath.normpath(f"/{found}") == posixpath.normpath(path) else path


def ways(path: str, options: str = "bind", kind: str = "none") -> list[tuple[str, dict[str, Any]]]:
    """Every way in which a payload can mount a path."""
    volume = {"Driver": "local", "DriverOpts": {"type": kind, "o": options, "device": path}}
    config = {"Name": "local", "Options": volume["DriverOpts"]}
    return [
        ("container", host(Binds=[f"{path}:/x:ro"])),
        ("container", host(Mounts=[{"Type": "bind", "Source": path, "Target": "/x"}])),
        ("container", host(Mounts=[{"Type": "volume", "Target": "/x", "VolumeOptions": {"DriverConfig": config}}])),
        ("volume", volume),
    ]


@given(SOCKETS, DETOURS, st.sampled_from(["", "/", "/."]))
@example("/var/run/docker.sock", ["//"], "")
def test_the_socket_is_found_however_it_is_spelled(path: str, detours: list[str], ending: str) -> None:
    """In every place where a path can stand, and in allowed roots too."""
    for kind, payload in ways(spelled(path, detours, ending)):
        assert "engine-socket" in broken(only("engine-socket"), kind, payload)


@given(OUTSIDE, DETOURS, st.sampled_from(["", "/", "/."]))
def test_a_host_path_is_found_however_it_is_spelled(path: str, detours: list[str], ending: str) -> None:
    """A root is not a prefix of letters, and `..` leads out of it."""
    for kind, payload in ways(spelled(path, detours, ending)):
        assert "host-paths" in broken(policy_of(), kind, payload)


@given(st.lists(st.sampled_from(["..", ".", "", "a", "b", "shop"]), max_size=8))
def test_what_is_let_through_lies_in_a_root(parts: list[str]) -> None:
    """For any path below a root: it passes exactly where what it means lies there."""
    path = posixpath.join(ROOTS[0], *parts) if "" not in parts else f"{ROOTS[0]}/{'/'.join(parts)}"
    means = posixpath.normpath(path)
    inside = means == ROOTS[0] or means.startswith(f"{ROOTS[0]}/")
    for kind, payload in ways(path):
        assert ("host-paths" not in broken(only("host-paths"), kind, payload)) is inside


@given(
    st.permutations(["bind", "ro", "noexec"]),
    st.sampled_from([str.upper, str.lower, str.title]),
    st.sampled_from(["none", "", "tmpfs", "nfs", "ext4", "NONE"]),
    st.sampled_from(["", " "]),
)
def test_a_bind_in_driver_opts_is_found(flags: list[str], case: Callable[[str], str], kind: str, space: str) -> None:
    """In any order and case, under any type, by option names in any case."""
    options = {case("type"): kind, case("o"): f",{space}".join(case(flag) for flag in flags), case("device"): "/etc"}
    assert "host-paths" in broken(policy_of(), "volume", {"Driver": "local", "DriverOpts": options})


@given(st.text("abcdefghijklmnopqrstuvwxyz0", min_size=1, max_size=8), st.sampled_from(["", "/etc", "/dev/sda", "x"]))
def test_no_file_system_passes_that_is_not_known(kind: str, device: str) -> None:
    """Memory and other machines' file systems pass; everything else does not."""
    known = kind in {"tmpfs", "nfs", "nfs3", "nfs4", "cifs", "smb3"} and not (kind == "tmpfs" and device[:1] == "/")
    payload = {"Driver": "local", "DriverOpts": {"type": kind, "device": device}}
    assert ("volume-options" not in broken(only("volume-options"), "volume", payload)) is known


def test_symbolic_links_are_followed() -> None:
    """Out of a root they lead nowhere; a root that is one itself stays a root."""
    links = {"/srv/reconciler/shop/link": "/etc", "/srv/reconciler/shop/sock": "/run/docker.sock"}

    def real_path(path: str) -> str:
        return links.get(path, path.replace("/srv/", "/mnt/disk/"))

    policy = resolve(PolicySettings("standard"), project(), ROOTS, real_path=real_path)

    def rules(path: str) -> set[str]:
        return {item.rule for item in denied(operation("container", host(Binds=[f"{path}:/x"])), policy)}

    assert rules("/srv/reconciler/shop/link") == {"host-paths"}
    assert rules("/srv/reconciler/shop/sock") == {"host-paths", "engine-socket"}
    assert rules("/srv/reconciler/shop/file") == set()
