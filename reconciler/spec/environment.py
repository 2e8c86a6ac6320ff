"""Where variables come from: the shell, `.env` and `--env-file`, and the `env_file` of services.

The shell wins over `.env` (Compose Spec, "Interpolation"); a service's `environment` wins over its `env_file`.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.age import is_encrypted
from reconciler.errors import SpecError, SpecErrors
from reconciler.model.project import Notice
from reconciler.spec.dotenv import MAX_BYTES, EnvFileError, parse_env_file, parse_raw_file
from reconciler.spec.encrypted import Decrypting
from reconciler.spec.files import Files, decode_text, display_path, file_mode, may_be_file, read_bytes
from reconciler.spec.forms import Spot
from reconciler.spec.nodes import NOWHERE, Items, Mark, Table, source_text

Variables = dict[str, str]

_NONE: Mapping[str, str] = {}

MAX_TOTAL = 8 * 1024 * 1024
MAX_VARIABLES = 300_000
MAX_LINES = 200_000
MAX_TAKEN = 32 * 1024 * 1024


class EnvFiles:
    """Reads the env files of one load, and keeps what there is to say about them."""

    def __init__(self, cwd: str, files: Files, decrypting: Decrypting | None = None) -> None:
        self.files = files
        self.encrypted: set[str] = set()
        self._decrypting = decrypting
        self._cwd = cwd
        self._texts: dict[str, str] = {}
        self._known: dict[tuple[str, bool, frozenset[tuple[str, str]]], Variables] = {}
        self._read = 0
        self._lines = 0
        self._variables = 0
        self._taken = 0
        self._unset: dict[tuple[str, str], Notice] = {}

    def read(
        self,
        path: str,
        inherited: Mapping[str, str],
        earlier: Mapping[str, str] = _NONE,
        *,
        named_at: str = "",
        raw: bool = False,
        of_service: bool = False,
    ) -> Variables:
        """The variables of one file; SpecError at `named_at` if it is missing, at its own line if it is malformed.

        In `$VAR`, `inherited` wins over what the file says itself, and that over `earlier`. Only the env files
        `of_service` may be encrypted: the others are for everything, labels and names too.
        """
        text = self._admitted(path, named_at, of_service=of_service)
        return self._parsed(text, inherited, earlier, path, raw=raw)

    def read_trusted(self, path: str, inherited: Mapping[str, str], earlier: Mapping[str, str]) -> Variables:
        """The variables of a file that the command line names: it may lie outside of a confined spec's tree."""
        name = display_path(path, self._cwd)
        return self._parsed(self._text(path, name, name), inherited, earlier, path, raw=False)

    def _admitted(self, path: str, named_at: str, *, of_service: bool) -> str:
        name = display_path(path, self._cwd)
        self.files.admit(path, what=f"env file {name}", source=named_at or name)
        return self._text(path, name, named_at or name, of_service=of_service)

    def _parsed(
        self, text: str, inherited: Mapping[str, str], earlier: Mapping[str, str], path: str, *, raw: bool
    ) -> Variables:
        """The variables of a text; of an encrypted file no error repeats a word."""
        name, secret = display_path(path, self._cwd), path in self.encrypted
        try:
            if raw:
                return parse_raw_file(text, inherited)
            return parse_env_file(text, inherited, lambda key: self._note_unset(key, name, secret=secret), earlier)
        except EnvFileError as error:
            message, hint = ("the line says nothing", "decrypt it to see why") if secret else (str(error), error.hint)
            raise SpecError(message, source=f"{name}:{error.line}", hint=hint) from None

    def read_first(
        self, path: str, own: Mapping[str, str], environment: Mapping[str, str], *, named_at: str, raw: bool
    ) -> Variables:
        """As `read`, once for all services that name the file first and have the same of what it may refer to.

        `own` are the service's variables; `environment`, which wins over them, must be the same for all services.
        """
        if path not in self._texts:
            self._texts[path] = self._admitted(path, named_at, of_service=True)
        text = self._texts[path]
        key = (path, raw, frozenset((name, value) for name, value in own.items() if name in text))
        if key not in self._known:
            inherited = {**own, **environment}
            self._known[key] = self._parsed(text, inherited, _NONE, path, raw=raw)
        return self._known[key]

    def is_missing(self, path: str, named_at: str) -> bool:
        """Whether an optional file is not there; SpecError at `named_at` for one that may not be looked at."""
        self.files.admit(path, what=f"env file {display_path(path, self._cwd)}", source=named_at)
        return file_mode(path) == 0

    def _text(self, path: str, name: str, named_at: str, *, of_service: bool = False) -> str:
        what = f"env file {name}"
        data = read_bytes(path, MAX_BYTES, what=what, source=named_at, hint="create it, or correct the path")
        self._read += len(data)
        if len(data) > MAX_BYTES:
            raise SpecError(f"{what} is larger than {MAX_BYTES // 1024 // 1024} MB", source=named_at)
        if self._read > MAX_TOTAL:
            raise _too_much(f"{MAX_TOTAL // 1024 // 1024} MB", named_at)
        self._lines += data.count(b"\n")
        if self._lines > MAX_LINES:
            raise _too_much(f"{MAX_LINES} lines", named_at)
        if is_encrypted(data):
            data = self._decrypted(path, data, what, named_at, of_service=of_service)
        return decode_text(data, name, "an env file is text in UTF-8")

    def _decrypted(self, path: str, data: bytes, what: str, named_at: str, *, of_service: bool) -> bytes:
        if not of_service or self._decrypting is None:
            hint = "of a service: its variables go to the container and nowhere else"
            raise SpecError(f"{what} is encrypted with age, which only env_file may be", source=named_at, hint=hint)
        self.encrypted.add(path)
        return self._decrypting.plain(data, what, named_at)

    def count(self, variables: Variables, named_at: str) -> None:
        """Add to what services took from env files; SpecErrors where it is too much to be meant."""
        self._variables += len(variables)
        if self._variables > MAX_VARIABLES:
            raise _too_much(f"{MAX_VARIABLES} variables", named_at)
        self._taken += sum(map(len, variables.values()))
        if self._taken > MAX_TAKEN:
            message = f"services take more than {MAX_TAKEN // 1024 // 1024} MB from env files"
            raise SpecErrors([SpecError(message, source=named_at)])

    @property
    def notices(self) -> tuple[Notice, ...]:
        """One for each variable that a file needed and that had no value."""
        return tuple(self._unset.values())

    def _note_unset(self, key: str, name: str, *, secret: bool) -> None:
        key = "that it refers to" if secret else key
        message = f'variable {key} is not set: it becomes ""'
        self._unset.setdefault((key, name), Notice("VariableUnset", message, name))


