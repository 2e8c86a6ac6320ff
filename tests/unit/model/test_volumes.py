"""Which volumes are removed when somebody asks for it."""

from __future__ import annotations

import pytest

from reconciler.model.volumes import VolumeRow, refusal


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (VolumeRow("shop_data", "local", ours=True, project="shop"), ""),
        (
            VolumeRow("theirs", "local", used_by=("db",)),
            "volume theirs was not made by this instance: `docker volume rm theirs` if nobody needs it",
        ),
        (
            VolumeRow("shop_data", "local", ours=True, project="shop", used_by=("a", "b")),
            "volume shop_data is mounted by a, b: `reconcile down shop` first, or take it out of the spec",
        ),
    ],
)
def test_only_ours_that_nobody_mounts_is_removed(row: VolumeRow, said: str) -> None:
    """A refusal names the way out; whose it is comes first, as no way out of ours leads there."""
    assert refusal(row) == said
