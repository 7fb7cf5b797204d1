"""What people did to a project's pictures and classes, in sentences."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import QuerySet

from classifier.models import Change, Project

Kind = Change.Kind
UNDO_TAG = "undo-"  # of a message about an act, before the act's id: the page offers to undo it


def list_changes(project: Project) -> QuerySet[Change]:
    """List the acts that changed something, the newest first, with who did them and what took them back."""
    return project.changes.exclude(count=0, classes={}).select_related("created_by", "undone_by")


def describe_change(act: Change) -> str:
    """Return what an act did, as a sentence without its full stop."""
    if act.kind == Kind.UNDO:
        undone = {name: value for name, value in act.details.items() if name != "kind"}
        return f"Undone: {_describe(act.details.get('kind', ''), act.count, undone)}"
    return _describe(act.kind, act.count, act.details)


def count_pictures(count: int) -> str:
    """Return a number of pictures in words."""
    return "1 picture" if count == 1 else f"{intcomma(count)} pictures"


def _describe(kind: str, count: int, details: Mapping[str, Any]) -> str:
    pictures = count_pictures(count)
    return _SENTENCES[kind](pictures, details) if kind in _SENTENCES else f"{pictures} changed"


_SENTENCES: dict[str, Callable[[str, Mapping[str, Any]], str]] = {
    Kind.MOVE: lambda pictures, said: f"{pictures} moved to “{said['to']}”",
    Kind.LABEL: lambda pictures, said: f"{pictures} labelled “{said['to']}”",
    Kind.UNLABEL: lambda pictures, said: f"{pictures} taken out of their class",
    Kind.DELETE: lambda pictures, said: f"{pictures} moved to the trash",
    Kind.RESTORE: lambda pictures, said: f"{pictures} restored from the trash",
    Kind.SPLIT: lambda pictures, said: f"{pictures} put into {said['split']}",
    Kind.GROUP: lambda pictures, said: (
        f"{pictures} put into the group “{said['to']}”" if said.get("to") else f"{pictures} taken out of their group"
    ),
    Kind.TAG: lambda pictures, said: (
        f"{pictures} tagged “{said['to']}”" if "to" in said else f"The tag “{said['removed']}” taken off {pictures}"
    ),
    Kind.RENAME_CLASS: lambda pictures, said: f"Class “{said['from']}” renamed to “{said['to']}”",
    Kind.MERGE_CLASS: lambda pictures, said: f"Class “{said['from']}” merged into “{said['to']}”, with {pictures}",
    Kind.DELETE_CLASS: lambda pictures, said: f"Class “{said['class']}” moved to the trash, with {pictures}",
    Kind.EDIT_CLASS: lambda pictures, said: f"Class “{said['class']}” changed",
    Kind.RESTORE_DATASET: lambda pictures, said: f"Dataset version {said['number']} restored, which changed {pictures}",
}
