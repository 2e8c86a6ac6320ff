"""`services.*` (Compose Spec, "Services")."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from reconciler.spec.nodes import shown
from reconciler.spec.schema.base import ABSENT, Section
from reconciler.spec.schema.deploy import Deploy
from reconciler.spec.schema.extension import ServiceRules
from reconciler.spec.schema.parts import (
    Attachment,
    Build,
    Dependency,
    EnvFile,
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

    build: Build = ABSENT
    cap_add: Texts = ABSENT
    cap_drop: Texts = ABSENT
    command: Texts | None = None
    container_name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$")] = ABSENT
    depends_on: dict[str, Dependency] = ABSENT
    deploy: Deploy | None = None
    domainname: str = ABSENT
    entrypoint: Texts | None = None
    env_file: list[EnvFile] = ABSENT
    environment: dict[str, str | None] = ABSENT
    expose: Texts = ABSENT
    extra_hosts: Texts = ABSENT
    healthcheck: Healthcheck = ABSENT
    hostname: str = ABSENT
    image: str = ABSENT
    init: bool = ABSENT
    ipc: str = ABSENT
    labels: Labels = ABSENT
    logging: Logging = ABSENT
    mac_address: str = ABSENT
    network_mode: str = ABSENT
    networks: dict[str, Attachment | None] = ABSENT
    pid: str = ABSENT
    platform: str = ABSENT
    ports: list[Port] = ABSENT
    privileged: bool = ABSENT
    profiles: Texts = ABSENT
    pull_policy: str = ABSENT
    read_only: bool = ABSENT
    restart: str = ABSENT
    scale: Annotated[int, Field(ge=0)] = ABSENT
    security_opt: Distinct = ABSENT
    shm_size: str = ABSENT
    stdin_open: bool = ABSENT
    stop_grace_period: str = ABSENT
    stop_signal: str = ABSENT
    tmpfs: Texts = ABSENT
    tty: bool = ABSENT
    ulimits: dict[str, Ulimit] = ABSENT
    user: str = ABSENT
    volumes: list[Mount] = ABSENT
    working_dir: str = ABSENT
    x_reconcile: Annotated[ServiceRules, Field(alias="x-reconcile")] = ABSENT
    not_yet: ClassVar[frozenset[str]] = frozenset(
        {
            "annotations",
            "attach",
            "blkio_config",
            "cgroup",
            "cgroup_parent",
            "configs",
            "cpu_count",
            "cpu_percent",
            "cpu_period",
            "cpu_quota",
            "cpu_rt_period",
            "cpu_rt_runtime",
            "cpu_shares",
            "cpus",
            "cpuset",
            "credential_spec",
            "develop",
            "device_cgroup_rules",
            "devices",
            "dns",
            "dns_opt",
            "dns_search",
            "extends",
            "external_links",
            "gpus",
            "group_add",
            "isolation",
            "label_file",
            "links",
            "mem_limit",
            "mem_reservation",
            "mem_swappiness",
            "memswap_limit",
            "models",
            "oom_kill_disable",
            "oom_score_adj",
            "pids_limit",
            "post_start",
            "pre_start",
            "pre_stop",
            "provider",
            "pull_refresh_after",
            "runtime",
            "secrets",
            "storage_opt",
            "sysctls",
            "use_api_socket",
            "userns_mode",
            "uts",
            "volumes_from",
        }
    )
