"""What rows say of each other inside of JSON, with the ids that they have here."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from classifier.models import Change, ImageClass, Sample
from classifier.palette import colour_of
from classifier.services.changes import CLASS_FIELDS, SAMPLE_FIELDS
from classifier.services.history import describe_change
from classifier.services.portable.lines import writable_fields
from classifier.services.project_files.tables import TABLES, Column
from classifier.services.project_files.writing import Ids, Row, check_value, new_id, wrong
from ml.audit.kinds import KINDS

MOST_NUMBER = 2**31  # in a finding: of pictures, or a share

Fields = dict[str, Any]
_LINKS = {"image_class_id": "classes", "merged_into_id": "classes"}
_COLUMNS = {
    model: {field.attname: Column(field.attname, field) for field in writable_fields(model)}
    for model in (ImageClass, Sample)
}


def colour_here(colour: Any, old_id: int) -> Any:
    """Return the colour that a class of this id was shown in there: without one of its own, it comes from the id."""
    return colour or colour_of(old_id)


def translate_change(row: Row, ids: Ids) -> Fields:
    """Return an act whose classes have their ids here. Raise ProjectFileRefused."""
    table, details, classes = TABLES["changes"], row["details"], row["classes"]
    if not isinstance(details, dict) or not isinstance(classes, dict):
        raise wrong(table, "details")
    if isinstance(details.get("class"), int):
        details = {**details, "class": new_id(ids, "classes", details["class"])}
    try:
        describe_change(Change(kind=row["kind"], count=row["count"], details=details))
        changed = {int(pk): pair for pk, pair in classes.items()}
        pairs = {
            pk: [_translate_class(pk, one, ids) for one in (before, after)] for pk, (before, after) in changed.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise wrong(table, "details") from None
    here = {str(new_id(ids, "classes", pk)): pair for pk, pair in pairs.items()}
    return {**row, "details": details, "classes": here}


def _translate_class(old_id: int, fields: Mapping[str, Any], ids: Ids) -> Fields:
    known = _translate(fields, CLASS_FIELDS, ImageClass, ids)
    return {**known, "colour": colour_here(known["colour"], old_id)} if "colour" in known else known


def translate_finding(row: Row, ids: Ids) -> Fields:
    """Return a dismissed finding with the id that its predicted class has here. Raise ProjectFileRefused."""
    details = row["details"]
    if row["kind"] not in KINDS or not isinstance(details, dict):
        raise wrong(TABLES["findings"], "kind")
    if "predicted" in details:
        details = {**details, "predicted": new_id(ids, "classes", details["predicted"])}
    kind = KINDS[row["kind"]]
    numbers = [details.get(name) for name in kind.numbers]
    if not all(map(_is_number, numbers)) or not all(isinstance(one, str | int | float) for one in details.values()):
        raise wrong(TABLES["findings"], "details")
    if row["image_class_id" if kind.of_class else "sample_id"] is None:
        raise wrong(TABLES["findings"], "kind")
    return {**row, "details": details}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MOST_NUMBER


def translate_sample_change(row: Row, ids: Ids) -> Fields:
    """Return what an act did to one sample, with the ids that classes have here. Raise ProjectFileRefused."""
    pair = {side: _translate(row[side], SAMPLE_FIELDS, Sample, ids) for side in ("before", "after")}
    return {**row, **pair}


def _translate(fields: Any, allowed: tuple[str, ...], model: type[Any], ids: Ids) -> Fields:
    """Return fields that undoing may write: no others, and only with values that they can have."""
    if not isinstance(fields, dict) or not set(fields) <= set(allowed):
        raise wrong(TABLES["changes"], "classes")
    return {name: _translate_value(name, value, model, ids) for name, value in fields.items()}


def _translate_value(name: str, value: Any, model: type[Any], ids: Ids) -> Any:
    if name in _LINKS:
        return None if value is None else new_id(ids, _LINKS[name], value)
    column = _COLUMNS[model][name]
    if value is None and column.field.null:
        return None
    known = check_value(TABLES["changes"], column, value)
    if _is_moment(value) if name == "deleted_at" else known == value:
        return value
    raise wrong(TABLES["changes"], name)


def _is_moment(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False
