"""Names of the labels on everything we make.

`io.reconciler.*` is ours; `com.docker.compose.*` is what `docker compose ps/logs/down` filter on.
"""

from __future__ import annotations

PREFIX = "io.reconciler."
INSTANCE = "io.reconciler.instance"
PROJECT = "io.reconciler.project"
SERVICE = "io.reconciler.service"
SLOT = "io.reconciler.slot"
SPEC_HASH = "io.reconciler.spec-hash"
IMAGE = "io.reconciler.image"
DIGEST = "io.reconciler.digest"
ROLLOUT = "io.reconciler.rollout"
NAME = "io.reconciler.name"
HIDDEN = "io.reconciler.hidden"
SUBNET = "io.reconciler.subnet"
BUILD_KEY = "io.reconciler.build-key"
BUILD_CONTENT = "io.reconciler.build-content"
BUILD_BASES = "io.reconciler.build-bases"
KEEP = "io.reconciler.keep"

COMPOSE_PREFIX = "com.docker.compose."
COMPOSE_PROJECT = "com.docker.compose.project"
COMPOSE_SERVICE = "com.docker.compose.service"
COMPOSE_NUMBER = "com.docker.compose.container-number"
COMPOSE_ONEOFF = "com.docker.compose.oneoff"
COMPOSE_HASH = "com.docker.compose.config-hash"
COMPOSE_FILES = "com.docker.compose.project.config_files"
COMPOSE_DIR = "com.docker.compose.project.working_dir"
COMPOSE_VERSION = "com.docker.compose.version"
COMPOSE_NETWORK = "com.docker.compose.network"
COMPOSE_VOLUME = "com.docker.compose.volume"
COMPOSE_REPLACE = "com.docker.compose.replace"


def is_reserved(name: str) -> bool:
    """Whether a label belongs to us or to Compose, and so is never part of a user's definition."""
    return name.startswith((PREFIX, COMPOSE_PREFIX))
