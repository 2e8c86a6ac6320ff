"""A key file that holds no key: which one it is, beside the image that waits for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

from reconciler.images.registry.client import RegistryClient
from reconciler.model.memory import Memory
from reconciler.model.project import Image, PublicKey
from reconciler.registries import Registries
from reconciler.resolving import Resolver
from tests.support.planning import DIGEST, IMAGE, NOW, observed, service


def test_the_key_that_cannot_be_used_is_named() -> None:
    """Nothing is asked of a registry for it."""
    key = PublicKey("/keys/cosign.pub", "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n")
    registries = Registries(RegistryClient(lambda _host: None))
    resolver = Resolver(registries, None, lambda: NOW, UTC)
    wanted = service(image=Image(f"app:1@{DIGEST}", keys=(key,)))
    image = replace(IMAGE, digests=(f"app@{DIGEST}",))
    target = resolver.resolve((wanted,), observed(images=(image,)), Memory()).targets["web"]
    registries.close()
    assert (target.refused, target.reason) == (True, "KeyUnusable")
    assert "@dddddddddddd: /keys/cosign.pub: it holds no public key" in target.error
