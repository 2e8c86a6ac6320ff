"""The tables of the state file, as the steps that lead from an empty file to them.

Values are JSON texts of the model's dataclasses: a field that is added with a default needs no step here, one that is
renamed or changes its meaning does.
"""

from __future__ import annotations

import sqlite3

APPLICATION_ID = 0x52_43_4E_43  # "RCNC": what tells our file from any other SQLite file

Steps = tuple[tuple[str, ...], ...]

_FIRST = (
    """CREATE TABLE project (
        id INTEGER PRIMARY KEY, engine TEXT NOT NULL, instance TEXT NOT NULL, name TEXT NOT NULL,
        UNIQUE (engine, instance, name))""",
    """CREATE TABLE memory (
        project INTEGER NOT NULL, field TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (project, field, key))""",
    """CREATE TABLE revision (
        project INTEGER NOT NULL, service TEXT NOT NULL, number INTEGER NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (project, service, number))""",
    """CREATE TABLE rollout (
        project INTEGER NOT NULL, number INTEGER NOT NULL, service TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (project, number))""",
)

_OPERATORS = (
    """CREATE TABLE suspension (
        project INTEGER NOT NULL, service TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (project, service))""",
    """CREATE TABLE action (
        project INTEGER NOT NULL, number INTEGER NOT NULL, service TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (project, number))""",
    "CREATE TABLE origin (project INTEGER PRIMARY KEY, value TEXT NOT NULL)",
    "ALTER TABLE project ADD COLUMN gone_at REAL",
)

MIGRATIONS: Steps = (_FIRST, _OPERATORS)


def version(connection: sqlite3.Connection) -> int:
    """How many of the steps the file has behind it (PRAGMA user_version)."""
    return _pragma(connection, "user_version")


def is_ours(connection: sqlite3.Connection) -> bool:
    """Whether the file is ours, or empty."""
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    return _pragma(connection, "application_id") == APPLICATION_ID or (empty and version(connection) == 0)


def migrate(connection: sqlite3.Connection, steps: Steps = MIGRATIONS) -> None:
    """Take the steps that the file does not have behind it; the caller holds the transaction."""
    for statements in steps[version(connection) :]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {len(steps)}")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
