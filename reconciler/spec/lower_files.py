"""`configs`, `secrets` and bind-mounted files (Compose Spec) to mounts, to files copied in, and to what they contain.

What comes from a file is mounted read-only, as Compose does; what comes from the spec or the environment, or stands
encrypted in its file, is put into the container before its first start. The content of either, and of files that are
bind-mounted from inside the project's folder, belongs to the definition: when it changes, replicas are replaced.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from reconciler.model.files import DEFAULT_MODE, Content, CopiedFile, FileReference
from reconciler.model.project import Notice
from reconciler.spec.file_references import SECRETS_FOLDER, SECTIONS
from reconciler.spec.files import file_mode
from reconciler.spec.lower_rollout import lower_mutation
from reconciler.spec.lower_scope import Scope

LARGEST = 64 * 1024 * 1024
LARGEST_WRITABLE = 1024 * 1024
MOUNTED_BY_ENGINES = ("/dev", "/proc", "/sys")
_CHUNK = 1024 * 1024

Reference = Mapping[str, Any]


def file_mounts(scope: Scope) -> list[dict[str, Any]]:
    """`Mounts` (Engine API) of the configs and secrets that are files: read-only binds, sorted by their target.

    Raises SpecError for a config or secret that is external (only Swarm keeps those), and for a target that another
    file or mount has, or that is no file.
    """
    _check_targets(scope)
    found = [
        {"Type": "bind", "Source": definition["file"], "Target": _target(kind, item), "ReadOnly": True}
        for kind, item, definition in _references(scope)
        if _is_mounted(scope, definition)
    ]
    return sorted(found, key=lambda mount: str(mount["Target"]))


def copied_files(scope: Scope) -> tuple[CopiedFile, ...]:
    """The configs and secrets whose content stands in the spec or the environment, sorted by path.

    Raises SpecError where the variable is not set, an owner is no number, or the engine could not put the file there.
    """
    found = [
        CopiedFile(
            _target(kind, item),
            reference_text(scope, kind, item, definition),
            _mode(item),
            _number(scope, kind, item, "uid"),
            _number(scope, kind, item, "gid"),
        )
        for kind, item, definition in _references(scope)
        if "file" not in definition
    ]
    found += _decrypted_files(scope)
    for file in found:
        _check_place(scope, file.path)
    return tuple(sorted(found, key=lambda file: file.path))


def _decrypted_files(scope: Scope) -> Iterator[CopiedFile]:
    """What stands encrypted in its file. SpecError where an owner is no number."""
    for kind, item, definition in _references(scope):
        if definition.get("file") in scope.decrypted:
            reference = _file_reference(kind, item, definition)
            if key := reference.unknown_owner:
                _number(scope, kind, item, key)
            yield reference.copied(scope.decrypted[reference.path], encrypted=True)


def file_references(scope: Scope) -> tuple[FileReference, ...]:
    """The configs and secrets that are files, sorted by their target."""
    found = [
        _file_reference(kind, item, definition)
        for kind, item, definition in _references(scope)
        if _is_mounted(scope, definition)
    ]
    return tuple(sorted(found, key=lambda reference: reference.target))


def contents(scope: Scope) -> tuple[Content, ...]:
    """What the service's files contain, by field. A file that cannot be read has the digest ""."""
    decrypted = {file.path: file.digest for file in _decrypted_files(scope)}
    found = [_reference_content(scope, decrypted, *reference) for reference in _references(scope)]
    return tuple(sorted((*found, *_bind_contents(scope)), key=lambda content: content.field))


def file_notices(scope: Scope, found: Iterable[Content]) -> Iterator[Notice]:
    """What is asked of configs, secrets and mounted files and cannot be had; `found` are the service's contents."""
    for kind, item, definition in _references(scope):
        place = f"services.{scope.name}.{kind}"
        asked = sorted({"uid", "gid", "mode"} & set(item))
        if asked and _is_mounted(scope, definition):
            message = f"{place}: {', '.join(asked)} of {item['source']} mean nothing: a mounted file keeps its own"
            yield Notice("NotHonoured", message, scope.source(f"{kind}.{item['source']}"))
    for content in found:
        if not content.digest and os.path.lexists(content.path):
            message = f"services.{scope.name}: {content.origin} cannot be read: a change of it replaces nothing"
            yield Notice("ContentUnknown", message, content.source)


def file_sources(
    spec: Mapping[str, Any], sources: Mapping[str, str], document_sources: Mapping[str, str]
) -> dict[str, str]:
    """The lines of mounts by where they go (`volumes./data`), and of what `configs.NAME` and `secrets.NAME` contain."""
    mounts = enumerate(spec.get("volumes") or ())
    found = {f"volumes.{entry['target']}": sources.get(f"volumes[{index}]", "") for index, entry in mounts}
    for kind in SECTIONS:
        for item in spec.get(kind) or ():
            name = f"{kind}.{item['source']}"
            keys = (f"{name}.{key}" for key in ("content", "environment", "file"))
            found[name] = next((document_sources[key] for key in keys if key in document_sources), "")
            found[f"volumes.{_target(kind, item)}"] = found[name]
    return {field: place for field, place in found.items() if place}


def _references(scope: Scope) -> Iterator[tuple[str, Reference, Reference]]:
    """Each config and secret of the service: which of the two, the reference, its definition."""
    for kind in SECTIONS:
        for item in scope.spec.get(kind) or ():
            definition = scope.document[kind][item["source"]]
            if definition.get("external"):
                message = f"{kind.removesuffix('s')} {item['source']} is external, and only Swarm keeps {kind}"
                raise scope.refuse(kind, message, "declare it with file: or environment:")
            yield kind, item, definition