def _too_much(limit: str, named_at: str) -> SpecErrors:
    return SpecErrors([SpecError(f"the env files of the project hold more than {limit}", source=named_at)])


def project_environment(
    folder: str, env_files: tuple[str, ...], shell: Mapping[str, str], reader: EnvFiles, named_at: str = ""
) -> dict[str, str]:
    """The variables of a project's env files (default: the folder's `.env`, if there is one), then the shell's."""
    default = f"{folder}/.env"
    reader.files.note(default)
    paths = env_files or ((default,) if may_be_file(default) else ())
    variables: Variables = {}
    for path in paths:
        variables |= reader.read(path, shell, dict(variables), named_at=named_at)
    return {**variables, **shell}


def chosen_environment(paths: tuple[str, ...], shell: Mapping[str, str], reader: EnvFiles) -> dict[str, str]:
    """The variables of the env files that the command line names, then the shell's."""
    variables: Variables = {}
    for path in paths:
        variables |= reader.read_trusted(path, shell, dict(variables))
    return {**variables, **shell}


def resolve_environment(service: Table, spot: Spot, environment: Mapping[str, str], reader: EnvFiles) -> frozenset[str]:
    """Give `environment` the content of the service's env files, which then are no longer named in it.

    Returns the names of the variables that come from an encrypted file, or from one after it, which may repeat it.

    A variable without a value takes it from `environment`, or stays null: removed from the container. In an env file
    `$VAR` is what `environment` says, else the service's own variable, else what the files say, the later ones first.
    """
    own = service.get("environment") or Table()
    values = {key: environment.get(key) if value is None else value for key, value in own.items()}
    given = {key: value for key, value in values.items() if value is not None}
    merged = Table()
    found, secret = _from_files(service, spot, given, environment, reader)
    for key, value, mark in found:
        merged.put(key, value, mark)
    for key, resolved in values.items():
        merged.put(key, resolved, own.mark(key))
    service.drop("env_file")
    if merged:
        service.put("environment", merged, service.mark("environment"))
    return secret - {key for key, value in own.items() if value is not None}


def resolve_labels(service: Table, spot: Spot, reader: EnvFiles) -> None:
    """Give `labels` the content of the service's label files, which then are no longer named in it.

    `label_file` (Compose Spec) is an env file that knows no variables but its own and those of the files before it; a
    later file wins over an earlier one, and `labels` over all.
    """
    merged = Table()
    for path, mark in (service.get("label_file") or Items()).marked():
        try:
            fresh = reader.read(path, dict(merged), named_at=source_text(mark))
            reader.count(fresh, source_text(mark))
        except SpecErrors:
            raise
        except SpecError as error:
            error.message = f"services.{spot.path[-1]}.label_file: {error.message}"
            spot.scope.errors.append(error)
            continue
        for key, value in fresh.items():
            merged.put(key, value, mark)
    service.drop("label_file")
    own = service.get("labels") or Table()
    for key, value in own.items():
        merged.put(key, value, own.mark(key))
    if merged:
        service.put("labels", merged, service.mark("labels"))


def _from_files(
    service: Table, spot: Spot, own: Mapping[str, str], environment: Mapping[str, str], reader: EnvFiles
) -> tuple[list[tuple[str, str, Mark]], frozenset[str]]:
    files = service.get("env_file") or Items()
    found: Variables = {}
    secret: set[str] = set()
    marks: dict[str, Mark] = {}
    for entry, mark in files.marked():
        path, required, raw = entry["path"], entry.get("required", True), entry.get("format") == "raw"
        try:
            if not required and reader.is_missing(path, source_text(mark)):
                continue
            if found:
                place, known = source_text(mark), {**own, **environment}
                fresh = reader.read(path, known, found, named_at=place, raw=raw, of_service=True)
            else:
                fresh = reader.read_first(path, own, environment, named_at=source_text(mark), raw=raw)
            reader.count(fresh, source_text(mark))
        except SpecErrors:
            raise
        except SpecError as error:
            error.message = f"services.{spot.path[-1]}.env_file: {error.message}"
            spot.scope.errors.append(error)
            continue
        found |= fresh
        secret |= fresh.keys() if secret or path in reader.encrypted else set()
        marks |= dict.fromkeys(fresh, mark if mark != NOWHERE else spot.mark)
    return [(key, value, marks[key]) for key, value in found.items()], frozenset(secret)
