"""A worker that is killed leaves gigabytes of a stranger's archive; they go, and nothing that is in use."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from classifier.scratch import SECONDS_KEPT, delete_old_scratch


@pytest.fixture
def scratch(settings: Any, tmp_path: Path) -> Path:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "tmp"
    for name in ("old", "in use", "new"):
        (tmp_path / "tmp" / name).mkdir(parents=True)
        (tmp_path / "tmp" / name / "file").write_text("x")
    (tmp_path / "tmp" / "old file").write_text("x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").write_text("x")
    (tmp_path / "tmp" / "old" / "link").symlink_to(tmp_path / "elsewhere")
    long_ago = time.time() - SECONDS_KEPT - 60
    for name in ("old/file", "old/link", "old", "in use", "old file"):
        os.utime(tmp_path / "tmp" / name, (long_ago, long_ago), follow_symlinks=False)
    return tmp_path


def test_what_nothing_touched_for_a_day_goes(scratch: Path) -> None:
    delete_old_scratch()
    assert sorted(path.name for path in (scratch / "tmp").iterdir()) == ["in use", "new"]
    assert (scratch / "elsewhere" / "kept").exists()
