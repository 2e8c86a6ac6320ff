"""`services.*` (Compose Spec, "Services")."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from reconciler.spec.nodes import shown
from reconciler.spec.schema.base import ABSENT, Section
from reconciler.spec.schema.deploy import Deploy
from reconciler.spec.schema.devices import BlkioConfig, CredentialSpec, Device, DeviceRequest
from reconciler.spec.schema.extension import ServiceRules
from reconciler.spec.schema.hooks import Develop, Hook, ModelBinding, Provider
from reconciler.spec.schema.parts import (
    Attachment,
    Build,
    Dependency,
    EnvFile,
    FileReference,
    Healthcheck,
    Logging,
    Mount,
    Port,
    Ulimit,
)


def _distinct(texts: list[str]) -> list[str]:
    seen: set[str] = set()
    for text in texts:
        if text in seen:
            raise ValueError(f"{shown(text)} is listed twice")
        seen.add(text)
    return texts


Texts = list[str]
Distinct = Annotated[Texts, AfterValidator(_distinct)]
Labels = dict[str, str]


class Service(Section):
    """One service in long form: durations as Go prints them, bytes as decimal strings, paths absolute."""

    annotations: Labels = ABSENT
    attach: bool = ABSENT
    blkio_config: BlkioConfig = ABSENT
    build: Build = ABSENT
    cap_add: Texts = ABSENT
    cap_drop: Texts = ABSENT
    cgroup: Literal["host", "private"] = ABSENT
    cgroup_parent: str = ABSENT
    command: Texts | None = None
    configs: list[FileReference] = ABSENT
    container_name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$")] = ABSENT
    cpu_count: Annotated[int, Field(ge=0)] = ABSENT
    cpu_percent: Annotated[int, Field(ge=0, le=100)] = ABSENT
    cpu_period: int = ABSENT
    cpu_quota: int = ABSENT
    cpu_rt_period: int = ABSENT
    cpu_rt_runtime: int = ABSENT
    cpu_shares: int = ABSENT
    cpus: Annotated[float, Field(ge=0)] = ABSENT
    cpuset: str = ABSENT
    credential_spec: CredentialSpec = ABSENT
    depends_on: dict[str, Dependency] = ABSENT
    deploy: Deploy | None = None
    develop: Develop | None = ABSENT
    device_cgroup_rules: Distinct = ABSENT
    devices: list[Device] = ABSENT
    dns: Texts = ABSENT
    dns_opt: Texts = ABSENT
    dns_search: Texts = ABSENT
    domainname: str = ABSENT
    entrypoint: Texts | None = None
    env_file: list[EnvFile] = ABSENT
    environment: dict[str, str | None] = ABSENT
    expose: Texts = ABSENT
    external_links: Distinct = ABSENT
    extra_hosts: Texts = ABSENT
    gpus: list[DeviceRequest] = ABSENT
    group_add: Distinct = ABSENT
    healthcheck: Healthcheck = ABSENT
    hostname: str = ABSENT
    image: str = ABSENT
    init: bool = ABSENT
    ipc: str = ABSENT
    isolation: str = ABSENT
    label_file: Texts = ABSENT
    labels: Labels = ABSENT
    links: Texts = ABSENT
    logging: Logging = ABSENT
    mac_address: str = ABSENT
    mem_limit: str = ABSENT
    mem_reservation: str = ABSENT
    mem_swappiness: str = ABSENT
    memswap_limit: str = ABSENT
    models: dict[str, ModelBinding | None] = ABSENT
    network_mode: str = ABSENT
    networks: dict[str, Attachment | None] = ABSENT
    oom_kill_disable: bool = ABSENT
    oom_score_adj: Annotated[int, Field(ge=-1000, le=1000)] = ABSENT
    pid: str = ABSENT
    pids_limit: int = ABSENT
    platform: str = ABSENT
    ports: list[Port] = ABSENT
    post_start: list[Hook] = ABSENT
    pre_start: list[Hook] = ABSENT
    pre_stop: list[Hook] = ABSENT
    privileged: bool = ABSENT
    profiles: Texts = ABSENT
    provider: Provider = ABSENT
    pull_policy: str = ABSENT
    pull_refresh_after: str = ABSENT
    read_only: bool = ABSENT
    restart: str = ABSENT
    runtime: str = ABSENT
    scale: Annotated[int, Field(ge=0)] = ABSENT
    secrets: list[FileReference] = ABSENT
    security_opt: Distinct = ABSENT
    shm_size: str = ABSENT
    stdin_open: bool = ABSENT
    stop_grace_period: str = ABSENT
    stop_signal: str = ABSENT
    storage_opt: dict[str, str] = ABSENT
    sysctls: Labels = ABSENT
    tmpfs: Texts = ABSENT
    tty: bool = ABSENT
    ulimits: dict[str, Ulimit] = ABSENT
    use_api_socket: bool = ABSENT
    user: str = ABSENT
    userns_mode: str = ABSENT
    uts: str = ABSENT
    volumes: list[Mount] = ABSENT
    volumes_from: Distinct = ABSENT
    working_dir: str = ABSENT
    x_reconcile: Annotated[ServiceRules, Field(alias="x-reconcile")] = ABSENT
