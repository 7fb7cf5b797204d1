"""Declare training settings, each once, with its bounds, its default and its words.

Form fields, the API's schema, the flags of `retrain` and the page of a version derive from the declarations.
"""

from typing import Any

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo


class Settings(BaseModel, frozen=True, strict=True, extra="forbid"):
    """A set of settings that are checked when it is made and never change."""


def setting(
    default: Any,
    *,
    label: str,
    help: str,
    group: str,
    flag: str = "",
    flag_default: Any = None,
    choices: dict[str, str] | None = None,
    **bounds: Any,
) -> Any:
    """Declare a setting.

    Args:
        label: its name on a form and on a version's page.
        help: a sentence or two for people who see it for the first time.
        group: the part of the form it belongs to, see `TrainConfig`.
        flag: its name in `retrain`, without the dashes; settings without one are not available there.
        flag_default: the original's default, if it differs.
        choices: allowed value -> its name for people.
        bounds: ge, gt, le of pydantic.
    """
    extra: dict[str, Any] = {
        "group": group,
        "flag": flag,
        "flag_default": default if flag_default is None else flag_default,
    }
    if choices is not None:
        extra["choices"] = choices
    return Field(default, title=label, description=help, json_schema_extra=extra, **bounds)


def extra_of(field: FieldInfo) -> dict[str, Any]:
    """Return what `setting` stores about a field in addition to its bounds."""
    extra = field.json_schema_extra
    return extra if isinstance(extra, dict) else {}


def bounds_of(field: FieldInfo) -> dict[str, float]:
    """Return the bounds of a field by name: ge, gt, le."""
    return {
        name: getattr(constraint, name)
        for constraint in field.metadata
        for name in ("ge", "gt", "le")
        if hasattr(constraint, name)
    }


def bounds_in_json_schema(field: FieldInfo) -> dict[str, float]:
    """Return the bounds of a field under their names in JSON Schema."""
    names = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum"}
    return {names[name]: bound for name, bound in bounds_of(field).items()}
