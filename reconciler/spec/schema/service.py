"""`services.*` (Compose Spec, "Services")."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from reconciler.spec.schema.base import Section
from reconciler.spec.schema.deploy import Deploy
from reconciler.spec.schema.extension import ServiceRules
from reconciler.spec.schema.parts import Attachment, Build, Dependency, EnvFile, Healthcheck, Logging, Mount, Port, Ulimit



def _distinct(texts: list[str]) -> list[str]:
    twice = next((text for index, text in enumerate(texts) if text in texts[:index]), None)
    if twice is not None:
        raise ValueError(f"{twice!r} is listed twice")
    return texts


Texts = list[str]
Distinct = Annotated[Texts, AfterValidator(_distinct)]
Labels = dict[str, str]


class Service(Section):
    """One service in long form: durations as Go prints them, bytes as decimal strings, paths absolute."""

    annotations: Labels = {}
    build: Build = Build()
    cap_add: Texts = []
    cap_drop: Texts = []
    command: Texts | None = None
    container_name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$")] = ""
    cpus: Annotated[float, Field(ge=0)] = 0
    depends_on: dict[str, Dependency] = {}
    deploy: Deploy | None = None
    dns: Texts = []
    dns_opt: Texts = []
    dns_search: Texts = []
    domainname: str = ""
    entrypoint: Texts | None = None
    env_file: list[EnvFile] = []
    environment: dict[str, str | None] = {}
    expose: Texts = []
    extra_hosts: Texts = []
    group_add: Distinct = []
    healthcheck: Healthcheck = Healthcheck()
    hostname: str = ""
    image: str = ""
    init: bool = False
    labels: Labels = {}
    logging: Logging = Logging()
    mem_limit: str = ""
    mem_reservation: str = ""
    memswap_limit: str = ""
    network_mode: str = ""
    networks: dict[str, Attachment | None] = {}
    pids_limit: int = 0
    platform: str = ""
    ports: list[Port] = []
    privileged: bool = False
    profiles: Texts = []
    pull_policy: str = ""
    read_only: bool = False
    restart: str = ""
    scale: Annotated[int, Field(ge=0)] = 1
    security_opt: Distinct = []
    shm_size: str = ""
    stdin_open: bool = False
    stop_grace_period: str = ""
    stop_signal: str = ""
    sysctls: Labels = {}
    tmpfs: Texts = []
    tty: bool = False
    ulimits: dict[str, Ulimit] = {}
    user: str = ""
    volumes: list[Mount] = []
    working_dir: str = ""
    x_reconcile: Annotated[ServiceRules, Field(alias="x-reconcile")] = ServiceRules()
    not_yet: ClassVar[frozenset[str]] = frozenset(
        {
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
            "cpuset",
            "credential_spec",
            "develop",
            "device_cgroup_rules",
            "devices",
            "extends",
            "external_links",
            "gpus",
            "ipc",
            "isolation",
            "label_file",
            "links",
            "mac_address",
            "mem_swappiness",
            "models",
            "oom_kill_disable",
            "oom_score_adj",
            "pid",
            "post_start",
            "pre_start",
            "pre_stop",
            "provider",
            "pull_refresh_after",
            "runtime",
            "secrets",
            "storage_opt",
            "use_api_socket",
            "userns_mode",
            "uts",
            "volumes_from",
        }
    )
