"""The typed shape of a spec in long form: one strict pydantic model per section of the Compose Spec.

`check.check_document` is the one way in. The models are the list of keys we honour; `not_yet` of each names the keys of
the Compose Spec that are refused by name.
"""
