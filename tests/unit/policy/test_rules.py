"""Every rule about payloads: what it denies, what it lets through, in the engine's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.policy.table import RULES
from tests.unit.policy.asking import broken, host, only, policy_of

if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET = "/var/run/docker.sock"
MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/sched_debug", "/proc/timer_list", "/sys/firmware"]


def volume(**options: str) -> dict[str, Any]:
    """A volume of the built-in driver."""
    return {"Driver": "local", "DriverOpts": options}


def mount(**fields: Any) -> dict[str, Any]:
    """A create body with one mount object."""
    return host(Mounts=[{"Target": "/x", **fields}])


def driver(name: str, **options: str) -> dict[str, Any]:
    """A mount that says how its volume is made."""
    return mount(Type="volume", Source="v", VolumeOptions={"DriverConfig": {"Name": name, "Options": options}})


def joined(**endpoints: Any) -> dict[str, Any]:
    """A create body with these networks."""
    return {"NetworkingConfig": {"EndpointsConfig": endpoints}}


def published(port: str = "", address: str = "") -> dict[str, Any]:
    """A create body with a published port."""
    return host(PortBindings={"80/tcp": [{"HostIp": address, "HostPort": port}]})


SYSCTL = {"DriverOpts": {"com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1"}}
DENIED: list[tuple[str, str, Mapping[str, Any]]] = [
    ("privileged", "container", host(Privileged=True)),
    ("host-namespaces", "container", host(PidMode="host")),
    ("host-namespaces", "container", host(IpcMode="host")),
    ("host-namespaces", "container", host(UTSMode="host")),
    ("host-namespaces", "container", host(UsernsMode="host")),
    ("host-namespaces", "container", host(CgroupnsMode="host")),
    ("host-namespaces", "container", host(NetworkMode="host")),
    ("host-namespaces", "container", host(NetworkMode=" Host")),
    ("host-namespaces", "container", host(PidMode="ns:/proc/1/ns/pid")),
    ("host-namespaces", "container", host(NetworkMode="ns:/proc/1/ns/net")),
    ("host-namespaces", "container", joined(host={})),
    ("host-namespaces", "connect", {"network": "host", "endpoint": {}}),
    ("foreign-namespaces", "container", host(PidMode="container:db")),
    ("foreign-namespaces", "container", host(IpcMode="container:db")),
    ("foreign-namespaces", "container", host(NetworkMode="container:db")),
    ("foreign-namespaces", "container", host(NetworkMode="Container:db")),
    ("foreign-namespaces", "container", host(VolumesFrom=["db"])),
    ("cap-add", "container", host(CapAdd=["CAP_SYS_ADMIN"])),
    ("cap-add", "container", host(CapAdd=["sys_admin"])),
    ("cap-add", "container", host(CapAdd=["CHOWN", "ALL"])),
    ("devices", "container", host(Devices=[{"PathOnHost": "/dev/sda"}])),
    ("devices", "container", host(DeviceRequests=[{"Driver": "cdi", "DeviceIDs": ["vendor.com/gpu=0"]}])),
    ("devices", "container", host(DeviceRequests=[{"Count": -1, "Capabilities": [["gpu"]]}])),
    ("devices", "container", host(DeviceRequests=[{"Driver": "nvidia"}])),
    ("devices", "container", host(DeviceRequests=[{"Count": -1}])),
    ("devices", "container", host(DeviceCgroupRules=["b *:* rwm"])),
    ("security-options", "container", host(SecurityOpt=["seccomp=unconfined"])),
    ("security-options", "container", host(SecurityOpt=["seccomp:unconfined"])),
    ("security-options", "container", host(SecurityOpt=['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'])),
    ("security-options", "container", host(SecurityOpt=["apparmor=unconfined"])),
    ("security-options", "container", host(SecurityOpt=["label:disable"])),
    ("security-options", "container", host(SecurityOpt=["label=type:spc_t"])),
    ("security-options", "container", host(SecurityOpt=["no-new-privileges:false"])),
    ("security-options", "container", host(SecurityOpt=["systempaths=unconfined"])),
    ("security-options", "container", host(SecurityOpt=["writable-cgroups=true"])),
    ("system-paths", "container", host(MaskedPaths=[], ReadonlyPaths=[])),
    ("system-paths", "container", host(ReadonlyPaths=["/proc/bus"])),
    ("engine-socket", "container", host(Binds=[f"{SOCKET}:{SOCKET}:ro"])),
    ("engine-socket", "container", host(Binds=["/run/podman/podman.sock:/x"])),
    ("engine-socket", "container", host(Binds=["/run:/x"])),
    ("engine-socket", "container", host(Binds=["/run/user/1000:/x"])),
    ("engine-socket", "container", mount(Type="bind", Source="/")),
    ("engine-socket", "container", driver("local", type="none", o="bind", device="/run/containerd")),
    ("engine-socket", "volume", volume(type="none", o="bind", device=SOCKET)),
    ("host-paths", "container", host(Binds=["/etc:/x:ro"])),
    ("host-paths", "container", host(Binds=["/srv/reconciler/shop/../other:/x"])),
    ("host-paths", "container", host(Binds=["/srv/reconciler/shopping:/x"])),
    ("host-paths", "container", host(Binds=["./relative:/x"])),
    ("host-paths", "container", mount(Type="bind", Source="/proc/1/root")),
    ("host-paths", "container", mount(Type="bind", Source="")),
    ("host-paths", "container", driver("local", type="none", o="bind", device="/etc")),
    ("host-paths", "volume", volume(type="none", o="bind", device="/etc")),
    ("host-paths", "volume", volume(type="tmpfs", o="ro,RBIND", device="/etc")),
    ("host-paths", "volume", volume(Type="none", O="bind", DEVICE="/etc")),
    ("host-paths", "volume", volume(type="nfs", o="addr=10.0.0.9,bind", device="/etc")),
    ("host-paths", "volume", volume(o="bind")),
    ("host-paths", "volume", {"DriverOpts": {"o": "bind", "device": "/etc"}}),
    ("host-paths", "volume", {"Driver": "local-persist", "DriverOpts": {"mountpoint": "/etc"}}),
    ("bind-propagation", "container", mount(Type="bind", Source="/x", BindOptions={"Propagation": "rshared"})),
    ("bind-propagation", "container", host(Binds=["/x:/y:rw,shared"])),
    ("volume-drivers", "volume", {"Driver": "rexray/ebs"}),
    ("volume-drivers", "container", driver("vieux/sshfs")),
    ("volume-drivers", "container", host(VolumeDriver="convoy")),
    ("volume-options", "volume", volume(type="ext4", device="/dev/sda1")),
    ("volume-options", "volume", volume(type="overlay", device="overlay", o="lowerdir=/etc,upperdir=/u,workdir=/w")),
    ("volume-options", "volume", volume(type="proc", device="proc")),
    ("volume-options", "volume", volume(type="none", device="/etc")),
    ("volume-options", "volume", volume(device="/etc")),
    ("volume-options", "volume", volume(type="tmpfs", device="/dev/sda1")),
    ("volume-options", "volume", volume(type="none", o="bind,rshared", device="/srv/reconciler/shop/x")),
    ("volume-options", "volume", volume(mountpoint="/etc")),
    ("volume-options", "container", driver("", type="devtmpfs", device="x")),
    ("network-storage", "volume", volume(type="nfs4", o="addr=10.0.0.9,rw", device=":/export")),
    ("network-storage", "container", driver("local", type="cifs", device="//nas/share")),
    ("network-drivers", "network", {"Driver": "macvlan", "Options": {"parent": "eth0"}}),
    ("network-drivers", "network", {"Driver": "ipvlan"}),
    ("network-drivers", "network", {"IPAM": {"Driver": "dhcp"}}),
    ("network-options", "network", {"Options": {"com.docker.network.bridge.name": "br0"}}),
    ("network-options", "network", {"Options": {"parent": "eth0"}}),
    ("network-options", "container", joined(n={"DriverOpts": {"vendor.path": "/etc"}})),
    ("network-options", "connect", {"network": "n", "endpoint": {"DriverOpts": {"vendor.path": "/etc"}}}),
    ("subnets", "network", {"IPAM": {"Config": [{"Subnet": "8.8.8.0/24"}]}}),
    ("subnets", "network", {"IPAM": {"Config": [{"Subnet": "10.0.0.0/7"}]}}),
    ("subnets", "network", {"IPAM": {"Config": [{"Subnet": "10.9.0.0/16", "IPRange": "2001:db8::/64"}]}}),
    ("subnets", "network", {"IPAM": {"Config": [{"Subnet": "anything"}]}}),
    ("sysctls", "container", host(Sysctls={"net.core.somaxconn": "1024"})),
    ("sysctls", "container", joined(n=SYSCTL)),
    ("sysctls", "connect", {"network": "n", "endpoint": SYSCTL}),
    ("runtimes", "container", host(Runtime="runc")),
    ("cgroup-parent", "container", host(CgroupParent="/system.slice")),
    ("oom-protection", "container", host(OomKillDisable=True)),
    ("oom-protection", "container", host(OomScoreAdj=-1)),
    ("annotations", "container", host(Annotations={"io.katacontainers.config.hypervisor.path": "/bin/sh"})),
    ("log-drivers", "container", host(LogConfig={"Type": "syslog"})),
    ("log-drivers", "container", host(LogConfig={"Config": {"syslog-address": "unix:///dev/log"}})),
    ("log-drivers", "container", host(LogConfig={"Type": "local", "Config": {"fluentd-address": "x"}})),
    ("unknown-fields", "container", host(PublishAllPorts=True)),
    ("unknown-fields", "container", host(Links=["db:db"])),
    ("unknown-fields", "container", {"NetworkDisabled": True}),
    ("unknown-fields", "container", {"NetworkingConfig": {"New": {"a": 1}}}),
    ("unknown-fields", "container", joined(n={"New": 1})),
    ("unknown-fields", "container", mount(Type="npipe")),
    ("unknown-fields", "container", mount(Type="Bind")),
    ("unknown-fields", "container", mount(Type="volume", New=1)),
    ("unknown-fields", "container", mount(Type="tmpfs", TmpfsOptions={"Options": [["exec"]]})),
    ("unknown-fields", "connect", {"network": "n", "endpoint": {"New": 1}}),
    ("unknown-fields", "network", {"Scope": "host"}),
    ("unknown-fields", "network", {"ConfigFrom": {"Network": "host"}}),
    ("unknown-fields", "network", {"IPAM": {"Options": {"a": "b"}}}),
    ("unknown-fields", "network", {"IPAM": {"Config": [{"New": 1}]}}),
    ("unknown-fields", "volume", {"ClusterVolumeSpec": {"Group": "g"}}),
    ("unknown-fields", "container.update", {}),
    ("no-new-privileges", "container", {}),
    ("no-new-privileges", "container", host(SecurityOpt=["no-new-privileges=false"])),
    ("cap-drop", "container", host(CapDrop=["CAP_NET_RAW"])),
    ("read-only", "container", {}),
    ("non-root", "container", {}),
    ("non-root", "container", {"User": "root:users"}),
    ("non-root", "container", {"User": "00"}),
    ("limits", "container", host(Memory=1)),
    ("limits", "container", host(Memory=1, PidsLimit=-1)),
    ("health-check", "container", {}),
    ("health-check", "container", {"Healthcheck": {"Test": ["NONE"]}}),
    ("host-ports", "container", published("22")),
    ("host-ports", "container", published("1000-1100")),
    ("host-addresses", "container", published("8080")),
    ("host-addresses", "container", published("8080", "0.0.0.0")),
    ("host-addresses", "container", published("", "::")),
    ("other-networks", "container", host(NetworkMode="bridge")),
    ("other-networks", "container", joined(proxy={})),
    ("other-networks", "connect", {"network": "proxy", "endpoint": {}}),
    ("other-volumes", "container", host(Binds=["bank_data:/x:ro"])),
    ("other-volumes", "container", mount(Type="volume", Source="bank_data")),
]
ALLOWED: list[tuple[str, str, Mapping[str, Any]]] = [
    ("privileged", "container", host(Privileged=False)),
    ("host-namespaces", "container", host(PidMode="", IpcMode="shareable", NetworkMode="none", CgroupnsMode="private")),
    ("host-namespaces", "container", host(NetworkMode="shop_default", UTSMode=None)),
    ("host-namespaces", "connect", {"network": "hosts", "endpoint": None}),
    ("cap-add", "container", host(CapAdd=["CAP_NET_BIND_SERVICE", "chown"])),
    ("security-options", "container", host(SecurityOpt=["no-new-privileges:true", "no-new-privileges"])),
    ("system-paths", "container", host(MaskedPaths=[*MASKED, "/proc/asound"], ReadonlyPaths=None)),
    ("engine-socket", "container", host(Binds=["/run/postgresql/db.sock:/x", "data:/run"])),
    ("engine-socket", "volume", volume(type="none", o="bind", device="/srv/run")),
    ("host-paths", "container", host(Binds=["/srv/reconciler/shop/a:/x", "/srv/reconciler/shop:/y", "data:/z"])),
    ("host-paths", "container", mount(Type="bind", Source="/srv//reconciler/./shop/a/../b")),
    ("host-paths", "container", mount(Type="volume", Source="data")),
    ("host-paths", "volume", volume(type="none", o="bind", device="/srv/reconciler/shop/data")),
    ("host-paths", "volume", volume(type="nfs", o="addr=10.0.0.9", device=":/export")),
    ("host-paths", "volume", {}),
    ("bind-propagation", "container", mount(Type="bind", Source="/x", BindOptions={"Propagation": "rslave"})),
    ("volume-drivers", "volume", {}),
    ("volume-options", "volume", volume(type="tmpfs", device="tmpfs", o="size=64m,uid=1000")),
    ("volume-options", "volume", volume(size="10g")),
    ("volume-options", "volume", volume(type="none", o="bind", device="/srv/x")),
    ("volume-options", "volume", volume(type="nfs", o="addr=10.0.0.9", device=":/export")),
    ("volume-options", "volume", {"Driver": "rexray/ebs", "DriverOpts": {"size": "10"}}),
    ("network-storage", "volume", volume(type="tmpfs", device="tmpfs")),
    ("network-drivers", "network", {"Driver": "bridge", "IPAM": {"Driver": "default"}}),
    ("network-options", "network", {"Options": {"com.docker.network.driver.mtu": "1400"}}),
    ("network-options", "container", joined(n={"DriverOpts": {"com.docker.network.endpoint.ifname": "eth9"}}, m=None)),
    ("subnets", "network", {"IPAM": {"Config": [{"Subnet": "10.9.0.0/24", "Gateway": "10.9.0.1"}, {}]}}),
    ("subnets", "network", {"IPAM": {"Config": [{"Subnet": "fd00:1::/64"}]}}),
    ("sysctls", "container", joined(n={"DriverOpts": {"com.docker.network.endpoint.sysctls": ""}})),
    ("oom-protection", "container", host(OomScoreAdj=500)),
    ("log-drivers", "container", host(LogConfig={"Type": "json-file", "Config": {"max-size": "10m"}})),
    ("log-drivers", "container", host(LogConfig={"Type": "journald", "Config": {"tag": "x"}})),
    ("unknown-fields", "container", {"HostConfig": {"Links": [], "Cgroup": ""}, "OnBuild": None}),
    ("unknown-fields", "container.stop", {}),
    ("no-new-privileges", "container", host(SecurityOpt=["no-new-privileges:true"])),
    ("cap-drop", "container", host(CapDrop=["ALL"])),
    ("read-only", "container", host(ReadonlyRootfs=True)),
    ("non-root", "container", {"User": "1000:0"}),
    ("limits", "container", host(Memory=1, PidsLimit=100)),
    ("health-check", "container", {"Healthcheck": {"Test": ["CMD", "true"]}}),
    ("host-ports", "container", published("8080")),
    ("host-ports", "container", published()),
    ("host-addresses", "container", published("8080", "127.0.0.1")),
    ("other-networks", "container", {**host(NetworkMode="shop_back"), **joined(shop_back={})}),
    ("other-networks", "container", host(NetworkMode="none")),
    ("other-volumes", "container", host(Binds=["shop_data:/x", "/etc:/y"])),
    ("other-volumes", "container", mount(Type="volume")),
]
LISTED: list[tuple[str, Any, str, Mapping[str, Any]]] = [
    ("cap-add", ("SYS_TIME",), "container", host(CapAdd=["CAP_SYS_TIME"])),
    ("devices", ("/dev/dri/*", "c 10:* rwm", "gpu"), "container", host(Devices=[{"PathOnHost": "/dev/dri/card0"}])),
    ("devices", ("gpu",), "container", host(DeviceRequests=[{"Capabilities": [["gpu"]]}])),
    ("security-options", ("seccomp=*",), "container", host(SecurityOpt=["seccomp={}"])),
    ("host-paths", ("/etc",), "container", host(Binds=["/etc/hosts:/x"])),
    ("host-paths", ("/",), "container", host(Binds=["/etc/hosts:/x"])),
    ("volume-drivers", ("rexray/ebs",), "volume", {"Driver": "rexray/ebs"}),
    ("network-drivers", ("macvlan", "dhcp"), "network", {"Driver": "macvlan", "IPAM": {"Driver": "dhcp"}}),
    ("network-options", ("parent",), "network", {"Options": {"parent": "eth0"}}),
    ("network-options", ("vendor.*",), "container", joined(n={"DriverOpts": {"vendor.path": "/etc"}})),
    ("subnets", ("8.8.8.0/24",), "network", {"IPAM": {"Config": [{"Subnet": "8.8.8.0/25"}]}}),
    ("sysctls", ("net.*",), "container", {**host(Sysctls={"net.core.somaxconn": "9"}), **joined(n=SYSCTL)}),
    ("runtimes", ("runsc",), "container", host(Runtime="runsc")),
    ("annotations", ("org.*",), "container", host(Annotations={"org.opencontainers.x": "y"})),
    ("log-drivers", ("syslog",), "container", host(LogConfig={"Type": "syslog", "Config": {"syslog-address": "x"}})),
    ("limits", ("cpus",), "container", host(CpuQuota=5000)),
    ("limits", ("cpus",), "container", host(NanoCpus=5000)),
    ("host-addresses", ("0.0.0.0",), "container", published("80")),
    ("other-networks", ("proxy",), "container", host(NetworkMode="proxy")),
    ("other-volumes", ("shared-*",), "container", host(Binds=["shared-media:/x"])),
]


@pytest.mark.parametrize(("rule", "kind", "payload"), DENIED)
def test_what_a_rule_denies(rule: str, kind: str, payload: Mapping[str, Any]) -> None:
    """The rule alone denies it, and so does every level at which it holds."""
    assert broken(only(rule), kind, payload) == {rule}
    if RULES[rule].standard is not False:
        assert rule in broken(policy_of("standard"), kind, payload)
    assert rule in broken(policy_of("strict"), kind, payload)
    assert broken(policy_of("open"), kind, payload) == set()


@pytest.mark.parametrize(("rule", "kind", "payload"), ALLOWED)
def test_what_a_rule_lets_through(rule: str, kind: str, payload: Mapping[str, Any]) -> None:
    """The rule alone says nothing."""
    assert broken(only(rule), kind, payload) == set()


@pytest.mark.parametrize(("rule", "value", "kind", "payload"), LISTED)
def test_what_a_list_lets_through(rule: str, value: Any, kind: str, payload: Mapping[str, Any]) -> None:
    """What is denied by default is allowed where the rule's list has it."""
    assert broken(only(rule, value), kind, payload) == set()


