"""In words: what a new replica must pass, and what keeps requests from being lost while a service rolls."""

from __future__ import annotations

from reconciler.planner.addresses import keeps_addresses
from reconciler.planner.context import Context, View
from reconciler.planner.gates import health_check


def gate_words(view: View) -> str:
    """What a replica has to pass before it counts as up."""
    if view.service.job:
        return "exit 0"
    rollout = view.service.rollout
    first = "healthy" if health_check(view.service, view.image) else f"weak gate: running for {rollout.min_running:g} s"
    replaces = view.gate.stable or any(slot.others for slot in view.slots)
    return f"{first}, then watched {view.gate.monitor:g} s" if view.gate.monitor and replaces else first


def protection(context: Context, view: View) -> str:
    """What protects the requests that replicas answer; "" for a job."""
    if view.service.job:
        return ""
    alone = view.order.order == "stop-first" and len(view.slots) == 1
    parts = ["nothing serves while its only replica is replaced"] if alone else []
    parts += [_naming(context, view), _draining(view)]
    told = [part for part in parts if part]
    if told:
        return "; ".join(told)
    return "no replica is told before it is stopped: a proxy that does not retry may lose requests"


def _naming(context: Context, view: View) -> str:
    rollout = view.service.rollout
    if rollout.publish == "immediate":
        return ""
    quiet = max(rollout.settle, rollout.drain.delay)
    lacking = [item.network for item in view.service.networks if not keeps_addresses(context, item.network)]
    planned = {item.name for item in context.desired.project.networks if item.keeps_addresses}
    if all(network in planned and context.observed.network(network) is None for network in lacking):
        return f"named once it is up, its name withdrawn {quiet:g} s before it is stopped"
    return f"named once it is up; keeps its name to the end, as {lacking[0]} cannot give an address twice"


def _draining(view: View) -> str:
    drain = view.service.rollout.drain
    how = {"none": "", "signal": drain.signal, "exec": "a command in it", "http": f"POST :{drain.port}{drain.path}"}
    told = how[drain.method]
    return f"told by {told} {drain.delay:g} s before it is stopped" if told else ""
