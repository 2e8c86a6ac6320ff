"""Lowering against the recorded requests of Docker Compose: the same containers, networks and volumes."""

from __future__ import annotations

import pytest

from reconciler.errors import SpecError
from reconciler.spec.lowering import lower
from tests.unit.lowering.recorded import Case, cases, load, without_order

ACCEPTED = [pytest.param(case, id=case.case) for case in cases() if not case.refused]
COUNTED_BY_LOOP = {"deploy-restart-any3"}  # a count that engines refuse, and that the loop keeps
REFUSED = [pytest.param(case, id=case.case) for case in cases() if case.refused and case.case not in COUNTED_BY_LOOP]


@pytest.mark.parametrize("case", ACCEPTED)
def test_containers_are_asked_for_as_compose_asks(case: Case) -> None:
    """The create body says what Compose's says, no more and no less."""
    project = lower(load(case.document))
    bodies = {service.name: without_order(service.container) for service in project.services}
    assert bodies == {name: without_order(body) for name, body in case.containers.items()}


@pytest.mark.parametrize("case", ACCEPTED)
def test_containers_join_networks_as_in_compose(case: Case) -> None:
    """Each service joins the same networks with the same addresses and listed aliases, in the same order."""
    project = lower(load(case.document))
    joined = {
        service.name: [[item.network, item.endpoint, list(item.aliases)] for item in service.networks]
        for service in project.services
    }
    assert joined == case.endpoints


@pytest.mark.parametrize("case", ACCEPTED)
def test_networks_and_volumes_are_created_as_in_compose(case: Case) -> None:
    """Only used, not external networks and volumes are created, by the body that Compose sends."""
    project = lower(load(case.document))
    assert {item.name: item.definition for item in project.networks if not item.external} == case.networks
    assert {item.name: item.definition for item in project.volumes if not item.external} == case.volumes


@pytest.mark.parametrize("case", REFUSED)
def test_what_every_engine_refuses_is_refused_before(case: Case) -> None:
    """A body that the engine answers with 400 is an error of the spec, and names the service."""
    with pytest.raises(SpecError, match=r"services\.a: "):
        lower(load(case.document))
