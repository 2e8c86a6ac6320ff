"""What a followed service goes back to where none of its containers is left: what it came up with last."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from reconciler.images.resolution import Running, last_good
from reconciler.model import labels
from reconciler.model.memory import Memory
from reconciler.model.project import Following, Image, PublicKey, Service
from reconciler.registries import Registries
from reconciler.resolving import Resolver
from tests.support.planning import DIGEST, IMAGE, NOW, container, observed, remembering, service, stable

KEYS = (PublicKey("/keys/cosign.pub", "-----BEGIN PUBLIC KEY-----"),)
OTHER = replace(IMAGE, id=f"sha256:{'2' * 64}", tags=("app:2",))


def followed(track: Any = "semver", **image: Any) -> Service:
    return service(image=Image("app:1", following=Following(track), **image))


def ran(reference: str = "app:2", **changes: Any) -> Memory:
    """A memory in which `app:2` came up."""
    return remembering(stable(service(), image_id=OTHER.id, reference=reference, digest=DIGEST), **changes)


def chosen(wanted: Service, memory: Memory) -> tuple[str, str | None]:
    """What the service is to run where no registry answers and both images are local."""
    resolver = Resolver(Registries(None), None, lambda: NOW, UTC)
    target = resolver.resolve((wanted,), observed(images=(IMAGE, OTHER)), memory).targets["web"]
    return target.reference, target.digest


@pytest.mark.parametrize("track", ["semver", "digest"])
def test_what_came_up_last_comes_up_again(track: str) -> None:
    """Containers that went, and a registry that is down, take no version back."""
    assert chosen(followed(track), Memory()) == ("app:1", None)
    assert chosen(followed(track), ran()) == ("app:2", DIGEST)


def test_what_is_not_followed_is_as_written() -> None:
    """Without `track` the spec says what runs."""
    assert chosen(service(), ran()) == ("app:1", None)


def test_it_has_to_be_of_that_repository_and_on_the_engine() -> None:
    """Another repository is another program; what is gone from the engine cannot be what runs."""
    wanted, here = followed(), observed(images=(IMAGE, OTHER))
    assert last_good(wanted, here, ran()) == Running("app:2", DIGEST, OTHER.id)
    assert last_good(wanted, here, ran("other:2")) is None
    assert last_good(wanted, observed(), ran()) is None
    assert last_good(wanted, here, Memory()) is None


def test_a_signature_that_is_asked_for_has_to_be_known() -> None:
    """What ran before somebody asked for signatures is not started again by that alone."""
    wanted, resolver = followed(keys=KEYS), Resolver(Registries(None), None, lambda: NOW, UTC)
    assert chosen(wanted, ran()) == ("app:1", IMAGE.id)
    of = {labels.IMAGE: "app:2", labels.DIGEST: DIGEST}
    runs = observed(container(image="app:2", image_id=OTHER.id, labels=of), images=(IMAGE, OTHER))
    verified = resolver.resolve((wanted,), runs, ran()).memory
    assert chosen(wanted, verified) == ("app:2", DIGEST)
