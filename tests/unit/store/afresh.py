"""Reads what a store keeps as a program does that starts now."""

from __future__ import annotations

from pathlib import Path

from reconciler.store import ProjectStore, Store


def afresh(store: Store, engine: str = "engine", instance: str = "default", project: str = "shop") -> ProjectStore:
    """What the store's file says of a project: nothing that this process holds in memory."""
    return Store(store._connection, Path("state.db"), notices=store.notices, keyring=store._keyring).project(
        engine, instance, project
    )
