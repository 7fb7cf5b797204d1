"""What a project's file says, with everything named by its place instead of by its id or digest."""

import json
import zipfile
from pathlib import Path
from typing import Any

from classifier.palette import colour_of

Rows = list[dict[str, Any]]
LINKS = {
    "image_class_id": "classes",
    "merged_into_id": "classes",
    "image_id": "images",
    "upload_id": "uploads",
    "sweep_id": "sweeps",
    "job_id": "jobs",
    "sample_id": "samples",
    "change_id": "changes",
    "undoes_id": "changes",
    "dataset_version_id": "dataset_versions",
    "model_version_id": "model_versions",
}
PEOPLE = ("created_by", "updated_by", "owner", "dismissed_by")


def read_rows(path: Path) -> dict[str, Rows]:
    """Return the rows of each table as they are in the file."""
    with zipfile.ZipFile(path) as archive:
        tables = {}
        for name in archive.namelist():
            if name.startswith("rows/"):
                columns, *rows = map(json.loads, archive.read(name).splitlines())
                tables[name[5:-6]] = [dict(zip(columns, row, strict=True)) for row in rows]
        return tables


def read_content(path: Path) -> dict[str, Any]:
    """Return what is the same in two files of the same project, whichever site has written them."""
    tables, places = read_rows(path), {}
    tables["images"].sort(key=lambda row: str(row["sha256"]))  # a site may have had some of them
    for name, rows in tables.items():
        places[name] = {row["id"]: place for place, row in enumerate(rows) if "id" in row}
    content: dict[str, Any] = {name: [_placed(row, places) for row in rows] for name, rows in tables.items()}
    with zipfile.ZipFile(path) as archive:
        content["pictures"] = sorted(name for name in archive.namelist() if name.startswith("pictures/"))
        for row, shown in zip(tables["dataset_versions"], content["dataset_versions"], strict=True):
            shown["digest"] = _placed_dataset(archive.read(f"files/datasets/{row['digest']}.json"), places["classes"])
        for row, shown in zip(tables["model_versions"], content["model_versions"], strict=True):
            manifest = json.loads(archive.read(f"files/artifacts/{row['artifact_digest']}/manifest.json"))
            shown["artifact_digest"] = {
                **manifest,
                "dataset_digest": "",
                "classes": _pairs(manifest["classes"], places),
            }
            shown["fingerprint"] = ""
    return content


def _placed(row: dict[str, Any], places: dict[str, dict[Any, int]]) -> dict[str, Any]:
    shown = {name: _place(name, value, places) for name, value in row.items() if name != "id"}
    shown |= {name: bool(row[name]) for name in PEOPLE if name in row}
    if "merged_into_id" in row:
        shown["colour"] = row["colour"] or colour_of(row["id"])
    if "before" in row:
        shown |= {side: _placed(row[side], places) for side in ("before", "after")}
    if "predicted" in (row.get("details") or {}):
        shown["details"] = {**row["details"], "predicted": places["classes"][row["details"]["predicted"]]}
    if "undoes_id" in row:
        shown["classes"] = {
            places["classes"][int(pk)]: [_placed_class(int(pk), one, places) for one in pair]
            for pk, pair in row["classes"].items()
        }
        if isinstance(row["details"].get("class"), int):
            shown["details"] = {**row["details"], "class": places["classes"][row["details"]["class"]]}
    elif "classes" in row:
        shown["classes"] = _pairs(row["classes"], places)
    return shown


def _placed_class(pk: int, fields: dict[str, Any], places: dict[str, dict[Any, int]]) -> dict[str, Any]:
    shown = {name: _place(name, value, places) for name, value in fields.items()}
    return {**shown, "colour": fields["colour"] or colour_of(pk)} if "colour" in fields else shown


def _place(name: str, value: Any, places: dict[str, dict[Any, int]]) -> Any:
    return places[LINKS[name]][value] if name in LINKS and value is not None else value


def _pairs(classes: list[list[Any]], places: dict[str, dict[Any, int]]) -> list[list[Any]]:
    return [[places["classes"][pk], name] for pk, name in classes]


def _placed_dataset(data: bytes, classes: dict[Any, int]) -> Any:
    frozen = json.loads(data)
    rows = [[sha256, classes[pk], *rest] for sha256, pk, *rest in frozen["rows"]]
    return {"classes": [classes[pk] for pk in frozen["classes"]], "rows": rows}
