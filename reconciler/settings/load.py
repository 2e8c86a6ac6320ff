"""How an installation wants the program to behave: a file, variables and flags -> `Settings`, or all that is wrong.

A flag counts before a variable, a variable before the file, the file before the default. Called once, at the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconciler.errors import SettingsError, SettingsErrors
from reconciler.model.settings import PolicyException, PolicySettings, Settings
from reconciler.policy.resolve import check_settings
from reconciler.settings.defaults import default_socket, default_state_dir
from reconciler.settings.overlay import CONFIG, put_flags, put_variables
from reconciler.settings.reading import read_file
from reconciler.settings.shape import Policy, Top, keys
from reconciler.settings.sources import followed
from reconciler.settings.validation import validated
from reconciler.spec.nodes import NOWHERE, Items, Mark, Table, source_text
from reconciler.spec.positions import plain

DEFAULT_FILE = "/etc/reconciler/config.yaml"


def load_settings(
    flags: Mapping[str, Any], environment: Mapping[str, str], *, default_file: str = DEFAULT_FILE
) -> Settings:
    """The settings of this run, complete. SettingsErrors with all that is wrong, each with its place.

    `flags` are those of the command line by their names (`config`, `files`, `state_dir`, `timeout` in seconds...), None
    or () where nothing was said. Relative paths begin at the settings file, in variables and flags at this folder.
    """
    file, named_by = _file_of(flags, environment, default_file)
    try:
        document = read_file(file, named_by) if file else Table()
    except SettingsError as error:
        raise SettingsErrors([error]) from None
    errors = list(put_variables(document, environment))
    put_flags(document, flags)
    valid, more = validated(document, str(Path(file).absolute().parent))
    if valid is None or errors or more:
        raise SettingsErrors([*more, *errors])
    settings = _settings(valid, document, environment)
    if errors := check_settings(settings.policy):
        raise SettingsErrors(errors)
    return settings


def _file_of(flags: Mapping[str, Any], environment: Mapping[str, str], default_file: str) -> tuple[str, str]:
    """The settings file and who names it; "" where there is none."""
    if flags.get("config"):
        return str(flags["config"]), "--config"
    if environment.get(CONFIG):
        return environment[CONFIG], CONFIG
    return (default_file, "") if Path(default_file).exists() else ("", "")


def _settings(valid: Top, document: Table, environment: Mapping[str, str]) -> Settings:
    state_dir = valid.state_dir or default_state_dir(environment)
    data_dir = valid.data_dir or str(Path(state_dir) / "data")
    return Settings(
        sources=followed(valid.sources, document),
        policy=_policy(valid.policy, document),
        instance=valid.instance,
        host=valid.host,
        context=valid.context,
        state_dir=state_dir,
        data_dir=data_dir,
        host_data_dir=valid.host_data_dir or data_dir,
        socket=valid.socket or default_socket(environment, state_dir),
        resync=valid.resync,
        full=valid.full,
        image_checks=valid.image_checks,
        backoff_first=valid.backoff.first,
        backoff_most=valid.backoff.most,
        timeout=valid.timeout,
        max_unavailable=valid.max_unavailable,
        max_removed=valid.max_removed,
        history=valid.history,
        age_identity_file=valid.age_identity_file,
        hash_key_file=valid.hash_key_file,
        log_format=valid.log.format,
        log_level=valid.log.level,
        places=_places(document),
    )


def _policy(valid: Policy, document: Table) -> PolicySettings:
    section = document.get("policy", Table())
    rules, exceptions = section.get("rules", Table()), section.get("exceptions", Items())
    return PolicySettings(
        level=valid.level,
        rules=plain(rules),
        rule_places={name: source_text(rules.mark(name)) for name in rules},
        exceptions=tuple(
            PolicyException(one.rule, one.project, one.service, one.reason, source_text(mark))
            for one, mark in zip(valid.exceptions, exceptions.marks, strict=True)
        ),
    )


def _places(document: Table) -> dict[str, str]:
    """Who said it, of every key that somebody set."""
    marks = {key.dotted: _mark(document, key.path) for key in keys()}
    return {key: source_text(mark) for key, mark in marks.items() if mark != NOWHERE}


def _mark(document: Any, path: tuple[str, ...]) -> Mark:
    *above, last = path
    for step in above:
        document = document.get(step, Table())
    found: Mark = document.mark(last)
    return found
