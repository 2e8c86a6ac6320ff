"""What a service asks of the host's devices (Compose Spec, `devices`, `gpus`, `blkio_config`, `credential_spec`)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from reconciler.spec.schema.base import ABSENT, Section

Weight = Annotated[int, Field(ge=0, le=1000)]


class Device(Section):
    """One entry of `devices`."""

    source: str
    target: str
    permissions: str = ABSENT


class DeviceRequest(Section):
    """One entry of `gpus`; a count of -1 means all."""

    capabilities: list[str] = ABSENT
    count: int = ABSENT
    device_ids: list[str] = ABSENT
    driver: str = ABSENT
    options: dict[str, str] = ABSENT


class BlkioWeight(Section):
    """One entry of `blkio_config.weight_device`."""

    path: str
    weight: Weight


class BlkioRate(Section):
    """One entry of the other lists of `blkio_config`: bytes or operations a second, as a decimal string."""

    path: str
    rate: str


class BlkioConfig(Section):
    """`blkio_config`."""

    weight: Weight = ABSENT
    weight_device: list[BlkioWeight] = ABSENT
    device_read_bps: list[BlkioRate] = ABSENT
    device_read_iops: list[BlkioRate] = ABSENT
    device_write_bps: list[BlkioRate] = ABSENT
    device_write_iops: list[BlkioRate] = ABSENT


class CredentialSpec(Section):
    """`credential_spec`."""

    config: str = ABSENT
    file: str = ABSENT
    registry: str = ABSENT
