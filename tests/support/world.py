"""A whole program on a simulated engine: load a spec's text, plan it, converge it, and let things happen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.admission import policies
from reconciler.engine.simulated import Behaviours, SimulatedEngine, VirtualClock
from reconciler.files.materialising import Places
from reconciler.forecast import VirtualExecutor, assumed_behaviours
from reconciler.loading import with_contents
from reconciler.lock import unlocked
from reconciler.model.settings import Settings
from reconciler.session import Lock, Session
from reconciler.store import Store

if TYPE_CHECKING:
    from reconciler.collecting import Collected
    from reconciler.model.memory import Memory, Stable
    from reconciler.model.project import Project
    from reconciler.model.report import Activity, ImageRow, ProjectReport
    from reconciler.registries import Registries

START = 1_780_000_000.0


class World:
    """One simulated engine, a folder for specs, and what the program remembers: in `state`, where one is given.

    `registries` answer for it; without them the engine does. With a `check_interval` (seconds) there is one session for
    all that it is asked, as in a service.
    """

    def __init__(
        self,
        folder: Path,
        engine: SimulatedEngine | None = None,
        *,
        behaviours: Behaviours | None = None,
        state: Path | None = None,
        registries: Registries | None = None,
        check_interval: float = 0.0,
    ) -> None:
        self.folder = folder
        self._check_interval = check_interval
        self._registries = registries
        self.state = state
        self.clock = engine.clock if engine else VirtualClock(START)
        self.engine = engine or SimulatedEngine(self.clock)
        self.behaviours = behaviours or self.engine.world.behaviours
        self.activities: list[Activity] = []
        self.lock: Lock = unlocked
        self._lasting: Session | None = None
        self.places = Places("")
        self.store = Store.open(state) if state else Store.in_memory()

    def reopen(self) -> None:
        """The program has died: what it knows from now on is what the state file kept."""
        assert self.state, "a world without a state file forgets everything"
        self.store.close()
        self.store = Store.open(self.state)

    def close(self) -> None:
        """Close the state file."""
        self.store.close()

    def memory(self, name: str = "shop") -> Memory:
        """What is remembered of a project."""
        return self.store.project(self.engine.info().id, "default", name).load()

    def retry(self, project: Project, service: str) -> bool:
        """What `reconcile retry` does before it converges."""
        return self._session(project).retry(project, service)

    def go_back(self, project: Project, service: str, revision: int | None = None) -> Stable:
        """What `reconcile rollback` does before it converges."""
        return self._session(project).go_back(project, service, revision)

    def session(self) -> Session:
        """A session of its own, for what persons ask."""
        return Session(self.engine, VirtualExecutor(self.engine), self.lock, "default", self.store)

    def project(self, text: str, name: str = "shop", **environment: str) -> Project:
        """The project that this spec asks for."""
        from reconciler.spec.load import Request, load
        from reconciler.spec.lowering import lower

        path = self.folder / "compose.yaml"
        path.write_text(text)
        loaded = load(Request(files=(str(path),), project_name=name), environment)
        return with_contents(lower(loaded))

    def plan(self, project: Project, *, adopt: bool = False) -> ProjectReport:
        """What a dry-run says."""
        return self._session(project).plan(project, adopt=adopt)

    def images(self, project: Project) -> dict[str, ImageRow]:
        """What `reconcile images` says, by service."""
        return {row.service: row for row in self._session(project).images(project)}

    def converge(self, project: Project, timeout: float | None = None, *, adopt: bool = False) -> ProjectReport:
        """What a converge does."""
        session, see = self._session(project), self.activities.append
        return session.converge(project, lambda _report: None, see, lambda: False, timeout, adopt=adopt)

    def collect(self, *projects: Project, unread: bool = False, dry_run: bool = False) -> Collected:
        """What `reconcile images prune` does, with the specs of these projects in force."""
        session = Session(self.engine, VirtualExecutor(self.engine), self.lock, "default", self.store)
        return session.collect(projects, unread=unread, dry_run=dry_run)

    def _session(self, project: Project) -> Session:
        self.engine.world.behaviours = self.behaviours or assumed_behaviours((project,))
        executor = VirtualExecutor(self.engine)
        if self._check_interval and self._lasting:
            return self._lasting
        self._lasting = Session(
            self.engine,
            executor,
            self.lock,
            "default",
            self.store,
            self._registries,
            check_interval=self._check_interval,
            places=self.places,
            policy=policies(Settings(host_data_dir=self.places.host_data_dir)),
        )
        return self._lasting

    def rows(self, project: str = "shop") -> list[dict[str, Any]]:
        """List rows of the project's containers, by name."""
        label = "io.reconciler.project"
        rows = [row for row in self.engine.list_containers() if (row.get("Labels") or {}).get(label) == project]
        return sorted(rows, key=lambda row: str(row["Names"][0]))

    def states(self, project: str = "shop") -> dict[str, str]:
        """`service/slot` -> state, of the project's containers (several of one slot: joined by +)."""
        found: dict[str, list[str]] = {}
        for row in self.rows(project):
            labels = row["Labels"]
            key = f"{labels['io.reconciler.service']}/{labels['io.reconciler.slot']}"
            found.setdefault(key, []).append(str(row["State"]))
        return {key: "+".join(sorted(states)) for key, states in sorted(found.items())}

    def container(self, replica: str, project: str = "shop") -> str:
        """The id of the container of `service/slot` (the newest where there are several)."""
        service, _, slot = replica.partition("/")
        rows = [
            row
            for row in self.rows(project)
            if row["Labels"]["io.reconciler.service"] == service and row["Labels"]["io.reconciler.slot"] == slot
        ]
        return str(max(rows, key=lambda row: row["Created"])["Id"])

    def foreign(self, name: str, body: dict[str, Any]) -> str:
        """Run a container that somebody else made; its id."""
        self.engine.pull_image(body["Image"], None, lambda _text: None)
        container = self.engine.create_container(name, body)
        self.engine.start_container(container)
        return container
