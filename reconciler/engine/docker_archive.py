"""The tar by which files are put into a container (Engine API, PutContainerArchive). Called by `docker`."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable

from reconciler.model.files import CopiedFile


def archive(files: Iterable[CopiedFile]) -> bytes:
    """An uncompressed tar of regular files, in order, their paths relative to `/`. The same files give the same bytes.

    Folders are not in it: the engine makes those that are missing, and the others keep their mode and owner.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in files:
            content = file.data
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            entry.size, entry.mode, entry.uid, entry.gid = len(content), file.mode, file.uid, file.gid
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