def _target(kind: str, item: Reference) -> str:
    folder = SECRETS_FOLDER if kind == "secrets" else "/"
    return posixpath.normpath(posixpath.join(folder, item.get("target") or item["source"]))


def reference_text(scope: Scope, kind: str, item: Reference, definition: Reference) -> str:
    """The content of a config or secret that is not a file. SpecError where its variable is not set."""
    variable = definition.get("environment")
    if variable is None:
        return str(definition.get("content") or "")
    value = scope.variables.get(f"{kind}.{item['source']}")
    if value is None:
        message = f"{kind.removesuffix('s')} {item['source']} is the content of {variable}, which is not set"
        raise scope.refuse(f"{kind}.{item['source']}", message, f"set {variable}, in the environment or in .env")
    return value


def _is_mounted(scope: Scope, definition: Reference) -> bool:
    """Whether it is a file that is mounted as it is: one that is encrypted is decrypted and copied in."""
    return "file" in definition and definition["file"] not in scope.decrypted


def _file_reference(kind: str, item: Reference, definition: Reference) -> FileReference:
    return FileReference(
        f"{kind}.{item['source']}",
        definition["file"],
        _target(kind, item),
        _mode(item),
        item.get("uid") or "0",
        item.get("gid") or "0",
    )


def _mode(item: Reference) -> int:
    return int(item["mode"], 8) if item.get("mode") else DEFAULT_MODE


def _number(scope: Scope, kind: str, item: Reference, key: str) -> int:
    text = item.get(key) or "0"
    if not text.isdecimal():
        message = f"{kind}: the {key} of {item['source']} is {text!r}, which is no number"
        raise scope.refuse(kind, message, "names of users mean nothing outside of the container")
    return int(text)


def _check_targets(scope: Scope) -> None:
    taken = {"/", *(entry["target"] for entry in scope.spec.get("volumes") or ())}
    for kind, item, _ in _references(scope):
        target = _target(kind, item)
        if target in taken:
            reason = "is no file" if target == "/" else "has another mount or file already"
            raise scope.refuse(
                kind, f"{kind}: {item['source']} cannot go to {target}, which {reason}", "give it another target"
            )
        taken.add(target)


def _check_place(scope: Scope, path: str) -> None:
    hint = "only a file: that is not encrypted works here, or another target"
    if scope.spec.get("read_only"):
        raise scope.refuse("read_only", f"{path} cannot be put into a container that is read_only", hint)
    for field, folder in _hiding(scope):
        if _at_or_below(path, folder):
            raise scope.refuse(field, f"{path} cannot be put into what is mounted at {folder}", hint)


def _hiding(scope: Scope) -> Iterator[tuple[str, str]]:
    """What is mounted over the container's own files, or cannot be written: where the spec says it, and the folder."""
    for line in scope.spec.get("tmpfs") or ():
        yield "tmpfs", line.partition(":")[0]
    for index, item in enumerate(scope.spec.get("volumes") or ()):
        if item["type"] == "tmpfs" or item.get("read_only"):
            yield f"volumes[{index}]", item["target"]
    for folder in MOUNTED_BY_ENGINES:
        yield "", folder


def _reference_content(
    scope: Scope, decrypted: Mapping[str, str], kind: str, item: Reference, definition: Reference
) -> Content:
    field, target = f"{kind}.{item['source']}", _target(kind, item)
    if target in decrypted:
        return Content(f"{field}:{target}", decrypted[target], scope.source(field), field)
    if "file" in definition:
        path = definition["file"]
        return Content(
            f"{field}:{_target(kind, item)}", _file_digest(path), scope.source(field), _shown(scope, path), path
        )
    settings = f"{_target(kind, item)} {item.get('uid')} {item.get('gid')} {item.get('mode')}"
    digest = hashlib.sha256(
        f"{settings}\0{reference_text(scope, kind, item, definition)}".encode(errors="surrogateescape")
    )
    return Content(f"{field}:{_target(kind, item)}", digest.hexdigest(), scope.source(field), field)


def _bind_contents(scope: Scope) -> Iterator[Content]:
    allowed = lower_mutation(scope.spec).allow
    for index, entry in enumerate((scope.spec.get("volumes") or ()) if scope.working_dir else ()):
        path, target = entry.get("source") or "", entry["target"]
        if entry["type"] != "bind" or not _at_or_below(path, scope.working_dir) or not _is_file(path):
            continue
        read_only, found = bool(entry.get("read_only")), Path(path).stat()
        if not read_only and (
            any(_at_or_below(target, folder) for folder in allowed) or found.st_size > LARGEST_WRITABLE
        ):
            continue
        place = scope.source(f"volumes[{index}]")
        digest, changed_at = _file_digest(path), found.st_mtime
        yield Content(
            f"volumes.{target}", digest, place, _shown(scope, path), path, not read_only, changed_at=changed_at
        )


def _at_or_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _is_file(path: str) -> bool:
    return stat.S_ISREG(file_mode(path) or 0)


def _file_digest(path: str) -> str:
    """SHA-256 of a regular file, in hex; "" where there is none that can be read, or a very large one."""
    digest, left = hashlib.sha256(), LARGEST
    if not _is_file(path):
        return ""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                left -= len(chunk)
                if left < 0:
                    return ""
    except OSError:
        return ""
    return digest.hexdigest()


def _shown(scope: Scope, path: str) -> str:
    inside = _at_or_below(path, scope.working_dir)
    return f"./{posixpath.relpath(path, scope.working_dir)}" if inside else path