def test_every_rule_is_tested() -> None:
    """Of each there is a payload that it denies; those about images, builds and services are in test_images."""
    elsewhere = {
        "build-caches",
        "build-privileges",
        "builds",
        "digest-or-lock",
        "max-replicas",
        "no-latest",
        "registries",
        "repositories",
        "signature",
    }
    assert {rule for rule, _, _ in DENIED} == RULES.keys() - elsewhere


def test_a_plain_service_passes_at_standard() -> None:
    """What nearly every compose file has."""
    body = {
        "Image": "app:1",
        "Env": ["A=1"],
        "HostConfig": {
            "Binds": ["shop_data:/data:rw"],
            "CapDrop": ["ALL"],
            "CapAdd": ["CAP_CHOWN"],
            "Memory": 1,
            "NetworkMode": "shop_default",
            "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "80"}]},
            "RestartPolicy": {"Name": "always"},
            "Tmpfs": {"/tmp": ""},
            "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}],
        },
        "NetworkingConfig": {"EndpointsConfig": {"shop_default": {"Aliases": ["web"]}}},
    }
    assert broken(policy_of(), "container", body) == set()


def test_the_project_s_own_namespaces_and_volumes_are_its_own() -> None:
    """What the planner filled in is known; the same words in a spec are not enough."""
    body = {**host(PidMode="container:4f", Binds=["9a:/data"]), "Healthcheck": {"Test": ["CMD", "x"]}}
    assert broken(policy_of(), "container", body, joins=("4f",)) == set()
    assert broken(policy_of(), "container", body, joins=("4e",)) == {"foreign-namespaces"}
    assert broken(only("other-volumes"), "container", body, carries=("9a",)) == set()
    assert broken(only("other-volumes"), "container", body) == {"other-volumes"}
