"""Read tables in JSON and JSON Lines: lists of records, and the exports of labelling programs and clouds."""

import json
from collections.abc import Iterator
from typing import Any

from ml.datasets.picture_index import PictureIndex
from ml.datasets.tables import MANY, Grid, Row, Table, is_column, most_columns, understand_grid
from ml.datasets.vocabulary import split_of

MOST_RECORDS = 500_000
_MOST_KEYS = 200


class BadTable(ValueError):
    """The file cannot be read as a table."""


def read_json_table(name: str, text: str, index: PictureIndex, wanted: str = "") -> Table | None:
    """Return the table in a JSON or JSON Lines file, or None if it names no pictures. Raise `BadTable`."""
    data = _load(text)
    if isinstance(data, dict):
        if (coco := _coco_rows(data)) is not None:
            return Table(name, coco)
        data = _records_of(data, index)
    if not isinstance(data, list) or not data:
        return None
    records = [record for record in data[:MOST_RECORDS] if isinstance(record, dict)]
    known = [row for record in records if (row := _known_row(record)) is not None]
    if known and len(known) >= len(records) / 2:
        return Table(name, known)
    return understand_grid(name, _grid_of(records), index, wanted) if records else None


def read_names(text: str) -> dict[str, str]:
    """Return the names of numbered classes in a JSON file, by number; nothing if it holds something else."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if isinstance(data, list) and all(isinstance(value, str) for value in data):
        return {str(number): value for number, value in enumerate(data)}
    if not isinstance(data, dict):
        return {}
    if all(key.isdigit() and isinstance(value, str) for key, value in data.items()):
        return dict(data)
    if all(isinstance(value, int) and not isinstance(value, bool) for value in data.values()):
        return {str(number): key for key, number in data.items()}
    return {}


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise BadTable("It is nested too deeply.") from error
    except ValueError:
        return list(_load_lines(text))


def _load_lines(text: str) -> Iterator[Any]:
    lines = [line for line in text.splitlines() if line.strip()]
    for line in lines[:MOST_RECORDS]:
        try:
            yield json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadTable("It is not JSON.") from error


def _records_of(data: dict[str, Any], index: PictureIndex) -> Any:
    """Return the list of records within a dictionary, whichever way round it is."""
    if (columns := _columns_of(data)) is not None:
        return columns
    if data and all(split_of(key) for key in data):  # split -> files or records
        return [record for key, values in data.items() for record in _of_split(key, values)]
    lists = [value for value in data.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    if len(lists) == 1:
        return lists[0]
    if data and all(isinstance(value, list) for value in data.values()):  # class -> files
        return [{"file": file, "label": key} for key, files in data.items() for file in files if isinstance(file, str)]
    if not any(index.knows(key) for key in list(data)[:500]):
        return None
    return [  # file -> class, or file -> record
        {"file": key, **value} if isinstance(value, dict) else {"file": key, "label": value}
        for key, value in data.items()
    ]


def _columns_of(data: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the records of a dictionary of columns, each a list or, as pandas writes them, a dictionary by row."""
    columns = {key: value for key, value in data.items() if is_column(key) and isinstance(value, list | dict)}
    if len(columns) < 2 or len({len(value) for value in columns.values()}) != 1:
        return None
    values = [list(column.values()) if isinstance(column, dict) else column for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def _of_split(split: str, values: Any) -> Iterator[dict[str, Any]]:
    if isinstance(values, dict):  # class -> files
        values = [
            {"file": file, "label": key} for key, files in values.items() if isinstance(files, list) for file in files
        ]
    for value in values if isinstance(values, list) else []:
        if isinstance(value, dict):
            yield {"split": split, **value}
        elif isinstance(value, str):
            yield {"file": value, "split": split}


def _grid_of(records: list[dict[str, Any]]) -> Grid:
    header: dict[str, None] = {}
    for record in records[:1000]:
        header.update(dict.fromkeys(key for key in record if isinstance(key, str)))
    keys = list(header)[: min(_MOST_KEYS, most_columns(len(records)))]
    return Grid(keys, [[_cell(record.get(key)) for key in keys] for record in records])


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(part, str | int) for part in value):
        return MANY.join(str(part) for part in value)
    if isinstance(value, dict) and isinstance(value.get("choices"), list):  # Label Studio's, for several choices
        return _cell(value["choices"])
    return ""


