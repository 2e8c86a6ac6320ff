"""One line of the proof's table."""

from __future__ import annotations

from dataclasses import dataclass

_COLUMNS = {
    "kill": {"rollout": 20, "killed": 46, "healthy": 8, "created": 8, "exit": 5},
    "bad": {"image": 25, "replicas": 9, "requests": 9, "failed": 7, "exit": 5, "created again": 14, "next good": 10},
}


def heading(part: str) -> str:
    """The table's first line."""
    return _aligned(part, tuple(_COLUMNS[part])) + "verdict"


@dataclass(frozen=True)
class Line:
    """One run of a part: its columns, and what was not as it has to be."""

    part: str
    columns: tuple[object, ...]
    trouble: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As it is printed."""
        return _aligned(self.part, self.columns) + ("; ".join(self.trouble) or "held")


def _aligned(part: str, values: tuple[object, ...]) -> str:
    widths = _COLUMNS[part].values()
    return "".join(f"{str(value)[: width - 1]:<{width}}" for value, width in zip(values, widths, strict=True))
