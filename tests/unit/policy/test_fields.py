"""Nothing that this program can send has been left unjudged."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

from reconciler.model.fields import PAYLOAD_FIELDS, UNEXPLAINED
from reconciler.model.operation import Kind, Operation
from reconciler.model.project import Build
from reconciler.policy import fields as known
from reconciler.policy.judge import HARMLESS, denied
from reconciler.spec import lower_container, lower_devices, lower_networks, lower_resources
from reconciler.spec.lowering import lower
from tests.unit.lowering.recorded import cases, load
from tests.unit.policy.asking import broken_by, only, policy_of

CONFIG = known.CONFIG_JUDGED | known.CONFIG_OWN
HOST = known.HOST_JUDGED | known.HOST_OWN


def test_no_field_is_in_two_sets() -> None:
    """It is judged, or it is the container's own matter."""
    assert not known.CONFIG_JUDGED & known.CONFIG_OWN
    assert not known.HOST_JUDGED & known.HOST_OWN
    assert not known.BUILD_JUDGED & known.BUILD_OWN


def test_every_field_that_lowering_can_write_is_known() -> None:
    """A new one has to be put into a set of `policy.fields`, by somebody who has thought about it."""
    paths = {*PAYLOAD_FIELDS, *UNEXPLAINED}
    assert {path[0] for path in paths if path[0] != "HostConfig"} <= CONFIG
    assert {path[1] for path in paths if path[0] == "HostConfig"} <= HOST
    assert set(lower_container.CONFIG.values()) <= CONFIG
    tables = (lower_container.HOST_CONFIG, lower_resources.NUMBERS, lower_devices.RATES)
    assert {field for table in tables for field in table.values()} <= HOST
    assert {*lower_networks.NETWORK.values()} <= known.NETWORK
    assert {*lower_networks.POOL.values()} <= known.POOL
    assert {*lower_networks.ENDPOINT.values()} <= known.ENDPOINT


def test_everything_that_was_ever_recorded_is_known() -> None:
    """All containers, networks and volumes that Docker Compose asked for in the recorded cases."""
    policy = only("unknown-fields")
    for case in cases():
        if not case.refused:
            project = lower(load(case.document))
            for service in project.services:
                assert broken_by(service, policy) == set(), case.case
            assert {key for item in project.volumes for key in item.definition} <= known.VOLUME
            assert {key for item in project.networks for key in item.definition} <= known.NETWORK


def test_every_field_of_a_build_is_known() -> None:
    """A new one has to be classified too."""
    assert {item.name for item in fields(Build)} == known.BUILD_JUDGED | known.BUILD_OWN


def test_every_kind_of_operation_is_judged_or_harmless() -> None:
    """A new kind is denied until somebody says which of the two it is."""
    judged = {"container.create", "container.start", "network.create", "network.connect", "volume.create"}
    assert set(get_args(Kind)) == judged | {"image.build", "image.pull"} | HARMLESS
    new = Operation("id", "container.commit", "x", "shop")  # type: ignore[arg-type]
    assert [item.rule for item in denied(new, policy_of())] == ["unknown-fields"]
