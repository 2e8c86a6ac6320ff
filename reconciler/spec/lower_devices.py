"""`devices`, `device_cgroup_rules`, `gpus`, `blkio_config` (Compose Spec) to Resources of HostConfig (Engine API)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.spec.lower_scope import Scope, compact

RATES = {
    "device_read_bps": "BlkioDeviceReadBps",
    "device_read_iops": "BlkioDeviceReadIOps",
    "device_write_bps": "BlkioDeviceWriteBps",
    "device_write_iops": "BlkioDeviceWriteIOps",
}
GPU = "gpu"
LEAST_WEIGHT = 10

_PERMISSIONS = re.compile("[rwm]{0,3}")
_RULE = re.compile(r"[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}", re.ASCII)
_CDI_NAME = re.compile(r"[a-zA-Z][\w.-]*/[a-zA-Z][\w.-]*=[\w.:-]+", re.ASCII)


def devices(scope: Scope) -> dict[str, Any]:
    """Device mappings, cgroup rules, GPU requests and limits of block I/O.

    Raises SpecError for permissions, rules and weights that the engine refuses.
    """
    spec = scope.spec
    asked = spec.get("devices") or ()
    reserved = ((spec.get("deploy") or {}).get("resources") or {}).get("reservations", {}).get("devices") or ()
    return compact(
        {
            "Devices": [_device(scope, item) for item in asked if not _is_cdi(item)],
            "DeviceCgroupRules": [_rule(scope, rule) for rule in spec.get("device_cgroup_rules") or ()],
            "DeviceRequests": _requests(
                [item["source"] for item in asked if _is_cdi(item)],
                reserved,
                [{**item, "capabilities": [*(item.get("capabilities") or ()), GPU]} for item in spec.get("gpus") or ()],
            ),
            **_block_io(scope, spec.get("blkio_config") or {}),
        }
    )


def _device(scope: Scope, item: Mapping[str, str]) -> dict[str, str]:
    permissions = item.get("permissions", "")
    if not _PERMISSIONS.fullmatch(permissions):
        message = f"device {item['source']} has unknown permissions {permissions!r}"
        raise scope.refuse("devices", message, "use letters of rwm: read, write, make")
    return {"PathOnHost": item["source"], "PathInContainer": item["target"], "CgroupPermissions": permissions}


def _is_cdi(item: Mapping[str, str]) -> bool:
    """Whether it is the name of a CDI device, `vendor.com/class=name`, which Compose asks for by a request."""
    return item["source"] == item["target"] and _CDI_NAME.fullmatch(item["source"]) is not None


def _rule(scope: Scope, rule: str) -> str:
    if not _RULE.fullmatch(rule):
        hint = "write it as 'c 1:3 mr': kind, major:minor, permissions"
        raise scope.refuse("device_cgroup_rules", f"device_cgroup_rules: {rule!r} is not a rule", hint)
    return rule


def _requests(names: list[str], *groups: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = [{"Driver": "cdi", "DeviceIDs": names}] if names else []
    return [*found, *(_request(item) for group in groups for item in group)]


def _request(item: Mapping[str, Any]) -> dict[str, Any]:
    request = {"Driver": item.get("driver"), "Count": item.get("count"), "DeviceIDs": item.get("device_ids")}
    return compact({**request, "Capabilities": [list(item["capabilities"])], "Options": item.get("options")})


def _block_io(scope: Scope, spec: Mapping[str, Any]) -> dict[str, Any]:
    weights = [(item["path"], item["weight"]) for item in spec.get("weight_device") or ()]
    for weight in (spec.get("weight") or LEAST_WEIGHT, *(weight for _, weight in weights)):
        if weight < LEAST_WEIGHT:
            raise scope.refuse("blkio_config", f"blkio_config: the weight {weight} is below 10", "use 10 to 1000")
    limits = {field: [_rate(item) for item in spec.get(key) or ()] for key, field in RATES.items()}
    by_device = [{"Path": path, "Weight": weight} for path, weight in weights]
    return {"BlkioWeight": spec.get("weight"), "BlkioWeightDevice": by_device, **limits}


def _rate(item: Mapping[str, str]) -> dict[str, Any]:
    return {"Path": item["path"], "Rate": int(item["rate"])}
