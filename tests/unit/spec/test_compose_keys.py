from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.observed import EngineInfo
from reconciler.planner.engine_features import network_too_new, too_new
from reconciler.spec.load import Loaded
from reconciler.spec.lowering import lower
from reconciler.spec.schema.support import SUPPORT, Verdict
from reconciler.spec.schema.tree import ANY, ITEM, Key, keys
from tests.support.compose_keys import page, refused

FLOOR = EngineInfo(name="old", id="old", version="20.10", api="1.41")
PAGE = Path(__file__).parents[3] / "docs" / "compose-keys.md"
_NAMES = """\
annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name cpu_count
cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec depends_on deploy
develop device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file environment expose extends
external_links extra_hosts gpus group_add healthcheck hostname image init ipc isolation label_file labels links logging
mac_address mem_limit mem_reservation mem_swappiness memswap_limit models network_mode networks oom_kill_disable
oom_score_adj pid pids_limit platform ports post_start pre_start pre_stop privileged profiles provider pull_policy
pull_refresh_after read_only restart runtime scale secrets security_opt shm_size stdin_open stop_grace_period
stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user userns_mode uts volumes volumes_from working_dir
"""
SERVICE_KEYS = _NAMES.split()
SINCE: dict[str, tuple[str, Any]] = {
    "Attachment.gw_priority": ("services.a.networks.default.gw_priority", 1),
    "Attachment.interface_name": ("services.a.networks.default.interface_name", "eth9"),
    "BindOptions.recursive": (
        "services.a.volumes",
        [{"type": "bind", "source": "/", "target": "/x", "read_only": True, "bind": {"recursive": "readonly"}}],
    ),
    "Healthcheck.start_interval": (
        "services.a.healthcheck",
        {"test": ["CMD", "x"], "start_period": "9s", "start_interval": "1s"},
    ),
    "Mount.image": ("services.a.volumes", [{"type": "image", "source": "x", "target": "/x", "image": {}}]),
    "Network.enable_ipv4": ("networks.default.enable_ipv4", True),
    "Service.annotations": ("services.a.annotations", {"a": "b"}),
    "VolumeOptions.subpath": (
        "services.a.volumes",
        [{"type": "volume", "source": "v", "target": "/x", "volume": {"subpath": "y"}}],
    ),
}
IGNORED: dict[str, tuple[str, Any]] = {
    "Build.provenance": ("services.a.build.provenance", "true"),
    "Build.sbom": ("services.a.build.sbom", "true"),
    "Service.cpu_count": ("services.a.cpu_count", 2),
    "Service.cpu_percent": ("services.a.cpu_percent", 50),
    "Deploy.endpoint_mode": ("services.a.deploy.endpoint_mode", "vip"),
    "Deploy.placement": ("services.a.deploy.placement", {"constraints": ["node.role == manager"]}),
    "Reservations.cpus": ("services.a.deploy.resources.reservations.cpus", 0.5),
    "Reservations.generic_resources": (
        "services.a.deploy.resources.reservations.generic_resources",
        [{"discrete_resource_spec": {"kind": "ssd", "value": 1}}],
    ),
    "Service.develop": ("services.a.develop", {"watch": [{"path": ".", "action": "rebuild"}]}),
    "Service.pull_refresh_after": ("services.a.pull_refresh_after", "1h"),
    "Ipam.options": ("networks.default.ipam.options", {"a": "b"}),
    "Config.labels": ("configs.f.labels", {"a": "b"}),
    "Config.template_driver": ("configs.f.template_driver", "golang"),
    "Secret.driver": ("secrets.f.driver", "vault"),
    "Secret.driver_opts": ("secrets.f.driver_opts", {"a": "b"}),
    "Secret.labels": ("secrets.f.labels", {"a": "b"}),
    "Secret.template_driver": ("secrets.f.template_driver", "golang"),
}


def spec(path: tuple[str, ...], value: Any) -> str:
    """A spec, as JSON, with one key more."""
    document: dict[str, Any] = {"services": {"a": {"image": "x"}}, "volumes": {"v": {}}}
    if path[0] in ("configs", "secrets"):
        document |= {path[0]: {path[1]: {"environment": "HOME"}}}
        document["services"]["a"] |= {path[0]: [path[1]]}
    _put(document, path, value)
    return json.dumps(document)


def _put(holder: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    step, *rest = ("a" if step == ANY else step for step in path)
    if not rest:
        holder[step] = value
    elif rest[0] == ITEM:
        holder[step] = [{}]
        _put(holder[step][0], tuple(rest[1:]), value)
    else:
        _put(holder.setdefault(step, {}), tuple(rest), value)


def test_the_page_is_what_the_code_generates() -> None:
    """Run `python -m tests.support.compose_keys > docs/compose-keys.md` after a change of what is honoured."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_key_of_a_service_is_decided() -> None:
    """All that the Compose Spec has, and x-reconcile."""
    known = {key.name for key in keys() if key.path[:-1] == ("services", ANY)}
    assert known == {*SERVICE_KEYS, "x-reconcile"}
    assert len(SERVICE_KEYS) == 93


@pytest.mark.parametrize("key", refused(), ids=lambda key: ".".join(key.path))
def test_what_the_page_calls_refused_is_refused_by_name(refusal: Callable[..., list[str]], key: Key) -> None:
    """With the line of the key."""
    errors = refusal(spec(key.path, None))
    assert [error for error in errors if error.startswith("compose.yaml:1: ") and f"{key.name!r} is not supp" in error]


def test_what_the_page_calls_ignored_is_warned_about(loader: Callable[..., Loaded]) -> None:
    """By name and with the reason; `version` is not kept, and warned about while loading."""
    rows = {row for row, support in SUPPORT.items() if support.verdict is Verdict.IGNORED}
    assert rows - {"Spec.version"} == IGNORED.keys()
    for row, (path, value) in IGNORED.items():
        (notice,) = lower(loader(spec(tuple(path.split(".")), value))).notices
        assert notice.message == f"{path}: is ignored: {SUPPORT[row].reason}"


def test_what_needs_a_newer_engine_is_refused_by_an_older_one(loader: Callable[..., Loaded]) -> None:
    """With the version that the page names."""
    assert {row for row, support in SUPPORT.items() if support.api} == SINCE.keys()
    for row, (path, value) in SINCE.items():
        project = lower(loader(spec(tuple(path.split(".")), value)))
        said = [text for service in project.services for text, _ in filter(None, [too_new(service, FLOOR)])]
        said += filter(None, (network_too_new(network, FLOOR) for network in project.networks))
        assert [f"needs Engine API {SUPPORT[row].api}," in message for message in said] == [True], row
