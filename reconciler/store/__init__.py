"""What must outlive the program: one SQLite file in the state directory, with memory, revisions and history.

Used by `session` and the commands that look back; it decides nothing. Losing the file costs history, what a rollback
goes back to, and at most one more try of what is known to be bad: never data.
"""

from reconciler.store.database import StateError
from reconciler.store.project_store import ProjectStore
from reconciler.store.store import Store

__all__ = ["ProjectStore", "StateError", "Store"]
