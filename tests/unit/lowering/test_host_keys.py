"""Keys that go straight to the container's config: HostConfig as Compose sends it, and what engines would refuse."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import SpecError
from tests.unit.lowering.recorded import lower_service


def host_config(**spec: Any) -> dict[str, Any]:
    """HostConfig of the lowered service."""
    found: dict[str, Any] = lower_service(**spec).services[0].container.get("HostConfig") or {}
    return found


@pytest.mark.parametrize(
    ("spec", "body"),
    [
        (
            {"mem_limit": "67108864", "memswap_limit": "134217728", "mem_reservation": "1024", "mem_swappiness": "10"},
            {"Memory": 67108864, "MemorySwap": 134217728, "MemoryReservation": 1024, "MemorySwappiness": 10},
        ),
        ({"mem_limit": "-1", "memswap_limit": "-1"}, {"Memory": -1, "MemorySwap": -1}),
        ({"cpus": 0.5, "pids_limit": -1}, {"NanoCpus": 500000000, "PidsLimit": -1}),
        ({"cpu_percent": 50, "cpu_count": 2, "cpuset": "0"}, {"CpuPercent": 5000, "CpuCount": 2, "CpusetCpus": "0"}),
        ({"cpu_quota": 5, "cpu_period": 6, "cpu_shares": 7}, {"CpuQuota": 5, "CpuPeriod": 6, "CpuShares": 7}),
        ({"cpu_rt_period": 8, "cpu_rt_runtime": 9}, {"CpuRealtimePeriod": 8, "CpuRealtimeRuntime": 9}),
        ({"oom_kill_disable": True, "oom_score_adj": -5}, {"OomKillDisable": True, "OomScoreAdj": -5}),
        (
            {"dns": ["1.1.1.1"], "dns_search": ["ex.com"], "dns_opt": ["ndots:2"]},
            {"Dns": ["1.1.1.1"], "DnsSearch": ["ex.com"], "DnsOptions": ["ndots:2"]},
        ),
        (
            {"sysctls": {"net.a": "1"}, "group_add": ["5"], "annotations": {"a": "b"}, "runtime": "runsc"},
            {"Sysctls": {"net.a": "1"}, "GroupAdd": ["5"], "Annotations": {"a": "b"}, "Runtime": "runsc"},
        ),
        (
            {"cgroup": "private", "cgroup_parent": "m", "userns_mode": "host", "uts": "host", "isolation": "default"},
            {
                "CgroupnsMode": "private",
                "CgroupParent": "m",
                "UsernsMode": "host",
                "UTSMode": "host",
                "Isolation": "default",
            },
        ),
        ({"storage_opt": {"size": "1G"}}, {"StorageOpt": {"size": "1G"}}),
        (
            {"devices": [{"source": "/dev/null", "target": "/x", "permissions": "r"}]},
            {"Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/x", "CgroupPermissions": "r"}]},
        ),
        (
            {"devices": [{"source": "a.com/b=c", "target": "a.com/b=c"}], "gpus": [{"count": 2, "driver": "nvidia"}]},
            {
                "DeviceRequests": [
                    {"Driver": "cdi", "DeviceIDs": ["a.com/b=c"]},
                    {"Driver": "nvidia", "Count": 2, "Capabilities": [["gpu"]]},
                ]
            },
        ),
        ({"device_cgroup_rules": ["c 1:* mr"]}, {"DeviceCgroupRules": ["c 1:* mr"]}),
        (
            {
                "blkio_config": {
                    "weight": 300,
                    "weight_device": [{"path": "/dev/a", "weight": 400}],
                    "device_write_iops": [{"path": "/dev/a", "rate": "30"}],
                }
            },
            {
                "BlkioWeight": 300,
                "BlkioWeightDevice": [{"Path": "/dev/a", "Weight": 400}],
                "BlkioDeviceWriteIOps": [{"Path": "/dev/a", "Rate": 30}],
            },
        ),
    ],
)
def test_the_engine_is_asked_as_by_compose(spec: dict[str, Any], body: dict[str, Any]) -> None:
    """Each key by its field, and nothing else."""
    assert host_config(**spec) == body


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"memswap_limit": "5"}, "memswap_limit needs a limit of memory"),
        ({"extra_hosts": ["a=1.2.3.4", "c="]}, "extra_hosts: c has no address"),
        ({"volumes": [{"type": "npipe", "target": "/p"}]}, "a mount of type npipe exists on Windows only"),
        ({"cpus": 1e38}, "a limit of 1e+38 CPUs is more than any machine has"),
        ({"mem_limit": "6", "memswap_limit": "5"}, "memswap_limit is below the limit of memory"),
        ({"mem_swappiness": "101"}, "mem_swappiness is a percentage"),
        ({"cpus": 1, "cpu_quota": 5}, "cpu_quota cannot stand together"),
        ({"cpus": 1, "cpu_period": 5}, "cpu_period cannot stand together"),
        ({"uts": "bogus"}, "uts 'bogus' is unknown"),
        ({"isolation": "hyperv"}, "isolation 'hyperv' is unknown"),
        ({"credential_spec": {"file": "f"}}, "for Windows containers"),
        ({"volumes_from": ["container:b"]}, "volumes_from is not supported: replacing"),
        ({"devices": [{"source": "/a", "target": "/a", "permissions": "x"}]}, "unknown permissions 'x'"),
        ({"device_cgroup_rules": ["bogus"]}, "'bogus' is not a rule"),
        ({"blkio_config": {"weight": 5}}, "the weight 5 is below 10"),
        ({"external_links": ["a:b:c"]}, "'a:b:c' is not CONTAINER:ALIAS"),
        ({"links": ["b:c"], "networks": {}, "network_mode": "bridge"}, "links needs a network"),
        ({"external_links": ["b"], "networks": {}, "network_mode": "bridge"}, "external_links needs a network"),
    ],
)
def test_what_engines_refuse_is_refused_before(spec: dict[str, Any], said: str) -> None:
    """With the line of the key."""
    with pytest.raises(SpecError) as caught:
        lower_service({f"services.web.{key}": "compose.yaml:7" for key in spec}, **spec)
    assert (said in str(caught.value), caught.value.source) == (True, "compose.yaml:7")


def test_links_are_names_on_every_network() -> None:
    """A link goes to the service's name, which outlives its containers; one without alias needs nothing."""
    (service,) = lower_service(links=["db", "db:store"], external_links=["legacy", "other:o"]).services
    assert [item.endpoint for item in service.networks] == [{"Links": ["db:store", "legacy:legacy", "other:o"]}]
