"""Images that are no good, rolled out while a client reads from the service: nobody but the operator is to notice."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.proof.lab import SERVE, serving
from tests.proof.line import Line
from tests.support.image import busybox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.proof.lab import Lab
    from tests.support.command import Ran, Site

Fields = dict[str, Any]
REPLICAS = (3, 1)
FEWEST_REQUESTS = 10
ABSENT = "127.0.0.1:9/no/such:1"
AARCH64 = b"\xb7\x00"
_MACHINE = 18  # offset of e_machine in an ELF header
_ASK = "timeout 2 wget -q -O- http://web:8080/ || echo failed"


@dataclass(frozen=True)
class Bad:
    """What makes a release bad. `image` None: the good image, whose command does the harm."""

    script: str = f"{SERVE}; sleep 600"
    image: str | None = None
    fields: Fields = field(default_factory=dict)
    update: Fields = field(default_factory=dict)


WRONG = "rcp-arm64:1"
CASES = {
    "exits at once": Bad("exit 9"),
    "exits after 5 s": Bad(f"{SERVE}; sleep 5; exit 3", update={"monitor": "7s"}),
    "never healthy": Bad("sleep 600"),
    "unhealthy after a while": Bad(f"{SERVE}; sleep 1.5; killall httpd; sleep 600", update={"monitor": "4s"}),
    "cannot be pulled": Bad(image=ABSENT),
    "another architecture": Bad(image=WRONG),
    "restarts for ever": Bad("exit 3", fields={"restart": "always"}),
}


def prove(lab: Lab) -> Iterator[Line]:
    """Every bad image on services of three replicas and of one."""
    _import_wrong()
    try:
        for replicas in REPLICAS:
            with lab.site() as site:
                release = 1
                site.write(web=_good(site, release, replicas)).converge()
                for name, bad in CASES.items():
                    yield _try(lab, site, name, bad, replicas, release)
                    release += 2
    finally:
        lab.api.remove_image(WRONG, force=True)


def _try(lab: Lab, site: Site, name: str, bad: Bad, replicas: int, release: int) -> Line:
    """A bad release after a good one that runs, the same once more, and the next good one."""
    before, client = site.running("web"), _client(site)
    site.write(web=_bad(site, release + 1, replicas, bad))
    failed = site.run()
    left = site.containers("web").keys()
    asked = len(lab.tap.asked)
    again = site.run()
    created = lab.writes_since(asked).count("POST /containers/create")
    unharmed = site.running("web") == before
    answers = _answers(site, client)
    good = site.write(web=_good(site, release + 2, replicas)).run()
    lost = answers.total() - answers[str(release)]
    trouble = [*lab.guard.verdicts(), *_codes(failed, again, good)]
    trouble += [] if unharmed else ["the old replicas did not run on"]
    trouble += [] if left == before.keys() else [f"{len(left)} containers are left"]
    trouble += [f"answers {dict(answers)}, {release} is what runs"] if lost else []
    trouble += [f"only {answers.total()} requests"] if answers.total() < FEWEST_REQUESTS else []
    trouble += ["the second run created containers"] if created else []
    trouble += ["replicas are missing"] if len(site.running("web")) != replicas else []
    columns = (name, replicas, answers.total(), lost, failed.code, created, good.code)
    return Line("bad", columns, tuple(trouble))


def _good(site: Site, release: int, replicas: int) -> Fields:
    return serving(site, release, scale=replicas)


def _bad(site: Site, release: int, replicas: int, bad: Bad) -> Fields:
    fields = {"command": ["sh", "-c", bad.script], **bad.fields}
    if bad.image:
        fields["image"] = bad.image
    return serving(site, release, scale=replicas, update=bad.update, **fields)


def _client(site: Site) -> str:
    """A container on the project's network that asks the service again and again; its id."""
    body = {"HostConfig": {"NetworkMode": f"{site.name}_default"}}
    command = ["sh", "-c", f"while :; do {_ASK}; sleep 0.02; done"]
    return site.outsider("client", Cmd=command, **body)


def _answers(site: Site, client: str) -> Counter[str]:
    """What it was answered, by how often; the client is gone then."""
    site.api.stop(client, timeout=0)
    said: str = site.api.logs(client).decode()
    site.api.remove_container(client)
    return Counter(said.split())


def _import_wrong() -> None:
    """An image for another machine: its config says so, and so does the program in it."""
    program = bytearray(busybox().read_bytes())
    program[_MACHINE : _MACHINE + 2] = AARCH64
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sh").write_bytes(program)
        (Path(folder) / "sh").chmod(0o755)
        archive = Path(folder) / "root.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(Path(folder) / "sh", "bin/sh")
        command = ["docker", "import", "--platform", "linux/arm64", "-c", "ENV PATH=/bin", str(archive), WRONG]
        subprocess.run(command, check=True, capture_output=True)


def _codes(failed: Ran, again: Ran, good: Ran) -> Iterator[str]:
    for what, ran, code in (("bad", failed, 1), ("second", again, 1), ("good", good, 0)):
        if ran.code != code or "Traceback" in ran.text:
            yield f"{what} run: exit {ran.code}: {ran.text.strip()[-300:]}"
