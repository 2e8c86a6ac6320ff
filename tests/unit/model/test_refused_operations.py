"""Which refusals of the policy are a service's."""

from __future__ import annotations

from reconciler.model.memory import Memory


def test_what_was_refused_of_services_is_told_apart() -> None:
    """From what failed otherwise, and from what is everybody's."""
    memory = Memory().with_failed_operation("container.start:web/1/a", "port is taken", 1.0)
    for operation in ("container.create:web/1/b", "image.pull:web:1", "network.create:shop_default"):
        memory = memory.with_refused_operation(operation, f"{operation} is not allowed", 1.0)
    assert memory.refused_operations == {
        "container.create:web/1/b": "container.create:web/1/b is not allowed",
        "image.pull:web:1": "image.pull:web:1 is not allowed",
    }
