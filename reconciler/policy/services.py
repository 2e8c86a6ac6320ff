"""Rules about what no single container shows."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.project import Service
from reconciler.policy.rule import Finding, Ground


def replicas(service: Service, most: int, _: Ground) -> Iterator[Finding]:
    """More replicas than allowed."""
    if service.replicas > most:
        yield Finding("deploy.replicas", f"{service.replicas} replicas, and at most {most} are allowed")
