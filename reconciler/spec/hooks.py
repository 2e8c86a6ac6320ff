"""Grammar of hooks, `develop`, `provider` and `models` (Compose Spec), which need other programs than an engine.

For `canonical`: `config` prints these keys, `schema.support` says which of them cannot be brought about.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.errors import SpecError
from reconciler.spec import forms
from reconciler.spec.forms import Rule, Spot, listing, mapping, need_items, section
from reconciler.spec.nodes import NOWHERE, Items, MalformedError, Table, shown, source_text

_UNTARGETED = ("rebuild", "restart")


def hook(command: Rule) -> Rule:
    """An entry of `post_start`, `pre_start` or `pre_stop`, its command as `command` reads it."""
    return section({"command": command, "privileged": forms.boolean, "environment": forms.pairs})


def develop(path: Rule, command: Rule) -> Rule:
    """`develop`; what is watched is named by absolute paths."""
    watch = section(
        {
            "path": path,
            "ignore": forms.text_list,
            "include": forms.text_list,
            "initial_sync": forms.boolean,
            "exec": hook(command),
        }
    )
    return section({"watch": listing(watch)})


def provider_options(value: Any, spot: Spot) -> Table:
    """`provider.options`: every option is a list of texts."""
    return mapping(_option)(value, spot)  # type: ignore[no-any-return]


def service_models(value: Any, spot: Spot) -> Any:
    """A list of names, short for a mapping of nothing."""
    if not isinstance(value, Items):
        return mapping(section({}))(value, spot)
    table = Table()
    for index, (item, mark) in enumerate(need_items(value).marked()):
        name = forms.convert(forms.text, item, spot.child(index, mark))
        if name in table:
            spot.report(MalformedError(f"{shown(name)} is listed twice"))
        elif name is not forms.FAILED:
            table.put(name, None, mark)
    return table


def complete_develop(service: Table) -> None:
    """What is watched says which command follows, also where none does; `pull_refresh_after` goes. As in Compose."""
    service.drop("pull_refresh_after")
    if service.get("develop") is None:
        service.drop("develop")
    for watch in (service.get("develop") or {}).get("watch") or ():
        if "exec" not in watch:
            nothing = Table()
            nothing.put("command", None, NOWHERE)
            watch.put("exec", nothing, NOWHERE)


def check_hooks(name: str, service: Table, document: Table) -> Iterator[SpecError]:
    """What is watched and goes nowhere, and models that nobody declares."""
    watches = (service.get("develop") or {}).get("watch") or Items()
    for index, watch in enumerate(watches):
        if watch["action"] not in _UNTARGETED and not watch.get("target"):
            message = f"services.{name}.develop.watch[{index}]: has no target"
            yield SpecError(
                message, source=source_text(watches.marks[index]), hint="say where in the container it goes"
            )
    models = service.get("models") or Table()
    for model in models:
        if model not in (document.get("models") or ()):
            message = f"services.{name}.models: there is no model {model!r}"
            yield SpecError(
                message, source=source_text(models.mark(model)), hint="declare it under the top-level models:"
            )


def _option(value: Any, spot: Spot) -> Items:
    items = Items()
    for index, (item, mark) in enumerate(value.marked() if isinstance(value, Items) else [(value, spot.mark)]):
        text = forms.convert(forms.plain_text, item, spot.child(index, mark))
        if text is not forms.FAILED:
            items.add(text, mark)
    return items