def _known_row(record: dict[str, Any]) -> Row | None:
    for read in (_label_studio, _vertex, _data_labeling, _ground_truth):
        if (row := read(record)) is not None:
            return row
    return None


def _label_studio(record: dict[str, Any]) -> Row | None:
    data, done = record.get("data"), record.get("annotations", record.get("completions"))
    if not isinstance(data, dict) or not isinstance(done, list):
        return None
    files = [value for value in data.values() if isinstance(value, str)]
    preferred = [data[key] for key in ("image", "img", "url", "file") if isinstance(data.get(key), str)]
    labels: dict[str, None] = {}
    for annotation in done:
        if isinstance(annotation, dict) and not annotation.get("was_cancelled"):
            labels.update(dict.fromkeys(_choices(annotation.get("result"))))
    return Row((preferred or files or [""])[0], tuple(labels), "")


def _choices(result: Any) -> Iterator[str]:
    for part in result if isinstance(result, list) else []:
        value = part.get("value") if isinstance(part, dict) else None
        choices = value.get("choices") if isinstance(value, dict) else None
        yield from (choice for choice in (choices if isinstance(choices, list) else []) if isinstance(choice, str))


def _vertex(record: dict[str, Any]) -> Row | None:
    file = record.get("imageGcsUri")
    if not isinstance(file, str):
        return None
    one, many = record.get("classificationAnnotation"), record.get("classificationAnnotations")
    annotations = [one] if isinstance(one, dict) else many if isinstance(many, list) else []
    resources = record.get("dataItemResourceLabels")
    use = resources.get("aiplatform.googleapis.com/ml_use") if isinstance(resources, dict) else None
    return Row(file, _names(annotations, "displayName"), split_of(use) if isinstance(use, str) else "")


def _names(annotations: list[Any], key: str) -> tuple[str, ...]:
    found = [part.get(key) for part in annotations if isinstance(part, dict)]
    return tuple(dict.fromkeys(name for name in found if isinstance(name, str)))


def _data_labeling(record: dict[str, Any]) -> Row | None:
    payload, annotations = record.get("imagePayload"), record.get("annotations")
    if not isinstance(payload, dict) or not isinstance(annotations, list):
        return None
    labels = [_dig(part, "annotationValue", "imageClassificationAnnotation", "annotationSpec") for part in annotations]
    return Row(str(payload.get("imageUri", "")), _names(labels, "displayName"), "")


def _dig(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _ground_truth(record: dict[str, Any]) -> Row | None:
    """Read a line of a manifest of SageMaker Ground Truth."""
    file = record.get("source-ref")
    if not isinstance(file, str):
        return None
    found = [
        value.get("class-name")
        for key, value in record.items()
        if key.endswith("-metadata") and isinstance(value, dict)
    ]
    names = tuple(name for name in found if isinstance(name, str))
    if names:
        return Row(file, names, "")
    plain = [value for key, value in record.items() if key != "source-ref" and isinstance(value, str | int)]
    return Row(file, tuple(str(value) for value in plain[:1]), "")


def _coco_rows(data: dict[str, Any]) -> list[Row] | None:
    """Read COCO's form, in which pictures, classes and what is on the pictures are three lists."""
    images, annotations, categories = (data.get(key) for key in ("images", "annotations", "categories"))
    if not (isinstance(images, list) and isinstance(annotations, list) and isinstance(categories, list)):
        return None
    names = {_id(part, "id"): part.get("name") for part in categories if isinstance(part, dict)}
    labels: dict[Any, dict[str, None]] = {}
    for part in annotations[:MOST_RECORDS]:
        name = names.get(_id(part, "category_id")) if isinstance(part, dict) else None
        if isinstance(name, str):
            labels.setdefault(_id(part, "image_id"), {})[name] = None
    found = [image for image in images[:MOST_RECORDS] if isinstance(image, dict)]
    return [Row(str(image.get("file_name", "")), tuple(labels.get(_id(image, "id"), ())), "") for image in found]


def _id(part: dict[str, Any], key: str) -> Any:
    """Return an id, which may be anything in JSON but must not be a list or a dictionary."""
    found = part.get(key)
    return None if isinstance(found, list | dict) else found
