"""Makes the image of server and client: reconciler-demo/base, and as much of this machine's Python as they load."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

IMAGE = "reconciler-demo/traffic:1"
PYTHON = "/bin/python"
ROOT = Path(__file__).parents[2]
_PROGRAMS = ("tests/traffic/server.py", "tests/traffic/client.py")
_LOADED = """
import json, os, sys
import runpy, tests.traffic.client
import concurrent.futures.thread, encodings.idna  # loaded by the first look-up of a name
files = [getattr(module, "__file__", None) for module in sys.modules.values()]
print(json.dumps([os.path.realpath(sys.executable), *filter(None, files)]))
"""


def build() -> str:
    """Builds the image, which takes a second or two, and returns its name. Raises RuntimeError where it cannot."""
    with tempfile.TemporaryDirectory(prefix="reconciler-traffic-") as name:
        context = Path(name)
        files = _files()
        for file in files:
            _copy(file, context / "root")
        for program in _PROGRAMS:
            _copy(str(ROOT / program), context / "app", program)
        (context / "Dockerfile").write_text(_dockerfile(files[0]))
        for path in context.rglob("*"):
            os.utime(path, (0, 0))
        _docker_build(context)
    return IMAGE


def _dockerfile(python: str) -> str:
    return f"""FROM reconciler-demo/base:1
COPY root /
RUN ["/bin/sh", "-c", "mkdir -m 1777 /tmp && ln -s {python} {PYTHON}"]
COPY app /app
WORKDIR /app
RUN ["{PYTHON}", "-S", "-c", "import runpy, tests.traffic.client"]
"""


def _docker_build(context: Path) -> None:
    environment = os.environ | {"DOCKER_BUILDKIT": "0"}
    command = ["docker", "build", "--quiet", "--force-rm", "--tag", IMAGE, str(context)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"could not build {IMAGE} (deploy/images.sh makes what it is based on)\n{done.stderr}")


def _files() -> list[str]:
    """The interpreter, every module that the programs load, and the libraries of both."""
    base = getattr(sys, "_base_executable", sys.executable)
    command = [base, "-S", "-c", _LOADED]
    loaded = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    files: list[str] = json.loads(loaded)
    python, *modules = (file for file in files if not Path(file).is_relative_to(ROOT))
    binaries = [python, *(module for module in modules if module.endswith(".so"))]
    return [python, *modules, *_libraries(binaries)]


def _libraries(binaries: list[str]) -> set[str]:
    listed = subprocess.run(["ldd", *binaries], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"^\s+(?:\S+ => )?(/\S+) \(0x", listed, re.MULTILINE))


def _copy(file: str, root: Path, place: str = "") -> None:
    target = root / (place or file).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, target)
