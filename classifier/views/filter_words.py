"""Filters in words, each with the address of the page without it."""

from collections.abc import Callable, Mapping
from typing import Any

from classifier.models import ImageClass, Project, Sample, Upload
from classifier.sample_filters import SampleFilter
from classifier.templatetags.poetsweb import base_name
from ml.audit.kinds import KINDS


def describe_filter(project: Project, wanted: SampleFilter) -> list[tuple[str, str]]:
    """List (what the filter says, the query without that) of each part that narrows it."""
    blank = SampleFilter()
    parts = wanted.model_dump(exclude_defaults=True)
    return [
        (_WORDS[name](project, value), wanted.with_changes(**{name: getattr(blank, name)}).as_query())
        for name, value in parts.items()
        if name in _WORDS
    ]


def _class_name(project: Project, pk: int) -> str:
    found = ImageClass.objects.filter(project=project, pk=pk).first()
    return f"class “{found.name}”" if found else "a class that is gone"


def _upload_name(project: Project, pk: int) -> str:
    found = Upload.objects.filter(project=project, pk=pk).first()
    return f"upload “{found.source}”" if found else "an upload that is gone"


def _file_name(project: Project, pk: int) -> str:
    found = Sample.objects.filter(project=project, pk=pk).first()
    return base_name(found.file_name) if found else "a picture that is gone"


def _finding_title(kind: str) -> str:
    return KINDS[kind].title.lower() if kind in KINDS else f"finding “{kind}”"


_WORDS: Mapping[str, Callable[[Project, Any], str]] = {
    "class_id": _class_name,
    "unlabelled": lambda project, value: "without a class",
    "deleted": lambda project, value: "in the trash",
    "name": lambda project, value: f"name contains “{value}”",
    "split": lambda project, value: "in no split yet" if value == "none" else value,
    "upload": _upload_name,
    "uploader": lambda project, value: f"brought in by {value}",
    "group": lambda project, value: f"group “{value}”",
    "tag": lambda project, value: f"tag “{value}”",
    "since": lambda project, value: f"since {value:%-d %b %Y}",
    "until": lambda project, value: f"until {value:%-d %b %Y}",
    "smaller_than": lambda project, value: f"smaller than {value} pixels",
    "duplicate": lambda project, value: "same photo as another one",
    "finding": lambda project, value: _finding_title(value),
    "right": lambda project, value: f"right by version {value}",
    "wrong": lambda project, value: f"wrong by version {value}",
    "checked": lambda project, value: f"{value} by the last check",
    "like": lambda project, value: f"like “{_file_name(project, value)}”",
    "predicted": lambda project, value: f"predicted as {_class_name(project, value)}",
}
