from __future__ import annotations

from collections.abc import Callable

from reconciler.spec.load import Loaded
from reconciler.spec.lowering import lower
from reconciler.spec.schema.support import SUPPORT, Verdict
from reconciler.spec.schema.tree import ANY, ITEM, keys
from reconciler.spec.unhonoured import _written

LISTED = """\
services:
  my.web:
    image: x
    deploy: {placement: {preferences: [{spread: zone}]}}
  db: {image: y, deploy: {placement: {}}}
networks:
  default:
    ipam:
      options: {a: b}
"""


def test_ignored_keys_are_named_wherever_they_stand(loader: Callable[..., Loaded]) -> None:
    """In services and at the top level, at their lines; a key with nothing in it asks for nothing."""
    notices = lower(loader(LISTED)).notices
    assert [(notice.message.partition(": is ignored")[0], notice.source) for notice in notices] == [
        ("services.my.web.deploy.placement", "compose.yaml:4"),
        ("networks.default.ipam.options", "compose.yaml:9"),
    ]


def test_every_row_names_a_key_of_a_model() -> None:
    """A key that was renamed, or a typing error, would be a row that nobody reads."""
    assert set(SUPPORT) <= {f"{key.model.__name__}.{key.name}" for key in keys()}


def test_a_key_that_a_model_refuses_is_refused_by_its_row() -> None:
    """A row that promises more than the model takes would make the documentation lie."""
    rows = {f"{key.model.__name__}.{key.name}": key for key in keys()}
    refused = {name for name, key in rows.items() if key.name in key.model.not_yet and name in SUPPORT}
    assert {name for name in refused if SUPPORT[name].verdict is not Verdict.REFUSED} == set()


def test_keys_are_found_in_lists_too() -> None:
    """Items count, and what cannot hold the key is passed over."""
    document = {"services": {"a": {"volumes": [{"target": "/x"}, {"consistency": "cached"}, "text"]}}}
    pattern = ("services", ANY, "volumes", ITEM, "consistency")
    assert list(_written(document, pattern, ())) == [("services", "a", "volumes", 1, "consistency")]
