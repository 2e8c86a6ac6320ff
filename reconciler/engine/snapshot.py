"""Everything that was read from an engine in one pass, as raw Engine API JSON: what a simulated engine continues from.

Made by the observer, taken by `simulated.SimulatedEngine.seeded` for forecasts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.engine.protocol import JSON
from reconciler.model.observed import EngineInfo, RegistryAnswer


@dataclass(frozen=True)
class Snapshot:
    """One engine's state, lossless.

    `containers` are the rows of GET /containers/json?all=1, of every container; `inspects` maps container ids to GET
    /containers/{id}/json, for those that were inspected (a foreign container is only listed). `networks` and `volumes`
    are the rows of GET /networks and GET /volumes; `images` those of GET /images/json, and `image_inspects` GET
    /images/{name}/json by whatever they were asked for. `registry` is what registries answered, by reference as
    written. `changes` maps ids of containers that were looked at deep to GET /containers/{id}/changes.
    `missing_paths` are those that were looked for on the engine's machine and are not there.
    """

    info: EngineInfo
    containers: Sequence[JSON] = ()
    inspects: Mapping[str, JSON] = field(default_factory=dict)
    networks: Sequence[JSON] = ()
    volumes: Sequence[JSON] = ()
    images: Sequence[JSON] = ()
    image_inspects: Mapping[str, JSON] = field(default_factory=dict)
    registry: Mapping[str, RegistryAnswer] = field(default_factory=dict)
    changes: Mapping[str, Sequence[JSON]] = field(default_factory=dict)
    missing_paths: frozenset[str] = frozenset()
