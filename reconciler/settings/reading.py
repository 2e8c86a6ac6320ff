"""The settings file -> marked data. What is wrong with its text is a SettingsError with file:line."""

from __future__ import annotations

from reconciler.errors import SettingsError, SpecError
from reconciler.spec.files import decode_text, read_bytes
from reconciler.spec.nodes import Table, kind_of
from reconciler.spec.yaml_nodes import read_documents

_LIMIT = 1024 * 1024
_HINT = "settings are YAML text in UTF-8"


def read_file(path: str, named_by: str) -> Table:
    """What the file says; nothing where it is empty. `named_by` is the flag or variable that names the file."""
    try:
        data = read_bytes(path, _LIMIT, what=f"the settings file {path}", source=named_by)
        if len(data) > _LIMIT:
            raise SettingsError(f"the settings file is larger than {_LIMIT} bytes", source=path)
        decode_text(data, path, _HINT)
        documents = read_documents(data, path)
    except SpecError as error:
        raise SettingsError(error.message, source=error.source, hint=error.hint) from None
    if len(documents) > 1:
        raise SettingsError("a settings file is one document", source=f"{path}:{documents[1].line}", hint="remove ---")
    if any(document.resets for document in documents):
        raise SettingsError("!reset and !override mean nothing in settings", source=path)
    value = documents[0].value if documents else None
    if value is not None and not isinstance(value, Table):
        raise SettingsError(f"settings are a mapping, not {kind_of(value)}", source=f"{path}:1")
    return Table() if value is None else value
