"""The forms in which a value may be written, as JSON Schema: what `forms` and `canonical` turn into the long one.

A `Form` makes the schema of what may be written out of the schema of the long form. `loosened` is what holds for every
value of a type: numbers and booleans may be text, and any text may hold a variable. `FORMS` has the keys with more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconciler.spec.forms import FALSE, TRUE

Json = dict[str, Any]
Form = Callable[[Json], Json]

_VARIABLE = r"\$"
_WHOLE = r"^[+-]?[0-9]+$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_DURATION = r"^\+?(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h|d|w))+)$"
_SIZE = r"^\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)? ?([bB]|[kKmMgGtTpP]([iI]?[bB])?)?$"
_MAC = r"^([0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}|[0-9a-fA-F]{4}(\.[0-9a-fA-F]{4}){2})?$"


def like(pattern: str, what: str) -> Json:
    """Keywords for texts of the pattern or with a variable in them; `what` they are, in the words of an error."""
    return {"pattern": f"{pattern}|{_VARIABLE}", "patternErrorMessage": f"must be {what}"}


def _any_case(words: tuple[str, ...]) -> str:
    spelled = ("".join(f"[{letter.upper()}{letter}]" for letter in word) for word in words)
    return f"^({'|'.join(spelled)})$"


TEXT: Json = {"type": "string"}
TEXTS: Json = {"type": "array", "items": TEXT}
SCALAR: Json = {"type": ["string", "number", "boolean", "null"]}
_SCALARS: Json = {"type": "array", "items": SCALAR}
_TYPED_TEXT = {
    "integer": like(_WHOLE, "a whole number"),
    "number": like(_NUMBER, "a number"),
    "boolean": like(_any_case(TRUE + FALSE), "true or false"),
}


def loosened(long: Json) -> Json:
    """What may be written where the models want this, whatever the key: the same, and text that means it."""
    if "enum" in long:
        return {"anyOf": [{"enum": long["enum"]}, {"type": "string", "pattern": _VARIABLE}]}
    loose = {key: _INSIDE[key](value) if key in _INSIDE else value for key, value in long.items()}
    kind = long.get("type")
    if kind in _TYPED_TEXT:
        return {**loose, "type": [kind, "string"], **_TYPED_TEXT[kind]}
    if kind == "string" and "pattern" in long:
        return {**loose, **like(long["pattern"], f"of the form {long['pattern']}")}
    return loose


def _scalars(values: Json) -> Json:
    """Values of a mapping of texts: any scalar is written out as text."""
    return SCALAR if values == TEXT or TEXT in values.get("anyOf", ()) else loosened(values)


_INSIDE: dict[str, Callable[[Any], Any]] = {
    "items": loosened,
    "additionalProperties": lambda values: _scalars(values) if isinstance(values, dict) else values,
    "patternProperties": lambda values: {pattern: loosened(value) for pattern, value in values.items()},
    "anyOf": lambda forms: [loosened(form) for form in forms],
    "oneOf": lambda forms: [loosened(form) for form in forms],
}


def either(*forms: Json) -> Form:
    """These forms and no other."""
    return lambda _: forms[0] if len(forms) == 1 else {"anyOf": list(forms)}


def also(*forms: Json) -> Form:
    """The long form, or one of these."""
    return lambda long: {"anyOf": [*forms, long]}


def each_also(*forms: Json) -> Form:
    """A list whose items are long, or one of these."""
    return lambda long: {"type": "array", "items": {"anyOf": [*forms, long.get("items", {})]}}


def words(*known: str, pattern: str = "") -> Json:
    """One of these words, a text of the pattern, or one with a variable."""
    others = like(pattern, f"one of {', '.join(known)}") if pattern else {}
    return {"anyOf": [{"enum": list(known)}, {"type": "string", **others}]}


_NULL: Json = {"type": "null"}
_PAIRS = either({"type": "object", "additionalProperties": SCALAR}, TEXTS)
_COMMAND = also(TEXT)
_ONE_OR_MORE = also(TEXT)
_NAMES = also(TEXTS)
_DURATIONS = either({"type": "string", **like(_DURATION, "a duration, such as 10s, 1m30s or 1.5h")})
_SIZED = like(_SIZE, "a size, such as 512m or 1.5g")
_SIZES = either({"type": ["integer", "string"], "minimum": -1, **_SIZED})
_SIZE_TEXTS = either({"type": "string", **_SIZED})
_MACS = either({"type": "string", **like(_MAC, "a MAC address, such as 02:42:ac:11:65:43")})
_NUMBERS_TOO = {"type": ["integer", "string"]}
_EXTERNAL = also({"type": "object", "properties": {"name": TEXT}, "additionalProperties": False})
_JOINED = "^((service|container):.+)?$"

EXTENDS: Json = {
    "anyOf": [
        TEXT,
        {
            "type": "object",
            "properties": {"service": TEXT, "file": TEXT},
            "required": ["service"],
            "additionalProperties": False,
        },
    ]
}
_PATHS: Json = {"anyOf": [TEXT, TEXTS]}
INCLUDE: Json = {
    "type": "array",
    "items": {
        "anyOf": [
            TEXT,
            {
                "type": "object",
                "properties": {"path": _PATHS, "project_directory": TEXT, "env_file": _PATHS},
                "required": ["path"],
                "additionalProperties": False,
            },
        ]
    },
}

FORMS: dict[str, Form] = {
    **dict.fromkeys(
        (
            *("Service.annotations", "Service.environment", "Service.labels", "Service.sysctls", "Deploy.labels"),
            *("Build.additional_contexts", "Build.args", "Build.labels", "Build.ssh"),
            *(
                "Command.environment",
                "Hook.environment",
                "DeviceRequest.options",
                "ReservedDevices.options",
                "Config.labels",
                "Secret.labels",
            ),
            *("Network.labels", "Volume.labels", "VolumeOptions.labels"),
        ),
        _PAIRS,
    ),
    **dict.fromkeys(
        (
            *("Service.command", "Service.entrypoint", "Healthcheck.test", "DrainRules.command"),
            *("Command.command", "Hook.command"),
        ),
        _COMMAND,
    ),
    **dict.fromkeys(
        (
            *("Service.dns", "Service.dns_search", "Service.label_file", "Service.tmpfs"),
            *("Build.no_cache_filter", "MutationRules.allow", "VerifyRules.keys", "Watch.ignore", "Watch.include"),
        ),
        _ONE_OR_MORE,
    ),
    **dict.fromkeys(("Service.depends_on", "Service.models", "Service.networks"), _NAMES),
    **dict.fromkeys(
        (
            *("Service.pull_refresh_after", "Service.stop_grace_period", "DrainRules.delay"),
            *("Healthcheck.interval", "Healthcheck.timeout", "Healthcheck.start_period", "Healthcheck.start_interval"),
            *("UpdateConfig.delay", "UpdateConfig.monitor", "RestartPolicy.delay", "RestartPolicy.window"),
            *("RolloutRules.min_running", "RolloutRules.progress_deadline", "RolloutRules.settle"),
            "ImageRules.cooldown",
        ),
        _DURATIONS,
    ),
    **dict.fromkeys(
        (
            *("Service.mem_limit", "Service.mem_reservation", "Service.mem_swappiness", "Service.memswap_limit"),
            *("Service.shm_size", "BlkioRate.rate", "Build.shm_size", "TmpfsOptions.size"),
        ),
        _SIZES,
    ),
    **dict.fromkeys(("Limits.memory", "Reservations.memory"), _SIZE_TEXTS),
    **dict.fromkeys(("Service.mac_address", "Attachment.mac_address"), _MACS),
    **dict.fromkeys(("Config.external", "Network.external", "Secret.external", "Volume.external"), _EXTERNAL),
    **dict.fromkeys(("Service.configs", "Service.secrets", "Build.secrets", "Service.devices"), each_also(TEXT)),
    "Service.build": also(TEXT),
    "Service.env_file": lambda long: also(TEXT)(each_also(TEXT)(long)),
    "Service.expose": each_also(_NUMBERS_TOO),
    "Service.extra_hosts": also({"type": "object", "additionalProperties": _PATHS}),
    "Build.extra_hosts": also({"type": "object", "additionalProperties": _PATHS}),
    "Service.gpus": also({"enum": ["all"]}),
    "Service.group_add": each_also(_NUMBERS_TOO),
    "Service.ipc": either(words("host", "none", "private", "shareable", pattern=_JOINED)),
    "Service.pid": either(words("host", pattern=_JOINED), _NULL),
    "Service.ports": each_also(_NUMBERS_TOO),
    "Service.pull_policy": either(
        words(
            "always",
            "missing",
            "if_not_present",
            "never",
            "build",
            pattern="^(refresh|daily|weekly|every_([0-9]+[wdhms])+)?$",
        )
    ),
    "Service.restart": either(words("no", "always", "unless-stopped", "on-failure", pattern="^(on-failure:[0-9]+)?$")),
    "Service.volumes": each_also(TEXT),
    **dict.fromkeys(("DeviceRequest.count", "ReservedDevices.count"), also({"enum": ["all"]})),
    **dict.fromkeys(("Build.provenance", "Build.sbom"), either(SCALAR)),
    "EnvFile.format": either(words("raw")),
    **dict.fromkeys(("FileReference.mode", "TmpfsOptions.mode"), either(_NUMBERS_TOO)),
    "Provider.options": either({"type": "object", "additionalProperties": {"anyOf": [SCALAR, _SCALARS]}}),
    "Port.published": either(_NUMBERS_TOO),
    "RolloutRules.drain": also({"enum": ["none", "signal", "exec", "http"]}),
}
