"""What every section's model shares: strict types, unknown keys refused, `x-*` keys of no meaning to us ignored."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator

# The default of keys that are not there. Nobody reads it: validated documents stay mappings, whose defaults
# stand in `spec.defaults`; it keeps the models from inventing any.
ABSENT: Any = None


class Section(BaseModel):
    """One section of a spec. `not_yet` are keys that are refused by name until they are honoured."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, populate_by_name=False)
    not_yet: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def ignore_extensions(cls, data: Any) -> Any:
        """The mapping without the `x-*` keys that the section does not declare."""
        if not isinstance(data, dict) or not any(key.startswith("x-") for key in data):
            return data
        declared = cls.keys()
        return {key: value for key, value in data.items() if key in declared or not key.startswith("x-")}

    @classmethod
    def keys(cls) -> dict[str, Any]:
        """Key as written in a spec -> the model field's annotation."""
        return {field.alias or name: field.annotation for name, field in cls.model_fields.items()}
