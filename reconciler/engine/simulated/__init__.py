"""The simulated engine: an Engine in memory, on a virtual clock. See `engine.SimulatedEngine`."""

from reconciler.engine.simulated.behaviour import FREE, Behaviour, Behaviours, Costs
from reconciler.engine.simulated.clock import VirtualClock
from reconciler.engine.simulated.engine import Call, Fault, Moment, SimulatedEngine
from reconciler.engine.snapshot import Snapshot

__all__ = [
    "FREE",
    "Behaviour",
    "Behaviours",
    "Call",
    "Costs",
    "Fault",
    "Moment",
    "SimulatedEngine",
    "Snapshot",
    "VirtualClock",
]
