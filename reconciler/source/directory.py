"""Which projects the command line means: `-f FILE` (several are one), `-f DIR` (read one level deep), or the default.

Called by `app` before anything is loaded. Looks at names, and into lone YAML files just far enough to tell a spec from
other YAML; `spec.load` reads them properly.
"""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.errors import SpecError, UsageError
from reconciler.model.project import Notice
from reconciler.spec.compose_variables import compose_files, folder_environment
from reconciler.spec.environment import EnvFiles
from reconciler.spec.files import Files, display_path, file_mode, may_be_file, read_bytes
from reconciler.spec.load import Loaded, Request
from reconciler.spec.nodes import Table
from reconciler.spec.yaml_nodes import MAX_BYTES, read_documents

DEFAULT_FOLDER = "specs"
COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_ENDINGS = (".yaml", ".yml")
_SPEC_KEYS = ("services", "include")
_SPEC_LINE = re.compile(rb"^(?:services|include)[ \t]*:", re.MULTILINE)
_NAMES_HINT = f"put a {COMPOSE_FILES[0]} there, or name a file with -f"


@dataclass(frozen=True)
class Discovery:
    """The projects to load, in order of their paths, and what was left aside on the way."""

    requests: tuple[Request, ...]
    notices: tuple[Notice, ...] = ()


def discover(
    paths: Sequence[str], cwd: str, shell: Mapping[str, str] | None = None, env_files: tuple[str, ...] = ()
) -> Discovery:
    """The projects that these `-f` values mean; without any: COMPOSE_FILE, `specs/`, or this folder's compose file.

    COMPOSE_FILE is looked for in `shell`; where there is no `specs/`, also in `env_files` or this folder's `.env`.
    Raises SpecError where a path does not exist or a folder holds no spec, and UsageError where files and folders are
    mixed or there is no default.
    """
    if not paths:
        return _default(cwd, shell or {}, env_files)
    found = [os.path.join(cwd, path) for path in paths]  # noqa: PTH118  keeps the path as the user typed it
    folders = [path for path in found if _is_folder(path)]
    missing = next((typed for typed, path in zip(paths, found, strict=True) if file_mode(path) == 0), None)
    if missing is not None:
        raise SpecError("no such file or folder", source=missing, hint="check -f")
    if not folders:
        return Discovery((Request(tuple(os.path.normpath(path) for path in found)),))
    if len(folders) != len(found):
        raise UsageError("-f takes files of one project or folders, not both at once")
    scans = [_scan(os.path.normpath(folder), cwd) for folder in folders]
    requests = tuple(request for scan in scans for request in scan.requests)
    return Discovery(requests, tuple(notice for scan in scans for notice in scan.notices))


def duplicate_names(loaded: Sequence[Loaded]) -> list[SpecError]:
    """One error for each project whose name an earlier one already has, naming both files."""
    by_name: dict[str, list[Loaded]] = defaultdict(list)
    for project in loaded:
        by_name[project.name].append(project)
    return [_twice(name, first, other) for name, (first, *others) in by_name.items() for other in others]


def _twice(name: str, first: Loaded, other: Loaded) -> SpecError:
    source = other.sources.get("name", other.sources[""])
    here, there = source.rpartition(":")[0], first.sources[""].rpartition(":")[0]
    return SpecError(f"{here} and {there} are both project {name!r}", source=source, hint="give each its own name:")


def parts_of_others(requests: Sequence[Request], loaded: Sequence[Loaded], cwd: str) -> list[Notice]:
    """One notice for each lone file that is a project of its own here, and that another project includes or extends."""
    readers: dict[str, Loaded] = {}
    for project in loaded:
        readers |= {path: project for path in project.read if path not in project.files}
    parts = [path for request in requests for path in request.files if path in readers]
    return [_part(display_path(path, cwd), readers[path]) for path in parts]


