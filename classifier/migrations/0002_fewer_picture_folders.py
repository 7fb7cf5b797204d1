"""Pictures lie in 256 folders, no longer in 65,536: making a folder took longer than writing its picture.

Moves what is stored; begun anew it goes on where it stopped. Undone, it moves everything back.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.files.storage import Storage, default_storage
from django.db import migrations


def _in_many(sha256: str) -> str:
    return f"images/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _in_few(sha256: str) -> str:
    return f"images/{sha256[:2]}/{sha256}"


def _move_all(source: Callable[[str], str], target: Callable[[str], str]) -> Callable[[Any, Any], None]:
    def move_all(apps: Any, schema_editor: Any) -> None:
        images = apps.get_model("classifier", "Image")
        for sha256 in images.objects.values_list("sha256", flat=True).iterator(chunk_size=2000):
            _move(default_storage, source(sha256), target(sha256))

    return move_all


def _move(storage: Storage, old: str, new: str) -> None:
    try:
        old_path, new_path = Path(storage.path(old)), Path(storage.path(new))
    except NotImplementedError:  # a bucket
        if storage.exists(old):
            with storage.open(old) as file:
                storage.save(new, file)
            storage.delete(old)
        return
    if not old_path.is_file():  # moved already, or lost before
        return
    new_path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(old_path, new_path)
    with suppress(OSError):  # not empty yet
        old_path.parent.rmdir()


class Migration(migrations.Migration):
    dependencies = [("classifier", "0001_first")]
    operations = [migrations.RunPython(_move_all(_in_many, _in_few), _move_all(_in_few, _in_many))]
