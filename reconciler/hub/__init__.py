"""What all projects of a process share of one engine: connections, lists, one stream of events, workers.

Made by `service`; a session takes `EngineHub.engine` and an executor of its project's own from it.
"""

from reconciler.hub.hub import EngineHub, OnHappened
from reconciler.hub.project_executor import ProjectExecutor

__all__ = ["EngineHub", "OnHappened", "ProjectExecutor"]