def _part(shown: str, reader: Loaded) -> Notice:
    message = f"project {reader.name} includes or extends this file, which is also a project of its own here"
    return Notice("PartOfAnother", f"{message}: keep it in a folder of its own if it is not meant to be one", shown)


def _default(cwd: str, shell: Mapping[str, str], env_files: tuple[str, ...]) -> Discovery:
    files = compose_files(shell, cwd)
    folder = os.path.join(cwd, DEFAULT_FOLDER)  # noqa: PTH118
    if not files and _is_folder(folder):
        return _scan(folder, cwd)
    files = files or compose_files(folder_environment(cwd, env_files, shell, cwd, EnvFiles(cwd, Files())), cwd)
    if files:
        return Discovery((Request(files, env_folder=cwd),))
    files = _compose_files(cwd)
    if not files:
        message = f"there is no spec: neither {DEFAULT_FOLDER}/ nor a {COMPOSE_FILES[0]} in {cwd}"
        raise UsageError(message, hint="name one with -f FILE or -f DIR")
    return Discovery((Request(files),))


def _scan(folder: str, cwd: str) -> Discovery:
    """The projects of one folder: itself if it has a compose file, else its folders with one and its lone files."""
    own = _compose_files(folder)
    if own:
        return Discovery((Request(own),))
    requests: list[Request] = []
    notices: list[Notice] = []
    for path in _entries(folder, cwd):
        shown = display_path(path, cwd)
        if _is_folder(path):
            files = _compose_files(path)
            requests += [Request(files)] if files else []
            notices += [] if files else _skipped_folder(path, shown)
        elif path.endswith(_ENDINGS):
            spec = _is_spec(path, shown)
            requests += [Request((path,))] if spec else []
            notices += [] if spec else [_skipped_file(shown)]
    if not requests:
        raise SpecError("the folder holds no spec", source=display_path(folder, cwd), hint=_NAMES_HINT)
    return Discovery(tuple(requests), tuple(notices))


def _entries(folder: str, cwd: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208  names are wanted, not paths
    except OSError as error:
        raise SpecError(f"the folder cannot be read: {error.strerror}", source=display_path(folder, cwd)) from None
    return [f"{folder}/{name}" for name in names if not name.startswith(".")]


def _compose_files(folder: str) -> tuple[str, ...]:
    """The folder's compose file and its override file, () where it has none."""
    main = next((name for name in COMPOSE_FILES if may_be_file(f"{folder}/{name}")), None)
    if main is None:
        return ()
    stem = main.partition(".")[0]
    overrides = (f"{stem}.override{end}" for end in _ENDINGS)
    override = next((name for name in overrides if may_be_file(f"{folder}/{name}")), None)
    return tuple(f"{folder}/{name}" for name in (main, override) if name)


def _is_folder(path: str) -> bool:
    return stat.S_ISDIR(file_mode(path) or 0)


def _is_spec(path: str, shown: str) -> bool:
    """Whether a lone YAML file is a spec. A file that cannot be read or parsed is taken for one: loading says why."""
    try:
        data = read_bytes(path, MAX_BYTES, what="the file", source=shown)
        if _SPEC_LINE.search(data):
            return True
        documents = read_documents(data, shown)
    except SpecError:
        return True
    return any(isinstance(one.value, Table) and any(key in one.value for key in _SPEC_KEYS) for one in documents)


def _skipped_file(shown: str) -> Notice:
    return Notice("NotASpec", "skipped: the file has neither services: nor include:", shown)


def _skipped_folder(path: str, shown: str) -> list[Notice]:
    """A folder is not looked into any further; worth a word only if there is YAML in it."""
    try:
        yaml_inside = any(name.endswith(_ENDINGS) for name in os.listdir(path))  # noqa: PTH208
    except OSError as error:
        return [Notice("FolderSkipped", f"skipped: the folder cannot be read: {error.strerror}", shown)]
    message = f"skipped: no {COMPOSE_FILES[0]} in it, and folders are read one level deep"
    return [Notice("FolderSkipped", message, shown)] if yaml_inside else []
