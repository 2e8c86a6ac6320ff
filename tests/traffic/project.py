"""The project of one row: a proxy in front of three replicas, as a Compose file that `docker compose` takes too."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.traffic.image import IMAGE, PYTHON

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "zero-downtime.md"
REPLICAS = 3
PROXIES = {
    "haproxy": ("haproxy.cfg", "/etc/haproxy/haproxy.cfg"),
    "nginx": ("nginx.conf", "/etc/nginx/nginx.conf"),
    "caddy": ("Caddyfile", "/etc/caddy/Caddyfile"),
    "traefik": ("traefik.yaml", "/etc/traefik/traefik.yaml"),
}
"""What each proxy's set-up is called in the guide, and where its image (reconciler-demo/NAME:1) reads it."""

_SOCKET = "/var/run/docker.sock:/var/run/docker.sock:ro"
_TRAEFIK = {
    "traefik.enable": "true",
    "traefik.http.routers.web.rule": "PathPrefix(`/`)",
    "traefik.http.services.web.loadbalancer.server.port": "8080",
    "traefik.http.services.web.loadbalancer.healthcheck.path": "/healthz",
    "traefik.http.services.web.loadbalancer.healthcheck.interval": "500ms",
    "traefik.http.services.web.loadbalancer.healthcheck.timeout": "2s",
}
_DRAIN = {"method": "exec", "command": ["touch", "/tmp/draining"], "delay": "4s"}
ROLLOUTS: dict[str, dict[str, Any]] = {
    "none": {},
    "publish": {"settle": "2s", "publish": "healthy", "drain": {"method": "none", "delay": "4s"}},
    "drain": {"settle": "2s", "drain": _DRAIN},
    "signal": {"settle": "2s", "drain": {"method": "signal", "signal": "SIGUSR1", "delay": "4s"}},
    "both": {"settle": "2s", "publish": "healthy", "drain": _DRAIN},
}
"""`x-reconcile.rollout` by the name of the guard."""


def proxy_config(proxy: str, retries: int) -> str:
    """The set-up that the guide shows for a proxy; HAProxy's with that many retries. Raises LookupError without one."""
    name = PROXIES[proxy][0]
    if proxy == "haproxy":
        shown = (ROOT / "specs" / "edge" / name).read_text()
        return re.sub(r"^( +retries) \d+", rf"\1 {retries}", shown, flags=re.MULTILINE)
    found = re.search(rf"^```\S*\n(# {re.escape(name)}\n.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    if not found:
        raise LookupError(f"{GUIDE}: no block that begins with '# {name}'")
    return found[1]


def write(folder: Path, version: str, *, proxy: str, app: str, guard: str, retries: int) -> Path:
    """Writes the Compose file of that version and the proxy's set-up; returns the Compose file."""
    name, target = PROXIES[proxy]
    (folder / name).write_text(proxy_config(proxy, retries))
    services = {"edge": _edge(proxy, f"./{name}:{target}:ro"), "web": _web(version, app, guard)}
    if proxy == "traefik":
        services["edge"]["volumes"].append(_SOCKET)
        services["web"]["labels"] = _TRAEFIK
    file = folder / "compose.yaml"
    file.write_text(json.dumps({"services": services}, indent=1))  # JSON is YAML
    return file


def _edge(proxy: str, mount: str) -> dict[str, Any]:
    edge: dict[str, Any] = {"image": f"reconciler-demo/{proxy}:1", "volumes": [mount], "stop_grace_period": "1s"}
    return edge if proxy == "traefik" else edge | {"user": "65534:65534"}  # the engine's socket is root's


def _web(version: str, app: str, guard: str) -> dict[str, Any]:
    probe = ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/livez"]
    service: dict[str, Any] = {
        "image": IMAGE,
        "command": [PYTHON, "-S", "-m", "tests.traffic.server", app, "8080"],
        "environment": {"VERSION": version},
        "healthcheck": {"test": probe, "interval": "500ms", "timeout": "2s", "retries": 3},
        "deploy": {"replicas": REPLICAS, "update_config": {"order": "start-first", "parallelism": 1}},
    }
    if rollout := ROLLOUTS.get(guard):
        service["x-reconcile"] = {"rollout": rollout}
    return service
